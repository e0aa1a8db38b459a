// How the page looks in this browser: theme, accent, language, and which tabs there are. Kept by the browser.
import { el, iconButton, pickList, segments, t } from "./kit.js";
import { arrangement, arrange, NAMES } from "./tabs.js";

const ACCENTS = [["iris", "Iris"], ["sea", "Sea"], ["moss", "Moss"], ["amber", "Amber"], ["rose", "Rose"]];
const TITLES = { txt2img: "txt2img", img2img: "img2img", inpaint: "Inpaint", extras: "Upscale", image_browser: "Library", modelmerger: "Models", pnginfo: "Learn", train: "Train", extensions: "Extensions", settings: "Settings" };

/** @returns {import("./settings.js").Row[]} */
export function lookRows() {
  return [themeRow(), accentRow(), languageRow(), tabsRow()];
}

/** A row of a setting that the browser keeps. */
export function browserRow(label, help, control, name) {
  const head = el("div", { class: "setting-head" }, el("span", { class: "setting-label" }, t(label)));
  const element = el("div", { class: "setting of-browser", "data-setting": name }, head, el("p", { class: "setting-help" }, t(help)), control);
  return { element, words: () => `${name} ${label} ${help} ${t(label)} ${t(help)} ${control.textContent}` };
}

function themeRow() {
  const { webui } = window;
  const choices = [{ value: "", label: t("As the program says") }, { value: "dark", label: t("Dark") }, { value: "light", label: t("Light") }];
  const control = segments(t("Theme"), choices, webui.kept("theme") ?? "", (theme) => webui.setTheme(theme || null));
  window.addEventListener("themechange", () => { control.value = webui.kept("theme") ?? ""; });
  return browserRow("Theme", "Kept by this browser.", control, "theme_of_browser");
}

function accentRow() {
  const buttons = ACCENTS.map(([name, title]) => el("button", { type: "button", role: "radio", class: "accent-dot", "data-accent": name, "data-value": name, "aria-label": t(title), "data-tip": t(title) }));
  const group = el("div", { class: "accents", role: "radiogroup", "aria-label": t("Accent") }, ...buttons);
  const show = () => {
    for (const button of buttons) {
      const isChosen = button.dataset.value === document.documentElement.dataset.accent;
      button.setAttribute("aria-checked", String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    }
  };
  const choose = (button) => {
    window.webui.setAccent(button.dataset.value);
    show();
  };
  group.addEventListener("click", (event) => event.target.dataset.value && choose(event.target));
  group.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(event.target);
    if (by === undefined || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + by + buttons.length) % buttons.length];
    choose(next);
    next.focus();
  });
  show();
  return browserRow("Accent", "The colour of what is chosen.", group, "accent");
}

function languageRow() {
  const { webui } = window;
  const choices = [{ value: "en", label: "English" }, ...Object.entries(webui.languages).map(([name, title]) => ({ value: name, label: title || name, hint: name }))];
  const control = pickList(t("Language"), choices, webui.language, (language) => webui.setLanguage(language));
  control.setAttribute("translate", "no");
  return browserRow("Language", "The page is loaded again. Further languages: a file in the folder localizations.", control, "language_of_browser");
}

function tabsRow() {
  const list = el("ul", { class: "tab-list" });
  const draw = (focused) => {
    const { order, hidden } = arrangement();
    list.replaceChildren(...order.map((name, at) => {
      const title = t(TITLES[name] ?? name);
      const box = el("input", { type: "checkbox", id: `show_tab_${name}`, disabled: name === "settings" || name === "txt2img" });
      box.checked = !hidden.includes(name);
      box.addEventListener("change", () => {
        arrange({ order, hidden: box.checked ? hidden.filter((one) => one !== name) : [...hidden, name] });
        draw(`#show_tab_${name}`);
      });
      const move = (by, word) => iconButton(by < 0 ? "up" : "chevron", t(word, { name: title }), {
        class: `icon-button move${by}`,
        disabled: at + by < 0 || at + by >= order.length,
        onclick: () => {
          const others = order.filter((one) => one !== name);
          arrange({ order: others.toSpliced(at + by, 0, name), hidden });
          draw(`[data-tab="${name}"] .move${by}`);
        },
      });
      return el("li", { "data-tab": name }, box, el("label", { for: box.id }, title), move(-1, "Move {name} to the left"), move(1, "Move {name} to the right"));
    }));
    if (focused) list.querySelector(focused)?.focus();
  };
  draw();
  const reset = el("button", { type: "button", class: "text-button", onclick: () => { arrange({ order: [...NAMES], hidden: [] }); draw(); } }, t("As they were"));
  return browserRow("Tabs", "Which are shown, and in what order.", el("div", {}, list, reset), "tabs");
}
