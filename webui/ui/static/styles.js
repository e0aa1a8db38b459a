// Saved styles beside the prompt: a panel in which they are searched, chosen for the next pictures (`#txt2img_styles`
// holds the names, which the form sends), written into the prompt, saved, changed and deleted.

import { hear, say } from "./bus.js";
import { DockPanel } from "./dock_panel.js";
import { el, icon, iconButton, t } from "./kit.js";
import { ask, send } from "./page_requests.js";
import { box, prompts, setChosenStyles, setPrompt } from "./prompt_boxes.js";
import { editStyle } from "./style_editor.js";

/**
 * @typedef {object} Style  as `api/page/styles.py` sends it
 * @property {string} name
 * @property {string} prompt
 * @property {string} negative
 * @property {string} file
 * @property {string} hidden_by  the file whose style of the same name is meant instead; "" where this one is
 * @property {string} thumb  address of its picture; "" where there is none
 */

const MOST_ROWS = 200; // drawn at once; a search finds the others

export async function mount({ element, props, trigger, watch }) {
  const picker = new StylePicker(element, props, trigger);
  watch("value", () => picker.chosenElsewhere());
  hear("style:choose", ({ name }) => picker.chosen.includes(name) || picker.choose([...picker.chosen, name]));
}

class StylePicker {
  constructor(element, props, trigger) {
    Object.assign(this, { props, trigger, styles: [], files: [], written: Promise.resolve() });
    this.label = el("span", {}, t("Styles"));
    const button = el("button", { type: "button", class: "quiet", id: "txt2img_styles_button" }, icon("tag"), this.label);
    this.panel = el("div", { class: "styles-panel" });
    element.append(button, this.panel);
    this.dock = new DockPanel(button, this.panel, { label: t("Styles"), shown: () => this.load(), focus: () => this.search });
    this.draw();
    this.chosenElsewhere();
  }

  /** @returns {string[]} names that are sent with the form */
  get chosen() {
    return Array.isArray(this.props.value) ? this.props.value : [];
  }

  choose(names) {
    this.props.value = names;
    this.trigger("change"); // Gradio hears of changes by Python alone: without it the form would not keep this one
    setChosenStyles(names);
    this.showCount();
    this.show();
  }

  chosenElsewhere() {
    setChosenStyles(this.chosen);
    this.showCount();
    if (this.dock.isOpen) this.show();
  }

  showCount() {
    const count = this.chosen.length;
    this.label.textContent = count ? t("Styles ({n})", { n: count }) : t("Styles");
    this.dock.button.classList.toggle("active", count > 0);
    this.dock.button.title = this.chosen.join(", ");
  }

  draw() {
    this.search = el("input", { type: "search", placeholder: t("Search styles"), "aria-label": t("Search styles"), maxlength: "200" });
    this.search.addEventListener("input", () => this.show());
    const fresh = el("button", { type: "button", class: "quiet", id: "txt2img_style_new", onclick: () => this.edit(null) }, icon("plus"), t("Save the prompts as a style"));
    this.applyAll = el("button", { type: "button", class: "quiet", id: "txt2img_style_apply", onclick: () => this.apply(() => this.chosen) }, t("Write the chosen ones into the prompt"));
    this.none = el("button", { type: "button", class: "quiet", onclick: () => this.choose([]) }, t("Choose none"));
    this.list = el("ul", { class: "style-list" });
    this.note = el("p", { class: "panel-empty", role: "status" });
    this.panel.append(
      el("div", { class: "panel-bar" }, el("label", { class: "search" }, icon("search"), this.search), fresh, this.dock.cross()),
      el("div", { class: "panel-bar panel-more" }, this.applyAll, this.none), this.note, this.list,
    );
  }

  async load() {
    try {
      this.take(await ask("styles"));
    } catch (error) {
      this.note.textContent = error.message;
    }
  }

  take({ styles, files, problems }) {
    Object.assign(this, { styles, files, problems });
    this.show();
  }

