// A menu that a button opens: arrow keys, Home and End, Escape gives the focus back.

import { el } from "./kit.js";

/** @typedef {{name: string, label: string, run: () => void, isOff?: () => boolean, isPressed?: () => boolean, hint?: string}} Item */

/**
 * @param {HTMLElement} button
 * @param {() => (Item|null)[]} items asked each time that it opens; null is a line between groups
 * @returns {{open: () => void, close: () => void}}
 */
export const menu = (button, items) => {
  const list = el("div", { class: "menu", role: "menu", hidden: true });
  list.id = `${button.id || `menu_${Math.random().toString(36).slice(2)}`}_items`;
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", list.id);
  button.after(list);

  const close = (givesFocusBack = false) => {
    if (list.hidden) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (givesFocusBack) button.focus();
  };
  const outside = (event) => {
    if (!list.contains(event.target) && !button.contains(event.target)) close();
  };
  const entry = (item) => {
    if (!item) return el("hr", { role: "separator" });
    const isSwitch = item.isPressed !== undefined;
    const node = el("button", { type: "button", tabindex: "-1", role: isSwitch ? "menuitemcheckbox" : "menuitem" }, el("span", {}, item.label)); // prettier-ignore
    node.dataset.act = item.name;
    if (isSwitch) node.setAttribute("aria-checked", String(item.isPressed()));
    if (item.hint) node.append(el("kbd", {}, item.hint));
    if (item.isOff?.()) node.setAttribute("aria-disabled", "true");
    node.addEventListener("click", () => {
      if (node.getAttribute("aria-disabled") === "true") return;
      close(true);
      item.run();
    });
    return node;
  };
  const open = () => {
    list.replaceChildren(...items().map(entry));
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    list.querySelector("button")?.focus();
  };
  list.addEventListener("keydown", (event) => {
    const all = [...list.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    event.stopPropagation(); // letters mean nothing to the page while a menu is open
    if (to !== undefined) {
      event.preventDefault();
      all.at(to % all.length).focus();
    } else if (event.key === "Escape") close(true);
    else if (event.key === "Tab") close();
  });
  button.addEventListener("click", () => (list.hidden ? open() : close(true)));
  return { open, close };
};
