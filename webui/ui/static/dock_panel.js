// A panel over the lower half of the picture, which a button in the dock opens: nothing else on the page moves. One is
// open at a time; Escape, its cross and a press elsewhere close it.

import { iconButton, t } from "./kit.js";
import { action } from "./keys.js";

let opened = null;

export class DockPanel {
  /**
   * @param {HTMLButtonElement} button
   * @param {HTMLElement} panel
   * @param {{label: string, shown?: () => void, focus?: () => HTMLElement}} about  `focus` is what gets the keyboard
   */
  constructor(button, panel, { label, shown = () => {}, focus = () => panel.querySelector("input, button") }) {
    Object.assign(this, { button, panel, shown, focus });
    panel.classList.add("dock-panel");
    panel.hidden = true;
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-label", label);
    button.setAttribute("aria-haspopup", "dialog");
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => this.toggle());
  }

  /** The cross that closes it, for its head. */
  cross() {
    return iconButton("close", t("Close"), { class: "icon-button panel-close", onclick: () => this.close() });
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  open() {
    opened?.close({ keepsFocus: true });
    opened = this;
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.shown();
    this.focus()?.focus({ preventScroll: true });
  }

  close({ keepsFocus = false } = {}) {
    if (!this.isOpen) return;
    const hadFocus = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (opened === this) opened = null;
    if (hadFocus && !keepsFocus) this.button.focus({ preventScroll: true });
  }
}

action("close", () => {
  if (!opened || document.querySelector("dialog[open]")) return false;
  opened.close();
  return true;
});

document.addEventListener("pointerdown", (event) => {
  const target = event.target;
  if (!opened || !(target instanceof Element)) return;
  // typing on while cards are chosen is the use of it: presses in the dock leave it open
  if (!target.closest(".dock-panel, dialog, .pane-dock") && !opened.button.contains(target)) opened.close({ keepsFocus: true });
});
