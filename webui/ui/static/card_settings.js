// The settings that come with a checkpoint, on its card: taken over from the form, changed, forgotten. They are a preset
// that belongs to the checkpoint (`presets.js`), so that Settings > Presets lists them, too.

import { placed } from "./keyed.js";
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
  /** @type {import("./presets.js").Preset|undefined} */
  let found; // as the last answer has left it
  let last = Promise.resolve();
  /** @type {string[]} */
  const waiting = []; // what is being changed: names of fields, "prefix", or "" for all of it
  // The server keeps a preset as a whole, so changes are made one after the other, each on what the one before has left.
  const doing = (name, work) => {
    waiting.push(name);
    last = last.then(async () => {
      try {
        said.textContent = await work();
        said.classList.remove("fault");
        found = await presetOf(card.file);
      } catch (error) {
        said.textContent = error.message;
        said.classList.add("fault");
        return;
      } finally {
        waiting.shift();
      }
      draw();
    });
  };
  const keep = (fields, prefix) => keepPreset(found?.name ?? card.file.slice(-LONGEST_NAME), card.file, fields, prefix);
  const change = (name, changed) => doing(name, async () => {
    if (!found) return t("Forgotten.");
    const { fields, prefix } = { ...found, ...changed(found) };
    await keep(fields, prefix);
    return t("Saved.");
  });
  const take = el("button", { type: "button", class: "quiet", onclick: () => doing("", async () => {
    await keep(taken(), found?.prefix ?? "");
    return t("Saved. They are set when this checkpoint is chosen.");
  }) }, t("Use these settings with this checkpoint"));
  take.title = t("Takes over what the form shows: sampler, steps, CFG scale, size, VAE, clip skip.");
  const forget = el("button", { type: "button", class: "quiet danger", onclick: () => doing("", async () => {
    if (found) await deletePreset(found.name);
    return t("Forgotten.");
  }) }, t("Forget them"));
  const buttons = el("div", { class: "form-buttons" });
  const heading = el("h3", {}, t("Settings that come with it"));
  const none = el("p", { class: "hint" }, t("None yet. When this checkpoint is chosen, the form stays as it is."));
  const useNow = el("button", { type: "button", class: "quiet", onclick: () => found && setPreset(found) }, t("Put them into the form now"));
  const rows = rowsOf(change, (name) => waiting.includes(name));
  const draw = () => {
    const isInUse = window.webui.form?.checkpoint === card.file;
    placed(box, [heading, ...(found ? [...rows(found), isInUse && useNow] : [none]), buttons, said].filter(Boolean));
    placed(buttons, [take, found && forget].filter(Boolean));
  };
  presetOf(card.file).then((preset) => {
    found = preset;
    draw();
  }, (error) => box.replaceChildren(el("p", { class: "hint" }, error.message)));
  return box;
}

/** What the form shows, as far as it may belong to a checkpoint. */
function taken() {
  const form = window.webui.form;
  const pairs = FIELDS.map(([name]) => [name, form?.value(name)]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined && value !== null));
}

/**
 * @param {(name: string, changed: (now: import("./presets.js").Preset) => object) => void} change
 * @param {(name: string) => boolean} isWaiting whether a change of it is not answered yet
 * @returns {(preset: import("./presets.js").Preset) => (HTMLElement|false)[]} shows a preset in the same rows
 */
function rowsOf(change, isWaiting) {
  const names = new Map(FIELDS);
  /** @type {Map<string, {node: HTMLElement, show: (value: any) => void}>} */
  const chips = new Map();
  const list = el("ul", { class: "chips card-fields", "aria-label": t("Settings that come with it") });
  const others = el("p", { class: "hint" });
  const prefix = el("input", { type: "text", maxlength: "4000" });
  prefix.addEventListener("change", () => {
    const typed = prefix.value.trim();
    change("prefix", () => ({ prefix: typed }));
  });
  const beginning = el("label", { class: "card-prefix" }, el("span", {}, t("Beginning of the prompt")), prefix);
  // what is being typed, or is on its way to the server, is newer than any answer
  const write = (box, name, value) => {
    if (box !== document.activeElement && !isWaiting(name)) box.value = value;
  };
  const chipOf = (name, value) => {
    const key = `${name} ${typeof value}`;
    if (!chips.has(key)) chips.set(key, chip(name, t(names.get(name)), typeof value === "number", change, write));
    chips.get(key).show(value);
    return chips.get(key).node;
  };
  return (preset) => {
    const known = Object.entries(preset.fields).filter(([name]) => names.has(name));
    placed(list, known.map(([name, value]) => chipOf(name, value)));
    const left = Object.keys(preset.fields).length - known.length;
    others.textContent = t("And {n} further fields of the form.", { n: left });
    write(prefix, "prefix", preset.prefix ?? "");
    return [list, left > 0 && others, beginning];
  };
}

// a number can be changed where it stands; anything else is taken over from the form
function chip(name, label, isNumber, change, write) {
  const box = isNumber ? el("input", { type: "number", step: "any", "aria-label": label }) : el("span", { class: "chip-text", translate: "no" });
  if (isNumber) box.addEventListener("change", () => {
    const typed = box.valueAsNumber;
    if (Number.isFinite(typed)) change(name, ({ fields }) => ({ fields: { ...fields, [name]: typed } }));
  });
  const without = ({ fields }) => ({ fields: Object.fromEntries(Object.entries(fields).filter(([one]) => one !== name)) });
  const away = el("button", { type: "button", class: "chip-away", "aria-label": t("Remove {name}", { name: label }), onclick: () => change(name, without) }, "×");
  const show = (value) => isNumber ? write(box, name, String(value)) : (box.textContent = String(value));
  return { node: el("li", { class: "chip" }, el("span", { class: "chip-name" }, label), box, away), show };
}
