// All pictures of a job side by side. Every cell has its place from the start, so a picture that comes moves nothing.

import { el } from "./kit.js";
import { t } from "./language.js";
import { promptOf } from "./store.js";

/** @typedef {import("./store.js").Picture} Picture */
/** @typedef {{picture: Picture|null, preview: string|null, extra?: string}} Cell `extra` is the address of what an extension made beside them */

const GAP = 8; // CSS pixels
const MARGIN = 12;

/**
 * How many columns make the cells largest.
 *
 * @param {number} count of cells
 * @param {{width: number, height: number}} room
 * @param {number} aspect a cell's width by its height
 * @returns {{columns: number, rows: number, width: number, height: number}} size of a cell in CSS pixels
 */
export const arranged = (count, room, aspect) => {
  let best = { columns: 1, rows: count, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const wide = (room.width - 2 * MARGIN - (columns - 1) * GAP) / columns;
    const high = (room.height - 2 * MARGIN - (rows - 1) * GAP) / rows;
    const width = Math.max(1, Math.min(wide, high * aspect));
    if (width > best.width) best = { columns, rows, width, height: width / aspect };
  }
  return best;
};

export class BatchGrid {
  /** @type {Cell[]} */
  #cells = [];
  #aspect = 1;

  /**
   * @param {HTMLElement} box
   * @param {(path: string) => string} address of a path below the page's base
   * @param {(picture: Picture) => void} enlarge
   */
  constructor(box, address, enlarge) {
    this.box = box;
    this.address = address;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", t("Pictures of this job"));
    box.addEventListener("click", (event) => {
      const cell = event.target.closest(".cell");
      const chosen = cell && this.#cells[[...box.children].indexOf(cell)];
      if (chosen?.picture) enlarge(chosen.picture);
      else if (chosen?.extra) window.open(this.address(chosen.extra), "_blank", "noopener");
    });
    new ResizeObserver(() => this.#arrange()).observe(box);
  }

  /** @param {Cell[]} cells @param {number} aspect width by height @param {string|null} marked a picture's id */
  draw(cells, aspect, marked) {
    const isArranged = cells.length === this.#cells.length && aspect === this.#aspect;
    this.#cells = cells;
    this.#aspect = aspect;
    while (this.box.children.length > cells.length) this.box.lastChild.remove();
    while (this.box.children.length < cells.length)
      this.box.append(el("button", { type: "button", class: "cell" }, el("img", { alt: "", hidden: true })));
    cells.forEach((cell, index) => this.#fill(this.box.children[index], cell, index, marked));
    if (!isArranged) this.#arrange();
  }

  #fill(node, { picture, preview, extra = "" }, index, marked) {
    const image = node.firstChild;
    const path = picture?.url || extra || preview;
    const url = path ? this.address(path) : "";
    image.hidden = !url;
    image.alt = picture ? promptOf(picture.text) : "";
    if (url && image.getAttribute("src") !== url) image.src = url;
    node.classList.toggle("live", !picture && preview !== null);
    node.disabled = !picture && !extra;
    node.classList.toggle("extra", extra !== "");
    node.toggleAttribute("aria-current", picture !== null && picture.id === marked);
    node.setAttribute("aria-label", picture ? t("Picture {n}, seed {seed}", { n: index + 1, seed: picture.seed }) : extra ? t("Map {n} of an extension", { n: index + 1 }) : t("Picture {n}, not made yet", { n: index + 1 })); // prettier-ignore
  }

  #arrange() {
    const room = { width: this.box.clientWidth, height: this.box.clientHeight };
    if (!room.width || !this.#cells.length) return;
    const { columns, width, height } = arranged(this.#cells.length, room, this.#aspect);
    this.box.style.gridTemplateColumns = `repeat(${columns}, ${width}px)`;
    this.box.style.gridAutoRows = `${height}px`;
  }
}
