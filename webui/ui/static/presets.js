// Presets of the form: named sets of values that the program keeps. One that belongs to a checkpoint is set when that
// checkpoint is chosen.
import { say } from "./bus.js";
import { t } from "./language.js";
import { ask } from "./server_answers.js";

const OF_ONE_PICTURE = ["prompt", "negative_prompt", "seed", "subseed"]; // no part of a preset

/** @typedef {{name: string, checkpoint: string, fields: Object<string, any>}} Preset */

/** @type {?Promise<Preset[]>} */
let asked = null;

/** All presets. @returns {Promise<Preset[]>} */
export function presets() {
  asked ??= ask("presets").then((answer) => answer.presets);
  asked.catch(() => { asked = null; });
  return asked;
}

/** Keep what stands in the form. @param {string} checkpoint "" for a preset that is set by hand */
export function keepPreset(name, checkpoint) {
  return changed(ask("presets", { name, checkpoint, fields: formValues() }));
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
  async chosen(name) {
    const found = (await presets().catch(() => [])).find((one) => one.checkpoint && one.checkpoint === name);
    if (found) setPreset(found);
  },
};
