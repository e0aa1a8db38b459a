// The settings of a training, drawn from what the action declares. The data set is chosen beside them.

import { el, t } from "./kit.js";
import { hear } from "./bus.js";
import { bodyOf } from "./form_body.js";
import { FormState } from "./declared_state.js";
import { Scope } from "./form_scope.js";
import { keepForm } from "./declared_keeping.js";
import { translated } from "./form_words.js";
import { checkpoint } from "./extension_actions.js";

const SET = "data_set"; // the option that is chosen outside of the form
const RESUME = "resume"; // the one that names a run that goes on
const PROMPTS = "sample_prompts";

/**
 * @param {{training: *, upload: *, start: (options: Record<string, *>) => Promise<void>, changed: () => void}} about
 */
export function trainForm({ training, upload, start, changed }) {
  const drawn = translated(training.form);
  const form = { ...drawn, fields: (drawn.fields ?? []).filter((/** @type {*} */ field) => field.name !== SET && field.name !== RESUME) };
  const state = new FormState(form, {});
  const reset = keepForm(state, "train");
  const said = el("div", { class: "a-status", role: "status" });
  const failed = (/** @type {string} */ text) => said.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, text));
  const scope = new Scope(state, [], state.fields, { elemId: "train", hints: form, isWide: false, upload, failed });
  const body = bodyOf(scope);
  const lacking = el("p", { class: "tr-hint", id: "train_lacks" });
  const go = el("button", { type: "button", class: "f-go", id: "train_start", "aria-describedby": "train_lacks" }, t("Start training"));
  const node = el("section", { class: "tr-form", "aria-label": t("Settings of the training") }, el("h2", {}, drawn.title ?? t("Training")), el("div", { class: "declared tr-fields" }, body.node), el("div", { class: "a-foot" }, said, lacking, el("div", { class: "a-go" }, reset, go)));
  let [set, busy, isStarting] = ["", false, false];
  const why = () => {
    if (!set) return t("Choose a data set first.");
    if (busy) return t("A training is under way; pause it first.");
    const wrong = [...state.wrong.values()][0];
    if (wrong) return wrong;
    const lacks = state.fields.find((field) => field.needed && field.control !== "model" && !state.values[field.name]);
    return lacks ? t("{name} is missing.", { name: lacks.label }) : "";
  };
  const ready = () => {
    lacking.textContent = why();
    lacking.hidden = !why();
    go.disabled = isStarting || Boolean(why());
  };
  const options = () => Object.fromEntries(state.fields.map((field) => [field.name, state.values[field.name]]).filter(([, value]) => value !== undefined && value !== null));
  go.addEventListener("click", async () => {
    said.replaceChildren();
    try {
      await start({ ...options(), [SET]: set });
    } catch (error) {
      failed(/** @type {Error} */ (error).message);
    }
  });
  const model = state.fields.find((field) => field.model === "checkpoint");
  const fillIn = () => {
    if (model && !state.values[model.name]) state.values[model.name] = checkpoint().replace(/ \[\w+\]$/, "");
  };
  state.hear((/** @type {*} */ from) => {
    if (!from) fillIn();
    body.show(from);
    ready();
    changed();
  });
  hear("files:changed", () => state.changed(null));
  state.wake();
  state.changed(null);
  return {
    node,
    /** The values that an action takes, by its own names. */
    told: (/** @type {string[]} */ names) => Object.fromEntries(names.filter((name) => state.values[name] !== undefined && state.values[name] !== null).map((name) => [name, state.values[name]])),
    prompts: () => String(state.values[PROMPTS] ?? "").split("\n").map((line) => line.trim()).filter(Boolean),
    /** Take values that fit a data set, where there are such fields. */
    suggest: (/** @type {Record<string, *>} */ values) => {
      for (const field of state.fields) if (field.name in values) state.values[field.name] = values[field.name];
      state.changed(null);
      state.changed(node); // what was asked for is kept as what was set by hand is
    },
    setDataSet: (/** @type {string} */ name) => {
      set = name;
      ready();
    },
    setBusy: (/** @type {boolean} */ is) => {
      busy = is;
      ready();
    },
    /** A training is being sent: whatever changes here meanwhile, it is not sent twice. */
    setStarting: (/** @type {boolean} */ is) => {
      isStarting = is;
      ready();
    },
    failed,
  };
}
