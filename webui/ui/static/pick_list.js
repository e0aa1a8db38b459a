// A list with a search that opens over a place of the page: arrows choose, Enter takes, Escape gives the focus back.
import { el } from "./kit.js";
import { t } from "./language.js";

/** @typedef {{value: string, label: string, hint?: string}} Entry */

const WIDTH = 288; // CSS pixels
const HIGHEST = 360;
const AIR = 8;

/**
 * Open a list.
 * @param {HTMLElement} anchor under which it opens
 * @param {string} title what is chosen
 * @param {{title: string, entries: Entry[]}[]} groups
 * @param {(value: string) => void} chosen
 * @param {boolean} [takesText] whether a text that is in no row may be chosen, too
 */
export function openPick(anchor, title, groups, chosen, takesText = false) {
  document.getElementById("pick_list")?.remove();
  const search = el("input", { type: "search", placeholder: title, "aria-label": title, role: "combobox", "aria-expanded": "true", "aria-controls": "pick_list_rows", autocomplete: "off" });
  const rows = el("div", { id: "pick_list_rows", class: "pick-rows", role: "listbox", "aria-label": title });
  const box = el("div", { id: "pick_list", class: "pick-panel pick-list", popover: "auto", role: "dialog", "aria-label": title }, search, rows);
  let found = /** @type {Entry[]} */ ([]);
  let at = 0;
  const fits = (one) => search.value.toLowerCase().split(/\s+/).every((word) => `${one.label} ${one.hint ?? ""}`.toLowerCase().includes(word));
  const draw = () => {
    const shown = groups.map((group) => ({ ...group, entries: group.entries.filter(fits) })).filter((group) => group.entries.length);
    found = shown.flatMap((group) => group.entries);
    const typed = search.value.trim();
    if (takesText && typed && !found.some((one) => one.value === typed)) {
      found = [...found, { value: typed, label: typed }];
      shown.push({ title: t("As it is typed"), entries: [found.at(-1)] });
    }
    at = Math.max(0, Math.min(at, found.length - 1));
    rows.replaceChildren(...shown.map((group) => el(
      "div", { role: "group", "aria-label": group.title || title },
      group.title && el("div", { class: "pick-heading", "aria-hidden": "true" }, group.title),
      ...group.entries.map((one) => {
        const place = found.indexOf(one);
        return el("div", { role: "option", id: `pick_list_${place}`, "data-at": place, "aria-selected": String(place === at), class: place === at ? "pick-row active" : "pick-row" }, el("span", {}, one.label), one.hint && el("small", {}, one.hint));
      }),
    ))); // prettier-ignore
    if (!found.length) rows.append(el("p", { class: "pick-none" }, t("Nothing fits.")));
    search.setAttribute("aria-activedescendant", found.length ? `pick_list_${at}` : "");
    rows.querySelector(".active")?.scrollIntoView({ block: "nearest" });
  };
  const take = (one) => {
    if (!one) return;
    box.hidePopover();
    chosen(one.value);
  };
  search.addEventListener("input", () => { at = 0; draw(); });
  box.addEventListener("keydown", (event) => {
    event.stopPropagation(); // letters are typed here
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at += event.key === "ArrowDown" ? 1 : -1;
      draw();
    } else if (event.key === "Enter") {
      event.preventDefault();
      take(found[at]);
    }
  });
  box.addEventListener("click", (event) => event.stopPropagation()); // what closes at a click beside it stays open
  rows.addEventListener("click", (event) => take(found[Number(event.target.closest("[role=option]")?.dataset.at ?? -1)]));
  box.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    const hadFocus = box.contains(document.activeElement) || document.activeElement === document.body;
    box.remove();
    if (hadFocus && anchor.isConnected) anchor.focus({ preventScroll: true });
  });
  (document.querySelector(".gradio-container") ?? document.body).append(box);
  const place = anchor.getBoundingClientRect();
  const below = innerHeight - place.bottom - AIR - 4;
  const height = Math.min(HIGHEST, Math.max(below, place.top - AIR));
  const isBelow = below >= Math.min(HIGHEST, 240) || below >= place.top;
  Object.assign(box.style, {
    width: `${Math.min(WIDTH, innerWidth - 2 * AIR)}px`,
    left: `${Math.max(AIR, Math.min(place.left, innerWidth - WIDTH - AIR))}px`,
    top: isBelow ? `${place.bottom + 4}px` : "auto",
    bottom: isBelow ? "auto" : `${innerHeight - place.top + 4}px`,
    maxHeight: `${height}px`,
  });
  draw();
  box.showPopover();
  search.focus();
}
