// Small parts that components are made of. Texts are set as text, never as HTML.
import { icon } from "./icons.js";
import { t } from "./language.js";

export { icon, t };

/**
 * An element with attributes and children.
 * @param {Record<string, string|boolean|EventListener|undefined|null>} attributes functions listen (`onclick`); false,
 *   null and undefined leave an attribute out, true sets it empty
 * @param {...(Node|string|null|undefined|false)} children
 */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.replace(/^on/, ""), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A button that is an icon; its label is its name and its tooltip. */
export function iconButton(name, label, attributes = {}) {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, "data-tip": label, ...attributes }, icon(name));
}

/** Put a value into a box of Gradio's, so that Gradio notices. */
export function write(box, value) {
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set.call(box, value);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * A switch.
 * @param {(isOn: boolean) => void} changed
 * @returns {HTMLLabelElement} with a property `checked`
 */
export function toggle(label, isOn, changed) {
  const box = el("input", { type: "checkbox", role: "switch" });
  box.checked = isOn;
  box.addEventListener("change", () => changed(box.checked));
  const made = el("label", { class: "toggle" }, el("span", {}, label), box);
  Object.defineProperty(made, "checked", { get: () => box.checked, set: (value) => { box.checked = value; } });
  return made;
}

/**
 * A few choices beside each other, of which one is chosen.
 * @param {{value: string, label: string}[]} choices
 * @param {(value: string) => void} changed
 * @returns {HTMLElement} with a property `value`
 */
export function segments(label, choices, value, changed) {
  const buttons = choices.map((choice) => el("button", { type: "button", role: "radio", "data-value": choice.value }, choice.label));
  const made = el("div", { class: "segments", role: "radiogroup", "aria-label": label }, ...buttons);
  let chosen = value;
  const show = () => {
    for (const button of buttons) {
      const isChosen = button.dataset.value === chosen;
      button.setAttribute("aria-checked", String(isChosen));
      button.tabIndex = isChosen || (!choices.some((one) => one.value === chosen) && button === buttons[0]) ? 0 : -1;
    }
  };
  const choose = (button) => {
    if (button.dataset.value === chosen) return;
    chosen = button.dataset.value;
    show();
    changed(chosen);
  };
  made.addEventListener("click", (event) => {
    const button = event.target.closest("[role=radio]");
    if (button) choose(button);
  });
  made.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(event.target);
    if (by === undefined || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = buttons[(at + by + buttons.length) % buttons.length];
    next.focus();
    choose(next);
  });
  Object.defineProperty(made, "value", { get: () => chosen, set: (other) => { chosen = other; show(); } });
  show();
  return made;
}

/**
 * Open a dialog over the page. Focus stays inside; Escape, a click beside it and its cross close it, and focus goes back.
 * @param {{title: string, className?: string, closed?: () => void}} about
 * @param {...(Node|string)} children
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, className = "", closed }, ...children) {
  const before = document.activeElement;
  const dialog = el("dialog", { class: `own dialog ${className}`, "aria-label": title });
  const close = iconButton("close", t("Close"), { onclick: () => dialog.close() });
  dialog.append(el("header", {}, el("h2", {}, title), close), el("div", { class: "dialog-body" }, ...children));
  let isPressedBeside = false; // a drag that ends beside the dialog does not close it
  dialog.addEventListener("pointerdown", (event) => { isPressedBeside = event.target === dialog; });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && isPressedBeside) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    closed?.();
  });
  (document.querySelector(".gradio-container") ?? document.body).append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * A track with two handles, for a part of a whole (when a unit begins and ends). Arrow keys move a handle by a step,
 * Page Up and Page Down by ten.
 * @param {{label: string, names: [string, string], low: number, high: number, step: number}} about
 * @param {[number, number]} value
 * @param {(value: [number, number]) => void} changed while it is dragged, too
 * @returns {HTMLElement} with a property `value`
 */
