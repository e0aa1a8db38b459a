// The quick settings beside checkpoint and VAE: those that the user chose, asked for each time that they are opened. Rows
// that are there already stay, as they can be used before the answer comes.

import { hear, say } from "./bus.js";
import { el, iconButton, t, toggle } from "./kit.js";
import { keyed } from "./keyed.js";
import { action } from "./keys.js";
import { ask } from "./server_answers.js";
import { settingRow } from "./settings_row.js";

const IN_HEADER = ["checkpoint", "vae"]; // always there

const form = () => /** @type {*} */ (window).webui.form;
const elementOf = (/** @type {string} */ path) => document.getElementById(`txt2img_${path.replace(/^task\./, "").replaceAll(".", "_")}`);
const labelOf = (/** @type {string} */ path) => elementOf(path)?.querySelector('[data-testid="block-info"], .label-text')?.textContent?.trim() || path;

/** A field of the form, shown here too. @param {string} path @param {*} value */
function fieldRow(path, value) {
  const element = el("div", { class: typeof value === "boolean" ? "setting of-switch" : "setting" });
  const renew = (/** @type {*} */ now) => element.replaceChildren(...fieldControls(path, now));
  renew(value);
  return { element, renew };
}

/** @param {string} path @param {*} value @returns {HTMLElement[]} */
function fieldControls(path, value) {
  const take = (/** @type {*} */ other) => {
    form().take({ [path]: other });
    // a field of a part that is off would not be sent
    const part = /** @type {HTMLInputElement|null|undefined} */ (elementOf(path)?.closest(".section")?.querySelector(":scope > .head .switch input:not(:checked)"));
    part?.click();
  };
  const label = labelOf(path);
  if (typeof value === "boolean") return [toggle(label, value, take)];
  const isNumber = typeof value === "number";
  const box = el("input", { type: isNumber ? "number" : "text", step: "any", id: `quick_${path}` });
  box.value = String(value ?? "");
  box.addEventListener("change", () => take(isNumber ? Number(box.value) : box.value));
  return [el("div", { class: "setting-head" }, el("label", { for: box.id }, label)), el("div", { class: "setting-control" }, box)];
}

/** The button and its panel. @returns {HTMLElement[]} */
export function quickSettings() {
  const fault = el("p", { class: "setting-note error", role: "alert", hidden: true });
  const rows = el("div", { class: "quick-rows" });
  const choose = el("button", {
    type: "button", class: "text-button", onclick: () => {
      show(false);
      say("tab:open", { tab: "settings" });
    },
  }, t("Choose what stands here"));
  const panel = el("div", { class: "quick-panel", id: "quick_panel", role: "dialog", "aria-label": t("Quick settings"), hidden: true }, fault, rows, choose);
  const button = iconButton("sliders", t("Quick settings"), { class: "icon-button quick-button", "aria-expanded": "false", "aria-controls": "quick_panel" });

  const ofProgram = new Map(); // rows by their names
  const ofForm = new Map();
  const changed = new Map(); // settings that were changed since the last question, whose answer may be older
  let asked = 0; // how often: only the answer to the last question is shown
  hear("setting:changed", ({ setting }) => changed.set(setting.name, setting));

  /** @param {string} name @param {*} setting @param {Record<string, *>} values of the form */
  const itemOf = (name, setting, values) => {
    if (setting) {
      if (ofProgram.has(name)) ofProgram.get(name).renew(setting);
      else ofProgram.set(name, settingRow(setting));
      return { key: `setting ${name}`, element: ofProgram.get(name).element };
    }
    if (name in values) {
      if (!ofForm.has(name)) ofForm.set(name, fieldRow(name, values[name]));
      return { key: `field ${name}`, element: ofForm.get(name).element };
    }
    return { key: `unknown ${name}`, element: el("p", { class: "setting-note error" }, t("{name} is neither a setting nor a field of the form.", { name })) };
  };
  const draw = async () => {
    const turn = (asked += 1);
    changed.clear();
    for (const [name, row] of ofForm) row.renew(form().value(name)); // nothing is typed in them yet
    try {
      const { settings } = await ask("preferences");
      if (turn !== asked) return;
      const known = new Map(settings.map((/** @type {*} */ one) => [one.name, changed.get(one.name) ?? one]));
      const wanted = known.get("quicksettings").value.filter((/** @type {string} */ name) => !IN_HEADER.includes(name));
      const values = form().values();
      const items = wanted.map((/** @type {string} */ name) => itemOf(name, known.get(name), values));
      const nothing = { key: "", element: el("p", { class: "setting-help" }, t("Nothing is chosen yet.")) };
      keyed(rows, items.length ? items : [nothing], ({ key }) => key, ({ element }) => element, () => {});
      fault.hidden = true;
    } catch (error) {
      if (turn !== asked) return;
      fault.hidden = false;
      fault.textContent = /** @type {Error} */ (error).message;
    }
  };
  const show = (/** @type {boolean} */ isOpen) => {
    panel.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) draw();
  };
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    show(panel.hidden);
  });
  panel.addEventListener("click", (event) => event.stopPropagation());
  document.addEventListener("click", (event) => !panel.hidden && !(event.target instanceof Element && event.target.closest(".options, dialog, .pick-list")) && show(false));
  action("close", () => {
    if (panel.hidden) return false;
    show(false);
    button.focus();
    return true;
  });
  return [button, panel];
}
