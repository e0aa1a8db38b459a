/**
 * Undo and redo as a row of documents. A document never changes, and neighbours share the tiles that are equal, so a
 * step keeps only the squares that it touched, of whatever layer, and the frame and the picture come back with it.
 */

export const STEPS = 60;
export const BYTES = 256 * 1024 * 1024; // that steps may keep beside the document in view

/**
 * @typedef {object} Document
 * @property {import("./canvas_source.js").Source | null} source the picture
 * @property {import("./canvas_tiles.js").Tiles} mask
 * @property {import("./canvas_tiles.js").Tiles} paint
 * @property {import("./canvas_frame.js").Frame} frame how far the picture shall grow on each side
 */

export class History {
  /**
   * @param {Document} first
   * @param {{steps?: number, bytes?: number}} [bounds]
   */
  constructor(first, { steps = STEPS, bytes = BYTES } = {}) {
    this.now = first;
    this.past = /** @type {Document[]} */ ([]);
    this.future = /** @type {Document[]} */ ([]);
    this.bounds = { steps, bytes };
  }

  get canUndo() {
    return this.past.length > 0;
  }

  get canRedo() {
    return this.future.length > 0;
  }

  /** Go on to a changed document. One with the same parts is no step. */
  step(changes) {
    const next = Object.freeze({ ...this.now, ...changes });
    if (Object.keys(next).every((part) => next[part] === this.now[part])) return;
    this.past.push(this.now);
    this.now = next;
    this.future = [];
    if (this.past.length > this.bounds.steps) this.past.shift();
    while (this.past.length && this.bytes > this.bounds.bytes) this.past.shift();
  }

  /** Start anew from a document; nothing can be undone. */
  restart(document) {
    [this.now, this.past, this.future] = [Object.freeze(document), [], []];
  }

  undo() {
    return this.#go(this.past, this.future);
  }

  redo() {
    return this.#go(this.future, this.past);
  }

  #go(from, to) {
    const next = from.pop();
    if (!next) return false;
    to.push(this.now);
    this.now = next;
    return true;
  }

  /** How much the steps keep beside the document in view, in bytes. */
  get bytes() {
    const seen = new Set([...tilesOf(this.now)]);
    let sum = 0;
    for (const document of [...this.past, ...this.future]) {
      for (const tile of tilesOf(document)) {
        if (seen.has(tile)) continue;
        seen.add(tile);
        sum += tile.length;
      }
    }
    return sum;
  }
}

function* tilesOf({ mask, paint }) {
  yield* mask.tiles.values();
  yield* paint.tiles.values();
}
