// The form's own part of the page: keeps what it holds, undoes, fills it, submits it, and has the small tools beside the
// controls. It draws the heading of the first group with its three buttons.
//
// Gradio holds the values. Its events call `window.webui.form` (see create/keeping.py and create/tools.py), and what
// these functions return goes into the controls.

import { hear, say } from "./bus.js";
import { FormState } from "./form_state.js";
import { ratioOf, sizeIn, sized } from "./form_sizes.js";
import { generateMenu } from "./generate_menu.js";
import { action } from "./keys.js";
import { el, iconButton, write } from "./kit.js";
import { t } from "./language.js";
import { holdsParameters, valueIn } from "./parameters_text.js";
import { answered, begin, failed } from "./submissions.js";

/** @typedef {import("./bus.js").Picture} Picture */

// what `window.webui` keeps is kept under a name that begins with `webui_`
const storage = Object.freeze({
  getItem: (name) => window.webui.kept(name.replace("webui_", "")),
  setItem: (name, text) => window.webui.keep(name.replace("webui_", ""), text),
});

/** @param {{element: HTMLElement, props: {value: {names: string[], drawn: Object<string, any>, remembered: string[]}}, trigger: Function}} context */
export function mount({ element, props, trigger }) {
  const { names, drawn, remembered } = props.value;
  const state = new FormState(names, drawn, storage, remembered);
  const form = new Form(state, trigger);
  window.webui.form = form;
  const buttons = {
    undo: iconButton("undo", t("Undo the last change of the form (Ctrl+Alt+Z)"), { id: "form_undo", onclick: () => trigger("undo") }),
    redo: iconButton("redo", t("Redo (Ctrl+Alt+Shift+Z)"), { id: "form_redo", onclick: () => trigger("redo") }),
    reset: iconButton("reload", t("Reset the form"), { id: "form_reset", onclick: () => form.askForReset() }),
  };
  state.onChange = () => {
    buttons.undo.disabled = !state.can.undo;
    buttons.redo.disabled = !state.can.redo;
  };
  state.onChange();
  element.classList.add("pane-head");
  element.append(el("h2", { class: "pane" }, t("Size & steps")), el("div", { class: "form-tools" }, buttons.undo, buttons.redo, buttons.reset));
  form.listen();
  generateMenu();
  trigger("ready");
}

class Form {
  /** @type {?Picture} */
  #picture = null;
  #taken = {};
  /** @type {?{fields: Object<string, any>, usual: Object<string, any>, told: (set: string[], kept: string[]) => void}} */
  #suiting = null;
  checkpoint = ""; // the one that is chosen

  constructor(state, trigger) {
    this.state = state;
    this.trigger = trigger;
  }

  // ---- what Gradio's events call

  begin(starting, now) {
    document.querySelectorAll(".section .fold").forEach((fold) => this.nameFold(fold));
    return this.state.begin(starting ? JSON.parse(starting) : null, now);
  }

  changed(some, first) {
    this.state.changed(some, first);
    say("form:changed");
  }

  /** Name the button that folds a section, in the page's language. Gradio may draw it before this form or after. */
  nameFold(fold) {
    fold.setAttribute("aria-label", t("Fold {title}", { title: t(fold.dataset.title) }));
  }

  undo(now) {
    return this.state.undo(now);
  }

  redo(now) {
    return this.state.redo(now);
  }

  /** Values that `take` or `suit` was asked for. */
  taken(now) {
    if (this.#suiting) {
      const { fields, usual, told } = this.#suiting;
      this.#suiting = null;
      const { values, set, kept } = this.state.suit(now, fields, usual);
      told(set, kept);
      return values;
    }
    const fields = this.#taken;
    this.#taken = {};
    return this.state.take(now, fields);
  }

  reset(now) {
    say("notice", { kind: "notice", text: t("The form is as the program starts it. Undo brings it back.") });
    return this.state.reset(now);
  }

  /** Width and height of a ratio. @param {string} trained "1024x1024", what the checkpoint was trained for */
  sized(ratio, trained, width, height) {
    return ratio ? sized(ratio, area(trained)) : [width, height];
  }

  /** The ratio that a size has, among those that are offered. */
  ratio(width, height, trained, ratios) {
    return ratioOf(Number(width), Number(height), area(trained), ratios);
  }

  /** The size of the picture on the canvas, cut to whole cells. */
  pictureSize(width, height) {
    const size = window.webui.canvas?.size();
    if (!size) {
      say("notice", { kind: "notice", text: t("There is no picture on the canvas yet.") });
      return [width, height];
    }
    return [cut(size.width), cut(size.height)];
  }

