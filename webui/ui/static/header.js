// The ends of the header: the brand at the left; keys and theme at the right; on a phone the button of the settings.
import { hear } from "./bus.js";
import { action, showKeys } from "./keys.js";
import { el, icon, iconButton } from "./kit.js";
import { t } from "./language.js";
import { quickSettings } from "./quick_panel.js";

export function mount({ element }) {
  const sheet = iconButton("sliders", t("Settings of the picture"), { class: "icon-button sheet-button", "aria-expanded": "false" });
  const theme = iconButton("sun", t("Dark or light"));
  const keys = iconButton("keys", t("Keys (?)"), { class: "icon-button keys-button" });
  element.append(
    el("h1", { class: "brand" }, icon("brand"), el("span", { class: "unseen" }, "Stable Diffusion")),
    el("div", { class: "ends" }, sheet, ...quickSettings(), keys, theme),
  );
  theme.addEventListener("click", () => window.webui.setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  keys.addEventListener("click", showKeys);

  const show = (isOpen) => {
    document.body.classList.toggle("sheet", isOpen);
    sheet.setAttribute("aria-expanded", String(isOpen));
  };
  const isOpen = () => document.body.classList.contains("sheet");
  sheet.addEventListener("click", (event) => {
    event.stopPropagation();
    show(!isOpen());
  });
  action("close", () => {
    if (!isOpen()) return false;
    show(false);
    sheet.focus();
    return true;
  });
  hear("tab:opened", () => show(false));
  document.addEventListener("click", (event) => {
    if (isOpen() && !event.target.closest(".pane-settings, .options, dialog, #tabs > .tab-wrapper")) show(false);
  });
}