export function rangePair({ label, names, low, high, step }, value, changed) {
  let now = [...value];
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  const handles = names.map((name) => el("span", { class: "handle", role: "slider", tabindex: "0", "aria-label": `${label}: ${name}`, "aria-valuemin": low, "aria-valuemax": high }));
  const filled = el("span", { class: "filled" });
  const track = el("div", { class: "track" }, filled, ...handles);
  const output = el("output", {});
  const made = el("div", { class: "range-pair", role: "group", "aria-label": label }, el("div", { class: "range-head" }, el("span", {}, label), output), track);
  const place = (one) => `${(100 * (one - low)) / (high - low)}%`;
  const show = () => {
    handles.forEach((handle, at) => {
      handle.style.left = place(now[at]);
      handle.setAttribute("aria-valuenow", now[at].toFixed(digits));
    });
    filled.style.left = place(now[0]);
    filled.style.right = `calc(100% - ${place(now[1])})`;
    output.textContent = now.map((one) => one.toFixed(digits)).join(" – ");
  };
  const move = (at, to) => {
    const stepped = Number((Math.round((to - low) / step) * step + low).toFixed(digits));
    const next = [...now];
    next[at] = at === 0 ? Math.min(Math.max(stepped, low), now[1]) : Math.max(Math.min(stepped, high), now[0]);
    if (next[at] === now[at]) return;
    now = next;
    show();
    changed([...now]);
  };
  handles.forEach((handle, at) => {
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      const to = event.key === "Home" ? low : event.key === "End" ? high : by === undefined ? undefined : now[at] + by * step;
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      move(at, to);
    });
  });
  track.addEventListener("pointerdown", (event) => {
    const box = track.getBoundingClientRect();
    const valueAt = (x) => low + ((x - box.left) / box.width) * (high - low);
    const at = Math.abs(valueAt(event.clientX) - now[0]) <= Math.abs(valueAt(event.clientX) - now[1]) && event.clientX <= box.left + ((now[1] - low) / (high - low)) * box.width ? 0 : 1;
    track.setPointerCapture(event.pointerId);
    handles[at].focus({ preventScroll: true });
    move(at, valueAt(event.clientX));
    const drag = (moved) => move(at, valueAt(moved.clientX));
    track.addEventListener("pointermove", drag);
    track.addEventListener("lostpointercapture", () => track.removeEventListener("pointermove", drag), { once: true });
  });
  Object.defineProperty(made, "value", { get: () => [...now], set: (other) => { now = [...other]; show(); } });
  show();
  return made;
}

/**
 * A list to choose from that can be searched: a button that shows what is chosen, and a panel under it.
 * @param {{value: string, label: string, hint?: string}[]} choices
 * @param {(value: string) => void} changed
 * @returns {HTMLElement} with properties `value` and `choices`
 */
