// Presets of the form: named sets of values that the program keeps. One that belongs to a checkpoint is set when that
// checkpoint is chosen.
import { say } from "./bus.js";
import { sizeIn } from "./form_sizes.js";
import { t } from "./language.js";
import { prompts, setPrompt } from "./prompt_boxes.js";
import { withPrefix } from "./prompt_text.js";
import { ask } from "./server_answers.js";

const OF_ONE_PICTURE = ["prompt", "negative_prompt", "seed", "subseed"]; // no part of a preset

/**
 * @typedef {{name: string, checkpoint: string, fields: Object<string, any>, prefix: string}} Preset
 *   `prefix` is a text for the beginning of the prompt; only a preset that belongs to a checkpoint has one.
 */

/** @type {?Promise<Preset[]>} */
let asked = null;

/** All presets. @returns {Promise<Preset[]>} */
export function presets() {
  asked ??= ask("presets").then((answer) => answer.presets);
  asked.catch(() => { asked = null; });
  return asked;
}

/** Keep values, those that stand in the form if no others are given. @param {string} checkpoint "" for a preset that is set by hand */
export function keepPreset(name, checkpoint, fields = formValues(), prefix = "") {
  return changed(ask("presets", { name, checkpoint, fields, prefix }));
}

/** The preset that belongs to a checkpoint. @returns {Promise<Preset|undefined>} */
export async function presetOf(checkpoint) {
  return (await presets()).find((one) => one.checkpoint && one.checkpoint === checkpoint);
}

export function deletePreset(name) {
  return changed(ask("presets/delete", { name }));
}

function changed(answer) {
  asked = answer.then((found) => found.presets);
  asked.catch(() => { asked = null; });
  return asked;
}

/** Fill the form. @param {Preset} preset */
export function setPreset(preset) {
  window.webui.form?.take(preset.fields);
  say("notice", { kind: "notice", text: t("Preset: {name}", { name: preset.name }) });
}

/** What stands in the form, but for what belongs to one picture. */
export function formValues() {
  const all = window.webui.form?.values() ?? {};
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => !OF_ONE_PICTURE.includes(name) && value !== undefined));
}

// Gradio calls this when somebody chooses a checkpoint.
window.webui.presets = {
  async chosen(name, trained) {
    if (name === window.webui.kept("checkpoint_suited")) return; // the choice of a VAE comes here, too
    window.webui.keep("checkpoint_suited", name);
    const found = await presetOf(name).catch(() => undefined);
    const [width, height] = sizeIn(trained ?? "") ?? [];
    const usual = { vae: "Automatic", ...(width && { width, height }) };
    window.webui.form?.suit(found?.fields ?? {}, usual, (set, kept) => tell(found, set, kept));
    putPrefix(found?.prefix ?? "");
  },
};

function tell(found, set, kept) {
  if (!found || set.length + kept.length === 0) return;
  const lines = [set.length ? t("The settings of {name} are in the form.", { name: found.name }) : "", kept.length ? t("What you set by hand stays: {fields}.", { fields: kept.map((name) => name.split(".").at(-1).replaceAll("_", " ")).join(", ") }) : ""];
  say("notice", { kind: "notice", text: lines.filter(Boolean).join("\n"), act: { label: t("Undo"), run: () => window.webui.form?.trigger("undo") } });
}

// In the place of the prefix that the checkpoint before has put there, if it still stands.
function putPrefix(prefix) {
  const before = window.webui.kept("checkpoint_prefix") ?? "";
  const now = prompts().prompt;
  const text = withPrefix(now, before, prefix);
  window.webui.keep("checkpoint_prefix", prefix || null);
  if (text !== now) setPrompt("prompt", text);
}
