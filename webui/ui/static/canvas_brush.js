/**
 * What brush, eraser, rectangle and lasso do to the pixels of a layer. It is computed here and not by the browser's own
 * drawing, so that a hard mask has no half masked rim, strokes that cross do not add up, and every browser gives the
 * same bytes.
 */

import { Edit, TILE, inTile } from "./canvas_tiles.js";

/**
 * @typedef {object} Ink
 * @property {boolean} erases
 * @property {number[]} colour red, green, blue; without meaning for a mask
 * @property {number} hardness 0..1: the share of the radius that is painted in full. At 1 a mask is all or nothing,
 *   and paint has a smooth rim of one pixel.
 */

const EMPTY = new Uint8Array(0); // reading beyond it gives undefined
const PRESSURE_FLOOR = 0.33; // share of the size that the lightest touch of a pen has

/** The radius in pixels for a pointer: a pen's pressure narrows it, mouse and finger always have it whole. */
export function radiusOf(size, pointerType, pressure) {
  return (size / 2) * (pointerType === "pen" ? PRESSURE_FLOOR + (1 - PRESSURE_FLOOR) * pressure : 1);
}

/** One stroke, from the first touch to the last. */
export class Stroke {
  /**
   * @param {import("./canvas_tiles.js").Tiles} layer
   * @param {Ink} ink
   */
  constructor(layer, ink) {
    this.edit = new Edit(layer);
    this.ink = ink;
    this.covered = new Map(); // coverage of the stroke so far, by tile
    this.last = null;
  }

  /** Go on to a point; the first call is a dab. Points are in pixels, (0, 0) is the outer corner of the first one. */
  to(x, y, radius) {
    const from = this.last ?? { x, y, radius };
    this.last = { x, y, radius };
    const reach = Math.max(from.radius, radius) + 1;
    const box = {
      left: Math.floor(Math.min(from.x, x) - reach),
      top: Math.floor(Math.min(from.y, y) - reach),
      right: Math.ceil(Math.max(from.x, x) + reach),
      bottom: Math.ceil(Math.max(from.y, y) + reach),
    };
    const cover = coverage(from, this.last, this.ink.hardness, this.edit.base.channels === 1);
    this.edit.each(box, (index, left, row, span) => {
      let covered = this.covered.get(index);
      let put = null;
      let at = inTile(left, row);
      for (let x = left; x < left + span; x++, at++) {
        if (covered && covered[at] === 255) continue; // most of a stroke lies where it was a moment ago
        const value = cover(x + 0.5, row + 0.5);
        if (!value) continue;
        if (!covered) this.covered.set(index, (covered = new Uint8Array(TILE * TILE)));
        if (value <= covered[at]) continue;
        covered[at] = value;
        put ??= pen(this.edit, index, this.ink);
        put(at, value);
      }
    });
  }

  /** The layer with the stroke on it. */
  finish() {
    return this.edit.finish();
  }
}

/** A function of a point that tells how much a thick line from one disc to another covers it, 0..255. */
function coverage(from, to, hardness, isMask) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const isHard = hardness >= 1;
  return (x, y) => {
    const share = length ? Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length)) : 0;
    const radius = from.radius + (to.radius - from.radius) * share;
    const [across, down] = [x - from.x - share * dx, y - from.y - share * dy];
    const distance = Math.sqrt(across * across + down * down); // Math.hypot takes several times as long
    if (isHard && isMask) return distance <= Math.max(radius, 0.71) ? 255 : 0; // the smallest brush hits a pixel
    if (isHard) return Math.round(255 * Math.min(1, Math.max(0, radius - distance + 0.5)));
    const inner = radius * hardness;
    if (distance >= radius) return 0;
    const fall = distance <= inner ? 1 : 1 - (distance - inner) / (radius - inner);
    return Math.round(255 * fall * fall * (3 - 2 * fall)); // smoothstep
  };
}

/** A function that writes a pixel of a tile: what was there before the edit, covered by `value` of 255 of the ink. */
function pen(edit, index, ink) {
  const was = edit.base.tiles.get(index) ?? EMPTY;
  const tile = edit.writable(index);
  if (edit.base.channels === 1) {
    if (ink.erases) return (at, value) => (tile[at] = Math.min(was[at] ?? 0, 255 - value));
    return (at, value) => (tile[at] = Math.max(was[at] ?? 0, value));
  }
  if (ink.erases) {
    return (at, value) => {
      const opacity = Math.min(was[at * 4 + 3] ?? 0, 255 - value);
      for (let one = 0; one < 3; one++) tile[at * 4 + one] = opacity ? was[at * 4 + one] : 0;
      tile[at * 4 + 3] = opacity;
    };
  }
  return (at, value) => {
    const below = ((was[at * 4 + 3] ?? 0) * (255 - value)) / 255;
    for (let one = 0; one < 3; one++) {
      const old = was[at * 4 + one] ?? 0;
      tile[at * 4 + one] = Math.round((ink.colour[one] * value + old * below) / (value + below));
    }
    tile[at * 4 + 3] = Math.round(value + below);
  };
}

/** The layer with a rectangle painted or erased; corners in pixels, in any order. */
export function rectangle(layer, from, to, ink) {
  const edit = new Edit(layer);
  const box = boxOf([from, to]);
  edit.each(box, (index, left, row, span) => paintSpan(edit, index, left, row, span, ink));
  return edit.finish();
}

/** The layer with a closed shape painted or erased: the pixels whose centre is inside (even-odd rule). */
export function lasso(layer, points, ink) {
  const edit = new Edit(layer);
  const { top, bottom } = boxOf(points);
  for (let row = Math.max(0, top); row < Math.min(layer.height, bottom); row++) {
    const crossings = crossed(points, row + 0.5);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const [left, right] = [Math.ceil(crossings[pair] - 0.5), Math.ceil(crossings[pair + 1] - 0.5)];
      const box = { left, top: row, right, bottom: row + 1 };
      edit.each(box, (index, x, y, span) => paintSpan(edit, index, x, y, span, ink));
    }
  }
  return edit.finish();
}

/** Where a closed outline crosses a horizontal line, left to right. */
function crossed(points, y) {
  const found = [];
  points.forEach((to, number) => {
    const from = points[(number || points.length) - 1];
    if (from.y <= y !== to.y <= y) found.push(from.x + ((y - from.y) / (to.y - from.y)) * (to.x - from.x));
  });
  return found.sort((one, other) => one - other);
}

function paintSpan(edit, index, left, row, span, ink) {
  const put = pen(edit, index, ink);
  for (let x = left; x < left + span; x++) put(inTile(x, row), 255);
}

/** The box of whole pixels nearest to some points. */
export function boxOf(points) {
  const [across, down] = [points.map((point) => point.x), points.map((point) => point.y)];
  return {
    left: Math.round(Math.min(...across)),
    top: Math.round(Math.min(...down)),
    right: Math.round(Math.max(...across)),
    bottom: Math.round(Math.max(...down)),
  };
}
