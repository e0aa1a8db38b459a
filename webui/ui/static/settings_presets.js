// Presets and the user's own defaults of the form.
import { el, t, toggle } from "./kit.js";
import { deletePreset, formValues, keepPreset, presets, setPreset } from "./presets.js";
import { browserRow } from "./settings_look.js";

/** @param {(text: string, isError?: boolean) => void} tell @returns {import("./settings.js").Row[]} */
export function presetRows(tell) {
  return [defaultsRow(), presetsRow(tell)];
}

function defaultsRow() {
  const { webui } = window;
  const said = el("p", { class: "setting-note", role: "status" });
  const forget = el("button", { type: "button", class: "text-button" }, t("Forget my defaults"));
  const keep = el("button", { type: "button", class: "plain-button" }, t("Save what stands in the form as my defaults"));
  const show = () => { forget.hidden = !webui.kept("form_defaults"); };
  keep.addEventListener("click", () => {
    webui.keep("form_defaults", JSON.stringify(formValues()));
    webui.form?.setDefaults();
    said.textContent = t("Saved.");
    show();
  });
  forget.addEventListener("click", () => {
    webui.keep("form_defaults", null);
    webui.form?.setDefaults();
    said.textContent = t("The form starts as the program says.");
    show();
  });
  show();
  const row = browserRow("Defaults of the form", "What an empty form holds, and what its reset brings back. Kept by this browser.", el("div", {}, keep, forget, said), "form_defaults");
  return { ...row, renew: show };
}

function presetsRow(tell) {
  const list = el("ul", { class: "preset-list" });
  const name = el("input", { type: "text", id: "preset_name", maxlength: "80", placeholder: t("Name of the preset"), "aria-label": t("Name of the preset"), autocomplete: "off" });
  const ofCheckpoint = toggle(t("Set it when this checkpoint is chosen"), false, () => {});
  const keep = el("button", { type: "button", class: "plain-button", id: "preset_keep" }, t("Keep what stands in the form"));
  const act = async (promise) => {
    try {
      draw(await promise);
      tell("");
    } catch (error) {
      tell(error.message, true);
    }
  };
  const draw = (all) => {
    list.replaceChildren(...all.map((preset) => el(
      "li",
      { "data-preset": preset.name },
      el("span", { class: "preset-name", translate: "no" }, preset.name),
      preset.checkpoint && el("small", { translate: "no" }, preset.checkpoint),
      el("button", { type: "button", class: "text-button", "aria-label": t("Use {name}", { name: preset.name }), onclick: () => setPreset(preset) }, t("Use")),
      el("button", { type: "button", class: "text-button", "aria-label": t("Delete {name}", { name: preset.name }), onclick: () => act(deletePreset(preset.name)) }, t("Delete")),
    )));
  };
  keep.addEventListener("click", () => {
    if (!name.value.trim()) {
      name.focus();
      tell(t("A preset needs a name."), true);
      return;
    }
    act(keepPreset(name.value.trim(), ofCheckpoint.checked ? (window.webui.form?.checkpoint ?? "") : ""));
    name.value = "";
  });
  const renew = () => presets().then(draw, () => {});
  renew();
  const control = el("div", {}, list, el("div", { class: "preset-new" }, name, ofCheckpoint, keep));
  return { ...browserRow("Presets", "Named sets of values of the form, without prompts and seeds. Kept by the program.", control, "presets"), renew };
}
