// Shows a painted layer on a canvas element. The layer itself stays in its tiles; only tiles that changed are drawn.

import { el } from "./kit.js";
import { TILE } from "./canvas_tiles.js";

const MOST_PIXELS = 16 * 1024 * 1024; // of a canvas element; Safari on phones refuses more. Larger layers are drawn coarser

export class Surface {
  /** @param {string} className */
  constructor(className) {
    this.element = el("canvas", { class: className, width: 1, height: 1, hidden: true, "aria-hidden": "true" });
    this.colour = [255, 77, 109]; // of a mask; paint has its own
    this.shown = /** @type {import("./canvas_tiles.js").Tiles | null} */ (null);
    this.coarse = 1; // pixels of the layer for one of the canvas
  }

  /** Show a layer. */
  show(layer) {
    const isNewSize = layer.width !== this.shown?.width || layer.height !== this.shown?.height;
    if (isNewSize) this.#measure(layer);
    const indexes = layer.changedFrom(isNewSize ? null : this.shown);
    this.shown = layer;
    if (layer.tiles.size || indexes.length) this.#draw(layer, indexes, (index) => layer.tiles.get(index));
  }

  /** Show what an edit wrote since the last call. */
  follow(edit) {
    this.#draw(edit.base, edit.dirty, (index) => edit.tile(index));
    edit.dirty.clear();
  }

  /** Show the layer again below an edit that was given up. */
  revert(edit) {
    this.#draw(edit.base, edit.changed.keys(), (index) => edit.base.tiles.get(index));
  }

  /** Use another colour for the mask. */
  recolour(colour) {
    if (String(colour) === String(this.colour)) return;
    this.colour = colour;
    if (this.shown) this.#draw(this.shown, this.shown.tiles.keys(), (index) => this.shown.tiles.get(index));
  }

  #measure({ width, height }) {
    this.coarse = 1;
    while ((width / this.coarse) * (height / this.coarse) > MOST_PIXELS) this.coarse *= 2;
    Object.assign(this.element, { width: 1, height: 1, hidden: true });
    this.context = null;
  }

  #draw(layer, indexes, tileOf) {
    if (!this.context) {
      const { element, coarse } = this;
      element.hidden = false;
      Object.assign(element, { width: Math.ceil(layer.width / coarse), height: Math.ceil(layer.height / coarse) });
      this.context = element.getContext("2d");
    }
    for (const index of indexes) {
      const { left, top, right, bottom } = layer.box(index);
      const [x, y] = [left / this.coarse, top / this.coarse];
      const size = [Math.ceil((right - left) / this.coarse), Math.ceil((bottom - top) / this.coarse)];
      const tile = tileOf(index);
      if (tile) this.context.putImageData(this.#pixels(tile, layer.channels, ...size), x, y);
      else this.context.clearRect(x, y, ...size);
    }
  }

  #pixels(tile, channels, width, height) {
    const image = new ImageData(width, height);
    const words = new Uint32Array(image.data.buffer);
    const [red, green, blue] = this.colour;
    const mask = red | (green << 8) | (blue << 16);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const at = (row * TILE + column) * this.coarse;
        const to = row * width + column;
        if (channels === 1) words[to] = tile[at] ? mask | (tile[at] << 24) : 0;
        else words[to] = tile[at * 4] | (tile[at * 4 + 1] << 8) | (tile[at * 4 + 2] << 16) | (tile[at * 4 + 3] << 24);
      }
    }
    return image;
  }
}

/** A colour of the stylesheet, or of a colour field, as red, green, blue. */
export function colourOf(text, fallback = [255, 77, 109]) {
  const found = /^#([0-9a-f]{6})$/i.exec(text.trim());
  return found ? [0, 2, 4].map((at) => parseInt(found[1].slice(at, at + 2), 16)) : fallback;
}

/** As a colour field takes it. */
export const hexOf = (colour) => `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
