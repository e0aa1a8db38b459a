// Thumbnails of what was made, newest first: a column beside the stage, a film below it on a phone. Only those near the
// view exist; each is put at its place by a transform, so a new one at the front shifts no layout.

import { say } from "./bus.js";
import { el } from "./kit.js";
import { t } from "./language.js";
import { keyed } from "./keyed.js";
import { plotOf } from "./sheet_data.js";
import { promptOf } from "./store.js";
import { address, current, loadOlder } from "./stream.js";

/** @typedef {import("./store.js").Picture} Picture */

/** The type under which a dragged thumbnail carries its Picture as JSON. */
export const PICTURE_TYPE = "application/x-webui-picture";

const GAP = 6; // CSS pixels

/**
 * Which thumbnails are near the view, and where each is.
 *
 * @param {number} count
 * @param {{columns: number, isFilm: boolean, across: number, along: number, offset: number}} view `across` and `along`
 *   are its size across and along the direction in which it scrolls, `offset` how far it is scrolled, CSS pixels
 * @returns {{size: number, length: number, first: number, end: number, placeOf: (index: number) => [number, number]}}
 */
export const laidOut = (count, { columns, isFilm, across, along, offset }) => {
  const size = Math.max(1, (across - (columns - 1) * GAP) / columns);
  const pitch = size + GAP;
  const lines = Math.ceil(count / columns);
  const firstLine = Math.max(0, Math.floor((offset - along) / pitch));
  const endLine = Math.min(lines, Math.ceil((offset + 2 * along) / pitch));
  const placeOf = (index) => {
    const [line, column] = [Math.floor(index / columns), index % columns];
    return isFilm ? [line * pitch, column * pitch] : [column * pitch, line * pitch];
  };
  const length = Math.max(0, lines * pitch - GAP);
  return { size, length, first: firstLine * columns, end: Math.min(count, endLine * columns), placeOf };
};

export class History {
  /** @type {string|null} */
  #shown = null;
  #at = 0; // which thumbnail Tab goes to