  show() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.styles.filter((style) => {
      const text = `${style.name}\n${style.prompt}\n${style.negative}\n${style.file}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const missing = this.chosen.filter((name) => !this.styles.some((style) => style.name === name));
    const told = [...(this.problems ?? []), ...missing.map((name) => t("There is no style {name} any more.", { name }))];
    if (this.styles.length === 0) told.push(t("No styles are saved yet. Write a prompt and save it as one."));
    else if (found.length === 0) told.push(t("Nothing fits this search."));
    else if (found.length > MOST_ROWS) told.push(t("The first {n} of {all}; search to see others.", { n: MOST_ROWS, all: found.length }));
    this.note.textContent = told.join(" ");
    this.note.hidden = told.length === 0;
    this.applyAll.disabled = this.none.disabled = this.chosen.length === 0;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const rows = [];
    let file = null;
    for (const style of found.slice(0, MOST_ROWS)) {
      if (style.file !== file && this.files.length > 1) rows.push(el("li", { class: "style-file" }, style.file));
      file = style.file;
      rows.push(this.row(style));
    }
    this.list.replaceChildren(...rows);
    if (focused) this.list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  /** @param {Style} style */
  row(style) {
    const isChosen = this.chosen.includes(style.name) && !style.hidden_by;
    const key = `${style.file}\n${style.name}`;
    const choose = el("button", {
      type: "button", class: "style-use", "aria-pressed": String(isChosen), disabled: Boolean(style.hidden_by), "data-key": key,
      title: [style.prompt, style.negative && t("Negative: {text}", { text: style.negative })].filter(Boolean).join("\n"),
      onclick: () => this.choose(isChosen ? this.chosen.filter((name) => name !== style.name) : [...this.chosen, style.name]),
    }, style.thumb ? el("img", { src: window.webui.base + style.thumb, alt: "", loading: "lazy" }) : el("span", { class: "card-blank", "aria-hidden": "true" }, style.name.slice(0, 1)),
    el("b", {}, style.name), el("small", {}, style.hidden_by ? t("hidden by the style of this name in {file}", { file: style.hidden_by }) : style.prompt || style.negative));
    const write = iconButton("paste", t("Write {name} into the prompt", { name: style.name }), { onclick: () => this.apply(() => [style.name]) });
    const edit = iconButton("sliders", t("Edit {name}", { name: style.name }), { onclick: () => this.edit(style) });
    return el("li", { class: "style-row" }, choose, write, edit);
  }

  /** Write styles into the prompts when those before are written. @param {() => string[]} names by then */
  apply(names) {
    this.written = this.written.then(() => this.write(names()));
  }

  /** Styles that were chosen are not sent any more once they are written, as they stand in the prompts now. */
  async write(names) {
    try {
      const { asked, merged } = await mergedWith(names);
      put("prompt", asked.prompt, merged.prompt);
      if (merged.negative !== asked.negative) put("negative", asked.negative, merged.negative);
      this.choose(this.chosen.filter((name) => !names.includes(name)));
    } catch (error) {
      say("notice", { kind: "error", text: error.message });
    }
  }

  edit(style) {
    editStyle(style, this.files, {
      saved: (list, before, after) => {
        this.take(list);
        if (before && this.chosen.includes(before)) {
          const names = this.chosen.map((name) => (name === before ? after : name)).filter(Boolean);
          this.choose(names);
        }
      },
    });
  }
}

/** The prompts with styles in them. What is typed before the server answers is asked about again, so that it stays. */
async function mergedWith(names) {
  const asked = prompts();
  const merged = await send("styles/apply", { ...asked, names });
  const now = prompts();
  const isStill = now.prompt === asked.prompt && now.negative === asked.negative;
  return isStill ? { asked, merged } : mergedWith(names);
}

/** Whoever types in the box keeps the caret where it is, and the space before the next word. */
function put(which, before, after) {
  const typed = box(which);
  if (document.activeElement !== typed) {
    setPrompt(which, after);
    return;
  }
  const { selectionStart, selectionEnd } = typed;
  const text = after.replace(before.trim(), () => before);
  const at = text.indexOf(before);
  setPrompt(which, text, at + selectionStart, at + selectionEnd);
}
