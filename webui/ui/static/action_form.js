// A form of an action: its options, what it makes, and how far it is. Cards and bars stand at the left where there are
// any, with the rest at the right; else the options stand at the left and what was made at the right.

import { el, t } from "./kit.js";
import { hear, say } from "./bus.js";
import { FormState, OWN } from "./declared_state.js";
import { translated } from "./form_words.js";
import { Scope } from "./form_scope.js";
import { bodyOf } from "./form_body.js";
import { keepForm } from "./declared_keeping.js";
import { formula } from "./cards_of_sources.js";
import { asBase64, cancel, forget, look, pictureOf, start } from "./extension_actions.js";

const ENDED = new Set(["done", "failed", "stopped", "cancelled"]);
const SHOWN = 4000; // characters of data that nobody worded

/** Files that were sent to a form that is not drawn yet, by its element id. @type {Map<string, string>} */
const waiting = new Map();
hear("action:with", ({ form, name }) => waiting.set(form, name));

/** The options as an action takes them: pictures by their content, without what is the page's own. */
async function toldOptions(/** @type {FormState} */ state) {
  /** @type {Record<string, *>} */
  const told = {};
  for (const field of state.fields) {
    const value = state.values[field.name];
    if (field.name.startsWith(OWN) || value === undefined) continue;
    if (value === null && !field.optional) continue;
    if (field.control === "picture") {
      if (value) told[field.name] = await asBase64(value);
    } else if (field.control === "pictures") told[field.name] = await Promise.all((value ?? []).map(asBase64));
    else told[field.name] = value;
  }
  return told;
}

