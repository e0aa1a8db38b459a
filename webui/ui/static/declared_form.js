// The form of an extension among the settings of a picture: drawn from its options alone. The value is the options.

import { t } from "./kit.js";
import { hear, say } from "./bus.js";
import { FormState } from "./declared_state.js";
import { translated } from "./form_words.js";
import { Scope } from "./form_scope.js";
import { bodyOf } from "./form_body.js";
import { fileOf, uploaded } from "./form_pictures.js";
import { besidePose } from "./form_pose.js";
import { placesOf } from "./form_places.js";
import { sentence, watchProblems } from "./form_problems.js";

/** @typedef {import("./form_problems.js").Problem} Problem */

/** Options that were sent to a form that is not drawn yet, by extension. @type {Map<string, *>} */
const waiting = new Map();
hear("extension:fill", ({ extension, options }) => waiting.set(extension, options));

/** Draw a form. @param {{element: HTMLElement, props: *, watch: Function, upload: *}} context */
export function mount({ element, props, watch, upload }) {
  const drawn = translated(props.form);
  const state = new FormState(drawn, props.value ?? {});
  const section = /** @type {HTMLElement|null} */ (element.closest(".section"));
  const sectionSwitch = () => /** @type {HTMLInputElement|null} */ (section?.querySelector(".head input[type=checkbox]") ?? null);
  // Gradio may draw the switch after the form: until it is there, the part counts as off
  const isUsed = () => (section ? (sectionSwitch()?.checked ?? false) : true);
  const failed = (/** @type {string} */ text) => say("notice", { kind: "error", text });
  const scope = new Scope(state, [], state.fields, { elemId: props.place, hints: drawn, isWide: false, upload, failed });
  /** @type {import("./form_body.js").Body|null} */
  let body = null; // drawn when the form is used first
  element.classList.add("declared");
  const places = drawn.places ? placesOf(state, isUsed) : null;
  const draw = () => {
    if (body || !isUsed()) return;
    body = bodyOf(scope);
    element.replaceChildren(body.node, ...(places ? [places.node] : []));
    state.wake();
  };

  /** @type {Problem[]} */
  let problems = [];
  // what was told is not told back: a form that is reset holds the usual value again, not the same one spelled out
  const publish = () => { if (!state.isJust(props.value ?? {})) props.value = structuredClone(state.values); };
  const sum = () => {
    const line = section?.querySelector(".sum .line");
    if (!line) return;
    const wrong = problems[0];
    const [, unit] = /^\w+\.(\d+)\./.exec(wrong?.field ?? "") ?? [];
    const text = wrong ? (unit === undefined ? wrong.title : t("unit {n}: {reason}", { n: Number(unit) + 1, reason: wrong.title })) : state.summary;
    line.textContent = text;
    /** @type {HTMLElement} */ (line).title = text;
    line.classList.toggle("bad", Boolean(wrong));
  };
  const tell = (/** @type {Problem[]} */ found) => {
    problems = found;
    for (const old of element.querySelectorAll(".f-say")) old.remove();
    for (const marked of element.querySelectorAll("[aria-invalid], .f-unitchip.bad")) {
      marked.removeAttribute("aria-invalid");
      marked.classList.remove("bad");
    }
    for (const problem of problems) {
      const holder = element.querySelector(`[data-field="${CSS.escape(problem.field)}"]`);
      const unit = problem.field.split(".").slice(0, 2).join(".");
      element.querySelector(`[data-place="${CSS.escape(unit)}"]`)?.classList.add("bad");
      if (!holder) continue;
      holder.querySelector("select, input")?.setAttribute("aria-invalid", "true");
      const row = holder.closest(".f-pair") ?? holder;
      row.after(sentence(problem, look));
    }
    sum();
  };
  const watched = watchProblems(state, isUsed, tell);
  const look = () => watched.look();
  const shown = (/** @type {*} */ from) => {
    body?.show(from);
    publish();
    if (from === null) tell(problems); // the controls were drawn anew
    sum();
  };
  state.hear(shown);
  watch("value", () => {
    if (!state.isJust(props.value ?? {})) state.fill(props.value ?? {});
    draw();
  });
  section?.addEventListener("change", (event) => {
    if (event.target === sectionSwitch()) {
      draw();
      look();
      sum();
      places?.look();
    }
  });
  const use = () => !isUsed() && sectionSwitch()?.click();
  const fill = (/** @type {*} */ options) => {
    waiting.delete(drawn.extension);
    state.fill(options);
    use();
  };
  hear("extension:fill", ({ extension, options }) => extension === drawn.extension && fill(options));
  hear("picture:send", ({ picture, to, pose }) => to === drawn.extension && receive(state, picture, pose, { upload, failed, use, show: () => section?.scrollIntoView({ block: "nearest" }) }));
  if (waiting.has(drawn.extension)) fill(waiting.get(drawn.extension));
  // a chip that is drawn anew by its own click is in no sheet any more, so the click would count as one beside it
  element.addEventListener("click", (event) => {
    if (event.target instanceof Node && !event.target.isConnected) event.stopPropagation();
  });
  draw(); // nothing is published before something changes, so that a kept form finds the usual values
  sum();
  // Python and kept forms switch a section on without an event of the page
  if (section) new MutationObserver(draw).observe(section, { subtree: true, childList: true, attributeFilter: ["aria-checked", "class"] });
}

/** Put a picture that was sent here into the first unit without one, or into the first field for one. */
async function receive(/** @type {FormState} */ state, /** @type {*} */ picture, /** @type {*} */ pose, /** @type {{upload: *, failed: (text: string) => void, use: () => void, show: () => void}} */ { upload, failed, use, show }) {
  try {
    const value = await uploaded(upload, await fileOf(picture));
    use(); // first, because the list gets its first unit when the form is drawn
    const list = state.fields.find((field) => field.control === "units");
    const field = (list?.fields ?? state.fields).find((one) => one.control === "picture");
    const units = list ? (state.values[list.name] ?? []) : [state.values];
    const name = field?.name ?? "";
    const place = units.find((/** @type {*} */ unit) => !unit[name]) ?? units[0];
    if (!place || !field) return;
    place[name] = value;
    if (pose && field.pose) Object.assign(place, besidePose(field, pose));
    state.changed(null);
    say("tab:open", { tab: document.documentElement.dataset.mode ?? "txt2img" });
    show();
  } catch (error) {
    failed(/** @type {Error} */ (error).message);
  }
}
