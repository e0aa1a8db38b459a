// The bar beside the canvas: tools, size of the brush, undo, what is done to the whole layer. One stop of the Tab key;
// arrow keys go from button to button.

import { el, icon } from "./kit.js";
import { t } from "./language.js";

// Names of the page's drawings for commands that are called otherwise.
const DRAWN_AS = Object.freeze({ options: "layers", open: "folder", flip: "compare" });

export const SIZES = Object.freeze({ least: 2, most: 300 }); // pixels of the picture

/** Name of a command, its words, its key; null is a line between groups. */
const BUTTONS = () => [
  ["mask", t("Mask: what shall change"), ""],
  ["palette", t("Paint with colours"), ""],
  null,
  ["brush", t("Brush"), "B"],
  ["eraser", t("Eraser"), "E"],
  ["rectangle", t("Rectangle"), "R"],
  ["lasso", t("Lasso"), "L"],
  ["picker", t("Take a colour from the picture"), "K"],
  "size",
  ["undo", t("Undo"), "Ctrl+Z"],
  ["redo", t("Redo"), "Ctrl+Shift+Z"],
  null,
  ["fill", t("Fill"), ""],
  ["invert", t("Invert the mask"), "I"],
  ["clear", t("Clear"), ""],
  null,
  ["frame", t("Outpaint: grow the picture"), "O"],
  ["flip", t("Compare with the result"), "X"],
  ["open", t("Open a picture"), ""],
  ["options", t("Layers and brush"), ""],
  ["fit", t("Fit into the view"), "0"],
];

export class Toolbar {
  /** @param {Record<string, (value?: number) => void>} commands by the names of the buttons, and `size` */
  constructor(commands) {
    this.buttons = new Map();
    this.slider = el("input", { type: "range", min: "0", max: "1000", "aria-label": t("Size of the brush in pixels") });
    this.number = el("output", {});
    this.slider.addEventListener("input", () => commands.size(sizeAt(Number(this.slider.value) / 1000)));
    const size = el("div", { class: "canvas-size" }, this.slider, this.number);
    const parts = BUTTONS().map((one) => {
      if (one === null) return el("hr", { "aria-hidden": "true" });
      return one === "size" ? size : this.#button(...one, commands);
    });
    this.element = el("div", { class: "canvas-tools", role: "toolbar", "aria-label": t("Tools of the canvas"), "aria-orientation": "vertical" }, ...parts);
    this.element.addEventListener("keydown", (event) => this.#move(event));
    this.#rove(this.buttons.get("brush"));
  }

  #button(name, words, key, commands) {
    const hint = key ? `${words} (${key})` : words;
    const button = el("button", { type: "button", class: `canvas-${name}-button`, "aria-label": words, title: hint, tabindex: "-1" }, icon(DRAWN_AS[name] ?? name));
    if (key) button.setAttribute("aria-keyshortcuts", key.replace("Ctrl", "Control"));
    button.addEventListener("click", () => commands[name]());
    button.addEventListener("focus", () => this.#rove(button));
    this.buttons.set(name, button);
    return button;
  }

  /** Show which tool is held and what can be done. */
  show({ pressed, disabled, hidden, size, hue }) {
    for (const [name, button] of this.buttons) {
      if (name in pressed) button.setAttribute("aria-pressed", String(pressed[name]));
      button.disabled = disabled[name] ?? false;
      button.hidden = hidden[name] ?? false;
    }
    this.slider.value = String(Math.round(1000 * shareOf(size)));
    this.slider.style.setProperty("--share", `${100 * shareOf(size)}%`);
    this.slider.setAttribute("aria-valuetext", t("{n} pixels", { n: size }));
    this.number.textContent = String(size);
    this.buttons.get("palette").style.setProperty("--hue", hue);
    if (![...this.buttons.values()].some((one) => one.tabIndex === 0 && !one.disabled && !one.hidden)) {
      this.#rove(this.#able()[0]);
    }
  }

  #able() {
    return [...this.buttons.values()].filter((one) => !one.disabled && !one.hidden);
  }

  #rove(button) {
    for (const one of this.buttons.values()) one.tabIndex = one === button ? 0 : -1;
  }

  #move(event) {
    if (event.target === this.slider) return;
    const able = this.#able();
    const at = able.indexOf(document.activeElement);
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const to = by ? (at + by + able.length) % able.length : { Home: 0, End: able.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    able[to].focus();
  }
}

/** Sizes lie on the slider by their logarithm, so that small ones can be set to the pixel. */
const { least, most } = SIZES;
export const sizeAt = (share) => Math.round(least * (most / least) ** share);
const shareOf = (size) => Math.log(size / least) / Math.log(most / least);