  constructor() {
    this.space = el("div", { class: "space" });
    this.scroll = el("div", { class: "thumbs", role: "group", "aria-label": t("Pictures, newest first") }, this.space);
    this.count = el("span", { class: "n" });
    this.element = el("section", { class: "history", "aria-label": t("History") }, el("h2", {}, `${t("History")} `, this.count), this.scroll); // prettier-ignore
    this.scroll.addEventListener("scroll", () => this.draw(), { passive: true });
    this.scroll.addEventListener("keydown", (event) => this.#key(event));
    this.scroll.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.space.addEventListener("click", (event) => this.#click(event));
    this.space.addEventListener("dragstart", (event) => this.#drag(event));
    new ResizeObserver(() => this.draw()).observe(this.scroll);
  }

  /** @returns {readonly Picture[]} */
  get #pictures() {
    return current().history;
  }

  #pictureOf(node) {
    return this.#pictures.find((one) => one.id === node?.dataset.key) ?? null;
  }

  #layout() {
    const style = getComputedStyle(this.scroll);
    const columns = Number(style.getPropertyValue("--columns")) || 2;
    const isFilm = style.getPropertyValue("--film").trim() === "1";
    const [width, height] = [this.space.clientWidth, this.scroll.clientHeight];
    const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    const view = isFilm
      ? { columns: 1, isFilm, across: height - padding, along: this.scroll.clientWidth, offset: this.scroll.scrollLeft }
      : { columns, isFilm, across: width, along: height, offset: this.scroll.scrollTop };
    return { isFilm, columns: view.columns, along: view.along, ...laidOut(this.#pictures.length, view) };
  }

  /** Mark the picture that is on the stage. @param {Picture|null} picture */
  mark(picture) {
    this.#shown = picture?.id ?? null;
    const at = this.#pictures.findIndex((one) => one.id === this.#shown);
    if (at >= 0 && !this.scroll.contains(document.activeElement)) this.#at = at;
    this.draw();
  }

  draw() {
    const { size, length, first, end, placeOf, isFilm } = this.#layout();
    const { more } = current();
    const pictures = this.#pictures;
    this.count.textContent = pictures.length ? `${pictures.length}${more ? "+" : ""}` : "";
    if (!this.scroll.clientWidth) return; // another tab is in view
    const focused = this.#pictureOf(document.activeElement?.closest?.(".thumb"));
    if (focused) this.#at = pictures.findIndex((one) => one.id === focused.id);
    this.#at = Math.min(Math.max(0, this.#at), Math.max(0, pictures.length - 1));
    Object.assign(this.space.style, isFilm ? { width: `${length}px`, height: `${size}px` } : { width: "", height: `${length}px` }); // prettier-ignore
    // the one that Tab goes to exists wherever the view is, so that the focus is never lost by scrolling
    const wanted = [...new Set([...Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index), this.#at])].filter((index) => index < pictures.length); // prettier-ignore
    const items = wanted.sort((a, b) => a - b).map((index) => ({ index, picture: pictures[index] }));
    keyed(this.space, items, ({ picture }) => picture.id, () => this.#made(), (node, { index, picture }) => {
      const [x, y] = placeOf(index);
      node.style.cssText = `width:${size}px;height:${size}px;transform:translate(${x}px, ${y}px)`;
      node.tabIndex = index === this.#at ? 0 : -1;
      node.toggleAttribute("aria-current", picture.id === this.#shown);
      const image = node.firstChild;
      const source = address(picture.thumb);
      if (image.getAttribute("src") !== source) image.src = source;
      const alt = promptOf(picture.text) || t("Picture, seed {seed}", { seed: picture.seed ?? "?" });
      if (image.alt !== alt) image.alt = alt;
    }); // prettier-ignore
    if (more && end >= pictures.length - 1) loadOlder();
  }

  #made() {
    const image = el("img", { alt: "", decoding: "async", draggable: "false" });
    return el("button", { type: "button", class: "thumb", draggable: "true" }, image);
  }

  #click(event) {
    const picture = this.#pictureOf(event.target.closest(".thumb"));
    const plot = event.shiftKey ? null : plotOf(picture);
    if (plot) say("plot:open", { id: plot, picture });
    else if (picture) say(event.shiftKey ? "picture:compare" : "picture:show", { picture });
  }

  #key(event) {
    const { columns, isFilm } = this.#layout();
    const line = isFilm ? 0 : columns;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -line, ArrowDown: line, Home: -Infinity, End: Infinity }[event.key]; // prettier-ignore
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const last = this.#pictures.length - 1;
    this.#at = Math.min(last, Math.max(0, this.#at + by));
    this.#reveal();
    const picture = this.#pictures[this.#at];
    this.draw();
    [...this.space.children].find((node) => node.dataset.key === picture?.id)?.focus({ preventScroll: true });
    if (picture) say("picture:show", { picture });
  }

  // Scroll only as far as needed: the page itself must not move, as focus() would make it.
  #reveal() {
    const { placeOf, size, isFilm, along } = this.#layout();
    const place = placeOf(this.#at)[isFilm ? 0 : 1];
    const name = isFilm ? "scrollLeft" : "scrollTop";
    const offset = this.scroll[name];
    if (place < offset) this.scroll[name] = place - GAP;
    else if (place + size > offset + along - 2 * GAP) this.scroll[name] = place + size - along + 4 * GAP;
  }

  #wheel(event) {
    if (!this.#layout().isFilm || event.deltaX) return;
    event.preventDefault();
    this.scroll.scrollLeft += event.deltaY;
  }

  #drag(event) {
    const picture = this.#pictureOf(event.target.closest(".thumb"));
    if (!picture) return;
    event.dataTransfer.setData(PICTURE_TYPE, JSON.stringify(picture));
    event.dataTransfer.setData("text/uri-list", address(picture.url));
    event.dataTransfer.effectAllowed = "copy";
  }
}
