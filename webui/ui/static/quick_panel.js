// The quick settings beside checkpoint and VAE: those that the user chose, drawn anew each time that they are opened.

import { say } from "./bus.js";
import { el, iconButton, t, toggle } from "./kit.js";
import { action } from "./keys.js";
import { ask } from "./server_answers.js";
import { settingRow } from "./settings_row.js";

const IN_HEADER = ["checkpoint", "vae"]; // always there

const form = () => /** @type {*} */ (window).webui.form;
const elementOf = (/** @type {string} */ path) => document.getElementById(`txt2img_${path.replace(/^task\./, "").replaceAll(".", "_")}`);
const labelOf = (/** @type {string} */ path) => elementOf(path)?.querySelector('[data-testid="block-info"], .label-text')?.textContent?.trim() || path;

/** A field of the form, shown here too. @param {string} path @param {*} value */
function fieldRow(path, value) {
  const take = (/** @type {*} */ other) => {
    form().take({ [path]: other });
    // a field of a part that is off would not be sent
    const part = /** @type {HTMLInputElement|null|undefined} */ (elementOf(path)?.closest(".section")?.querySelector(":scope > .head .switch input:not(:checked)"));
    part?.click();
  };
  const label = labelOf(path);
  if (typeof value === "boolean") return el("div", { class: "setting of-switch" }, toggle(label, value, take));
  const isNumber = typeof value === "number";
  const box = el("input", { type: isNumber ? "number" : "text", step: "any", id: `quick_${path}` });
  box.value = String(value ?? "");
  box.addEventListener("change", () => take(isNumber ? Number(box.value) : box.value));
  return el("div", { class: "setting" }, el("div", { class: "setting-head" }, el("label", { for: box.id }, label)), el("div", { class: "setting-control" }, box));
}

/** The button and its panel. @returns {HTMLElement[]} */
export function quickSettings() {
  const rows = el("div", { class: "quick-rows" });
  const choose = el("button", {
    type: "button", class: "text-button", onclick: () => {
      show(false);
      say("tab:open", { tab: "settings" });
    },
  }, t("Choose what stands here"));
  const panel = el("div", { class: "quick-panel", id: "quick_panel", role: "dialog", "aria-label": t("Quick settings"), hidden: true }, rows, choose);
  const button = iconButton("sliders", t("Quick settings"), { class: "icon-button quick-button", "aria-expanded": "false", "aria-controls": "quick_panel" });

  const draw = async () => {
    try {
      const { settings } = await ask("preferences");
      const known = new Map(settings.map((/** @type {*} */ one) => [one.name, one]));
      const wanted = known.get("quicksettings").value.filter((/** @type {string} */ name) => !IN_HEADER.includes(name));
      const values = form().values();
      rows.replaceChildren(...wanted.map((/** @type {string} */ name) => {
        if (known.has(name)) return settingRow(known.get(name)).element;
        return name in values ? fieldRow(name, values[name]) : el("p", { class: "setting-note error" }, t("{name} is neither a setting nor a field of the form.", { name }));
      }), ...(wanted.length ? [] : [el("p", { class: "setting-help" }, t("Nothing is chosen yet."))]));
    } catch (error) {
      rows.replaceChildren(el("p", { class: "setting-note error", role: "alert" }, /** @type {Error} */ (error).message));
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