/** Draw the form. @param {{element: HTMLElement, props: *, upload: *}} context */
export function mount({ element, props, upload }) {
  const drawn = translated(props.form);
  const { action, is_wide: isWide, tried = [] } = props;
  const state = new FormState(drawn, {});
  const reset = keepForm(state, `${drawn.extension}_${action}`);
  const key = `webui_action_${drawn.extension}_${action}`;
  const status = el("div", { class: "a-status", role: "status" });
  const made = el("div", { class: "a-made" });
  const recipe = el("code", { class: "a-recipe", hidden: true });
  const run = el("button", { type: "button", class: "f-go", id: `${props.place}_run` }, drawn.tries ? t("Save") : drawn.title ?? t("Start"));
  const attempt = el("button", { type: "button", class: "f-go second", id: `${props.place}_try` }, t("Try (no file)"));
  const stop = el("button", { type: "button", class: "f-go second", id: `${props.place}_cancel`, hidden: true }, t("Stop"));
  const failed = (/** @type {string} */ text) => status.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, text));
  const scope = new Scope(state, [], state.fields, { elemId: props.place, hints: drawn, isWide, upload, failed });
  const body = bodyOf(scope);
  const buttons = el("div", { class: "a-go" }, reset, stop, drawn.tries ? attempt : null, run);
  const foot = el("div", { class: "a-foot" }, status, buttons);
  element.classList.add("action", isWide ? "wide" : "narrow");
  const aside = el("aside", { class: "a-side", "aria-label": drawn.title });
  if (isWide) {
    aside.append(el("h2", {}, t("Recipe")), recipe, body.side ?? "", foot);
    element.replaceChildren(el("div", { class: "a-main" }, body.node, made), aside);
  } else {
    aside.append(el("p", { class: "a-about" }, drawn.description ?? ""), body.node, foot);
    element.replaceChildren(aside, el("div", { class: "a-main" }, made));
  }
  const before = sessionStorage.getItem(key);
  let running = "";
  let isAwaited = Boolean(before); // whether the server has yet to answer what runs: until then nothing more is started

  const ready = () => {
    const wrong = [...state.wrong.values()][0] ?? "";
    const lacks = state.fields.find((field) => field.needed && field.control !== "model" && !state.values[field.name]);
    run.disabled = Boolean(running || isAwaited || wrong || lacks);
    attempt.disabled = Boolean(wrong);
    run.title = wrong || (lacks ? t("{name} is missing.", { name: lacks.label }) : "");
    const text = formula(scope);
    recipe.hidden = !text;
    recipe.textContent = text;
  };
  const busy = (/** @type {string} */ id) => {
    running = id;
    isAwaited = false;
    stop.hidden = !id;
    if (id) sessionStorage.setItem(key, id);
    else sessionStorage.removeItem(key);
    ready();
  };
  const draw = (/** @type {*} */ now) => {
    const share = now.progress?.fraction ?? 0;
    const bar = el("div", { class: "a-bar", role: "progressbar", "aria-valuenow": Math.round(share * 100), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": drawn.title });
    bar.style.setProperty("--share", `${share * 100}%`);
    status.replaceChildren(bar, el("span", {}, now.state === "queued" || now.state === "held" ? t("Waiting for its turn") : now.progress?.text || t("Working")));
  };
  const finish = (/** @type {string} */ id, /** @type {*} */ now) => {
    busy("");
    if (!now.result) {
      if (now.state === "failed") failed(now.error ?? t("This did not work."));
      else status.replaceChildren(el("div", { class: "f-say" }, t("Stopped.")));
      return;
    }
    const { text, files = [], images = 0, data } = now.result;
    const words = text || (data == null ? t("Done.") : JSON.stringify(data, null, 1).slice(0, SHOWN));
    const pictures = Array.from({ length: images }, (_, at) => el("img", { src: pictureOf(id, at), alt: t("{title}, picture {n}", { title: drawn.title ?? "", n: at + 1 }) }));
    status.replaceChildren(el("div", { class: "f-say good" }, words, ...files.map((file) => el("code", {}, file))));
    made.replaceChildren(...pictures);
    if (!files.length) return;
    forget("");
    say("files:changed");
    if (drawn.tries) status.append(el("button", { type: "button", class: "f-go", onclick: () => say("checkpoint:use", { name: fileName(files[0]) }) }, t("Use it")));
  };
  const follow = async (/** @type {string} */ id) => {
    busy(id);
    let seen = "";
    try {
      for (;;) {
        const now = await look(id, seen);
        seen = now.mark;
        if (now.result || ENDED.has(now.state)) {
          finish(id, now);
          return;
        }
        draw(now);
      }
    } catch (error) {
      busy("");
      failed(/** @type {Error} */ (error).message);
    }
  };
  run.addEventListener("click", async () => {
    made.replaceChildren();
    status.replaceChildren();
    isAwaited = true;
    ready();
    try {
      const { id } = await start(drawn.extension, action, await toldOptions(state));
      follow(id);
    } catch (error) {
      busy("");
      failed(/** @type {Error} */ (error).message);
    }
  });
  stop.addEventListener("click", () => running && cancel(running).catch((error) => failed(error.message)));
  attempt.addEventListener("click", () => {
    const options = Object.fromEntries(tried.filter((/** @type {string} */ name) => name in state.values).map((/** @type {string} */ name) => [name, state.values[name]]));
    say("tab:open", { tab: "txt2img" });
    say("extension:fill", { extension: drawn.extension, options });
    say("notice", { kind: "notice", text: t("The next pictures use this mixture until {title} is switched off.", { title: props.extension_title ?? drawn.title }) });
  });
  state.hear((from) => {
    body.show(from);
    ready();
  });
  hear("files:changed", () => state.changed(null));
  const receive = () => {
    const field = state.fields.find((one) => one.control === "model");
    const name = waiting.get(props.place);
    if (!field || name === undefined) return;
    waiting.delete(props.place);
    state.values[field.name] = name;
    state.changed(null);
  };
  hear("action:with", receive);
  receive();
  state.wake();
  ready();
  if (before) look(before).then(() => follow(before), () => busy(""));
}

const fileName = (/** @type {string} */ path) => path.split(/[\\/]/).at(-1) ?? path;
