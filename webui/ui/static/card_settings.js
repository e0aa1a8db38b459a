// The settings that come with a checkpoint, on its card: taken over from the form, changed, forgotten. They are a preset
// that belongs to the checkpoint (`presets.js`), so that Settings > Presets lists them, too.

import { el, t } from "./kit.js";
import { deletePreset, keepPreset, presetOf, setPreset } from "./presets.js";

const LONGEST_NAME = 80; // characters, as the server has it
const FIELDS = Object.freeze([ // paths of fields, with their names
  ["sampler", "Sampler"], ["scheduler", "Schedule"], ["steps", "Steps"], ["cfg_scale", "CFG Scale"], ["width", "Width"],
  ["height", "Height"], ["clip_skip", "Clip skip"], ["vae", "VAE"],
]);

/** @param {{file: string}} card of a checkpoint @returns {HTMLElement} */
export function settingsOfCheckpoint(card) {
  const box = el("section", { class: "card-settings" });
  const said = el("p", { class: "card-status", role: "status" });
  const doing = async (work, done) => {
    try {
      await work();
      said.textContent = done;
      said.classList.remove("fault");
    } catch (error) {
      said.textContent = error.message;
      said.classList.add("fault");
      return;
    }
    await draw();
  };
  const draw = async () => {
    let found;
    try {
      found = await presetOf(card.file);
    } catch (error) {
      box.replaceChildren(el("p", { class: "hint" }, error.message));
      return;
    }
    const name = found?.name ?? card.file.slice(-LONGEST_NAME);
    const keep = (fields, prefix) => keepPreset(name, card.file, fields, prefix);
    const parts = found ? [...rows(found, keep, doing), useNow(found, card)] : [el("p", { class: "hint" }, t("None yet. When this checkpoint is chosen, the form stays as it is."))];
    const take = el("button", { type: "button", class: "quiet", onclick: () => doing(() => keep(taken(), found?.prefix ?? ""), t("Saved. They are set when this checkpoint is chosen.")) }, t("Use these settings with this checkpoint"));
    take.title = t("Takes over what the form shows: sampler, steps, CFG scale, size, VAE, clip skip.");
    const forget = found && el("button", { type: "button", class: "quiet danger", onclick: () => doing(() => deletePreset(found.name), t("Forgotten.")) }, t("Forget them"));
    box.replaceChildren(el("h3", {}, t("Settings that come with it")), ...parts, el("div", { class: "form-buttons" }, take, forget), said);
  };
  draw();
  return box;
}

/** What the form shows, as far as it may belong to a checkpoint. */
function taken() {
  const form = window.webui.form;
  const pairs = FIELDS.map(([name]) => [name, form?.value(name)]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined && value !== null));
}

function rows(preset, keep, doing) {
  const names = new Map(FIELDS);
  const chips = Object.entries(preset.fields).filter(([name]) => names.has(name)).map(([name, value]) => {
    const without = () => Object.fromEntries(Object.entries(preset.fields).filter(([one]) => one !== name));
    const label = t(names.get(name));
    return el("li", { class: "chip" }, el("span", { class: "chip-name" }, label), shown(label, value, (changed) => doing(() => keep({ ...preset.fields, [name]: changed }, preset.prefix), t("Saved."))),
      el("button", { type: "button", class: "chip-away", "aria-label": t("Remove {name}", { name: label }), onclick: () => doing(() => keep(without(), preset.prefix), t("Saved.")) }, "×"));
  });
  const others = Object.keys(preset.fields).length - chips.length;
  const prefix = el("input", { type: "text", maxlength: "4000" });
  prefix.value = preset.prefix ?? "";
  prefix.addEventListener("change", () => doing(() => keep(preset.fields, prefix.value.trim()), t("Saved.")));
  return [
    el("ul", { class: "chips card-fields", "aria-label": t("Settings that come with it") }, ...chips),
    others > 0 && el("p", { class: "hint" }, t("And {n} further fields of the form.", { n: others })),
    el("label", { class: "card-prefix" }, el("span", {}, t("Beginning of the prompt")), prefix),
  ];
}

// a number can be changed where it stands; anything else is taken over from the form
function shown(label, value, changed) {
  if (typeof value !== "number") return el("span", { class: "chip-text", translate: "no" }, String(value));
  const box = el("input", { type: "number", step: "any", "aria-label": label });
  box.value = String(value);
  box.addEventListener("change", () => {
    if (box.value !== "" && Number.isFinite(box.valueAsNumber)) changed(box.valueAsNumber);
  });
  return box;
}

function useNow(preset, card) {
  if (window.webui.form?.checkpoint !== card.file) return null;
  return el("button", { type: "button", class: "quiet", onclick: () => setPreset(preset) }, t("Put them into the form now"));
}