export function pickList(label, choices, value, changed) {
  let all = choices;
  let chosen = value;
  let at = 0;
  const name = el("span", {});
  const button = el("button", { type: "button", class: "pick-button", "aria-haspopup": "listbox", "aria-expanded": "false" }, name, icon("chevron"));
  const search = el("input", { type: "search", "aria-label": t("Search"), placeholder: t("Search"), role: "combobox", "aria-expanded": "true", autocomplete: "off" });
  const list = el("ul", { role: "listbox", "aria-label": label });
  const panel = el("div", { class: "pick-panel", popover: "auto" }, search, list);
  const made = el("div", { class: "pick" }, button, panel);
  const found = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return all.filter((one) => words.every((word) => `${one.label} ${one.hint ?? ""}`.toLowerCase().includes(word)));
  };
  const show = () => {
    const label_ = all.find((one) => one.value === chosen)?.label ?? chosen ?? "";
    name.textContent = label_;
    button.setAttribute("aria-label", `${label}: ${label_}`);
  };
  const draw = () => {
    const rows = found();
    at = Math.max(0, Math.min(at, rows.length - 1));
    list.replaceChildren(...rows.map((one, place) => el(
      "li",
      { role: "option", id: `${panel.id}_${place}`, "data-value": one.value, "aria-selected": String(one.value === chosen), class: place === at ? "active" : "" },
      el("span", {}, one.label), one.hint && el("small", {}, one.hint),
    )));
    search.setAttribute("aria-activedescendant", rows.length ? `${panel.id}_${at}` : "");
    list.querySelector(".active")?.scrollIntoView({ block: "nearest" });
  };
  const choose = (picked) => {
    panel.hidePopover();
    button.setAttribute("aria-expanded", "false"); // at once: the event comes later than the next key may
    button.focus({ preventScroll: true });
    if (picked === undefined || picked === chosen) return;
    chosen = picked;
    show();
    changed(chosen);
  };
  panel.id = `pick_${Math.random().toString(36).slice(2)}`;
  list.id = `${panel.id}_list`;
  search.setAttribute("aria-controls", list.id);
  button.setAttribute("aria-controls", list.id);
  const place = () => {
    const box = button.getBoundingClientRect();
    const width = Math.max(box.width, 220);
    const below = innerHeight - box.bottom - 12;
    const isBelow = below >= 200 || below >= box.top;
    panel.style.left = `${Math.min(box.left, innerWidth - width - 8)}px`;
    panel.style.minWidth = `${width}px`;
    panel.style.maxHeight = `${Math.max(160, Math.min(360, Math.max(below, box.top - 12)))}px`;
    panel.style.top = isBelow ? `${box.bottom + 4}px` : "auto";
    panel.style.bottom = isBelow ? "auto" : `${innerHeight - box.top + 4}px`;
  };
  const opened = () => {
    if (button.getAttribute("aria-expanded") === "true") return;
    button.setAttribute("aria-expanded", "true");
    place();
    search.value = "";
    at = Math.max(0, all.findIndex((one) => one.value === chosen));
    draw();
    search.focus();
  };
  button.popoverTargetElement = panel;
  button.addEventListener("keydown", (event) => {
    if (!["ArrowDown", "ArrowUp", "Enter", " "].includes(event.key)) return;
    event.preventDefault();
    panel.showPopover();
    opened(); // at once, too
  });
  panel.addEventListener("toggle", () => {
    if (panel.matches(":popover-open")) opened(); // it may have been opened again since
    else button.setAttribute("aria-expanded", "false");
  });
  search.addEventListener("input", () => { at = 0; draw(); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at += event.key === "ArrowDown" ? 1 : -1;
      draw();
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(found()[at]?.value);
    }
    event.stopPropagation();
  });
  list.addEventListener("click", (event) => choose(event.target.closest("[role=option]")?.dataset.value));
  Object.defineProperty(made, "value", { get: () => chosen, set: (other) => { chosen = other; show(); } });
  Object.defineProperty(made, "choices", { get: () => all, set: (others) => { all = others; show(); } });
  show();
  return made;
}

/**
 * A chip with a name, a number that wheel and arrow keys change, and a cross.
 * @param {{label: string, value: number, step?: number, low?: number, high?: number}} about
 * @param {{changed: (value: number) => void, removed?: () => void}} does
 * @returns {HTMLElement} with a property `value`
 */
export function valueChip({ label, value, step = 0.05, low = -10, high = 10 }, { changed, removed }) {
  let now = value;
  const number = el("button", { type: "button", role: "spinbutton", class: "chip-value", "aria-label": label, "aria-valuemin": low, "aria-valuemax": high });
  const show = () => {
    number.textContent = String(now);
    number.setAttribute("aria-valuenow", String(now));
  };
  const by = (steps) => {
    const next = Number(Math.min(high, Math.max(low, now + steps * step)).toFixed(4));
    if (next === now) return;
    now = next;
    show();
    changed(now);
  };
  number.addEventListener("wheel", (event) => {
    event.preventDefault();
    by(event.deltaY < 0 ? 1 : -1);
  }, { passive: false });
  number.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    by(steps);
  });
  const made = el("span", { class: "chip" }, el("span", { class: "chip-name" }, label), number);
  if (removed) made.append(el("button", { type: "button", class: "chip-away", "aria-label": t("Remove {name}", { name: label }), onclick: removed }, icon("close")));
  Object.defineProperty(made, "value", { get: () => now, set: (other) => { now = other; show(); } });
  show();
  return made;
}