  /** The seed of the picture in view. @param {"seed"|"subseed"} which */
  seed(which, now) {
    if (!this.#picture) {
      say("notice", { kind: "notice", text: t("There is no picture whose seed could be used again.") });
      return now;
    }
    if (which === "seed") return valueIn(this.#picture.text, "Seed") ?? String(this.#picture.seed);
    return valueIn(this.#picture.text, "Variation seed") ?? "-1";
  }

  /** What the canvas holds, at the moment of submitting; asked for where the mode reads it. */
  async drawing() {
    return this.mode === "txt2img" ? null : ((await window.webui.canvas?.value()) ?? null);
  }

  /**
   * A press of Generate, from which on it can be stopped.
   * @param {() => Promise<any[]>} gather what the form shows
   * @returns {Promise<[[number, any[]]]>} what Gradio sends
   */
  async sending(gather) {
    const number = begin();
    try {
      return [[number, await gather()]];
    } catch (error) {
      answered(number);
      throw error;
    }
  }

  /** The server did not answer. */
  unanswered() {
    failed();
  }

  /** Put values into the form. @param {Object<string, any>} fields by the name of a field; the others stay */
  take(fields) {
    this.#taken = fields;
    this.trigger("take");
  }

  /**
   * Put the values that come with a checkpoint into the fields that nobody has set by hand.
   * @param {Object<string, any>} usual see `FormState.suit`
   * @param {(set: string[], kept: string[]) => void} told called with the names of fields
   */
  suit(fields, usual, told) {
    this.#suiting = { fields, usual, told };
    this.trigger("take");
  }

  /** What one field holds. */
  value(name) {
    return this.state.value(name);
  }

  /** What stands in the form, by the name of a field. */
  values() {
    return this.state.values();
  }

  /** The user's own defaults are others. */
  setDefaults() {
    this.state.setDefaults();
  }

  /** Another checkpoint is chosen above the page. */
  checkpointChanged() {
    say("checkpoint:changed");
  }

  get mode() {
    return document.documentElement.dataset.mode ?? "txt2img";
  }

  /** The server has answered. @param {string} answer JSON: `text` and `kind` of what is said, `at` where it is said of, `sent`
   * and `job` where something was sent */
  told(answer) {
    const { text, kind, at = "", plan, sent = 0, job = "" } = JSON.parse(answer || "{}");
    answered(sent, job);
    if (text === undefined) return;
    for (const wrong of document.querySelectorAll(".wrong-field")) {
      wrong.classList.remove("wrong-field");
      wrong.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    }
    say("notice", { kind: text ? kind : "", text });
    if (at) show(at);
    if (!plan) return;
    say("experiment:turn", { isOpen: true });
    say("experiment:fill", { plan });
  }

  // ---- what the rest of the page asks for

  listen() {
    hear("picture:shown", ({ picture }) => { this.#picture = picture; });
    hear("form:enlarge", ({ picture }) => this.trigger("enlarge", { picture: picture.id, text: picture.text, sent: begin() }));
    hear("form:fill", ({ text, only = null, beside = null }) => this.trigger("fill", { text, only, beside }));
    hear("picture:send", ({ picture, to }) => ["img2img", "inpaint", "sketch"].includes(to) && sizeOf(picture));
    action("undo_form", () => this.trigger("undo"));
    action("redo_form", () => this.trigger("redo"));
    document.addEventListener("click", (event) => {
      if (event.target.closest?.("#paste")) this.read();
    });
    document.addEventListener("paste", (event) => this.#pasted(event), true);
    window.addEventListener("pagehide", () => this.state.settle());
  }

  /** The button "Read parameters": fill the form from the text in the prompt box, or else from the picture in view. */
  read() {
    const typed = document.querySelector("#txt2img_prompt textarea")?.value ?? "";
    const text = typed.trim() ? typed : (this.#picture?.text ?? "");
    if (text.trim()) this.trigger("fill", { text, only: null });
    else say("notice", { kind: "notice", text: t("Paste generation parameters into the prompt box first.") });
  }

  askForReset() {
    this.trigger("reset");
  }

  #pasted(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (event.target.closest?.(".prompt") && holdsParameters(text)) {
      event.preventDefault();
      this.trigger("fill", { text, only: null });
      return;
    }
    const size = event.target.closest?.("#txt2img_width, #txt2img_height") && sizeIn(text);
    if (!size) return;
    event.preventDefault();
    writeSize(size);
  }
}

function writeSize(size) {
  for (const [index, id] of ["txt2img_width", "txt2img_height"].entries()) write(document.querySelector(`#${id} input`), String(size[index]));
}

/** What is made from a picture gets its size, cut to whole cells. */
function sizeOf({ width, height }) {
  if (width && height) writeSize([cut(width), cut(height)]);
}

const cut = (side) => Math.max(8, side - (side % 8));

const area = (trained) => {
  const [width, height] = sizeIn(trained || "") ?? [512, 512];
  return width * height;
};

/** Bring a control into view, with the part that it stands in. */
function show(id) {
  const control = document.getElementById(id);
  if (!control) return;
  const section = control.closest(".section");
  section?.classList.remove("folded");
  const closed = control.closest(".body")?.parentElement?.querySelector(":scope > .head .switch input:not(:checked)");
  closed?.click();
  control.classList.add("wrong-field");
  control.querySelector("input, textarea")?.setAttribute("aria-invalid", "true");
  control.scrollIntoView({ block: "center" });
  control.querySelector("input, textarea")?.focus({ preventScroll: true });
}
