/**
 * A painted layer as square tiles that never change once they are made. An edit copies the tiles that it touches and
 * shares the others, so a step of undo costs what it touched, and going back gives the very same bytes.
 *
 * A mask has one channel (0 is kept, 255 is repainted), paint has four (red, green, blue, opacity, not premultiplied).
 */

export const TILE = 128; // pixels of a tile's side
const AREA = TILE * TILE;
const FULL = new Uint8Array(AREA).fill(255); // the one tile of a mask that is masked everywhere

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box right and bottom are outside */

export class Tiles {
  /**
   * @param {number} width in pixels
   * @param {number} height in pixels
   * @param {1 | 4} channels bytes of a pixel
   * @param {Map<number, Uint8Array>} [tiles] by index, row by row; a tile that is not there is empty
   */
  constructor(width, height, channels, tiles = new Map()) {
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.tiles = tiles;
    this.across = Math.ceil(width / TILE);
    this.down = Math.ceil(height / TILE);
    Object.freeze(this);
  }

  /** A layer of the pixels given row by row. */
  static from(width, height, channels, pixels) {
    const edit = new Edit(new Tiles(width, height, channels));
    edit.each({ left: 0, top: 0, right: width, bottom: height }, (index, x, y, span) => {
      const from = (y * width + x) * channels;
      edit.writable(index).set(pixels.subarray(from, from + span * channels), inTile(x, y) * channels);
    });
    return edit.finish();
  }

  /** Whether nothing is painted. */
  get isEmpty() {
    for (const [index, tile] of this.tiles) {
      const { left, top, right, bottom } = this.box(index);
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          if (tile[inTile(x, y) * this.channels + this.channels - 1]) return false;
        }
      }
    }
    return true;
  }

  /** Where a tile lies, cut to the layer. */
  box(index) {
    const left = (index % this.across) * TILE;
    const top = Math.floor(index / this.across) * TILE;
    return { left, top, right: Math.min(left + TILE, this.width), bottom: Math.min(top + TILE, this.height) };
  }

  /** The value of one channel at a pixel. */
  at(x, y, channel = this.channels - 1) {
    const tile = this.tiles.get(Math.floor(y / TILE) * this.across + Math.floor(x / TILE));
    return tile ? tile[inTile(x, y) * this.channels + channel] : 0;
  }

  /** The bytes of whole rows, top to bottom, each row left to right. */
  rows(top, bottom) {
    const length = this.width * this.channels;
    const out = new Uint8Array((bottom - top) * length);
    for (let y = top; y < bottom; y++) {
      const first = Math.floor(y / TILE) * this.across;
      for (let column = 0; column < this.across; column++) {
        const tile = this.tiles.get(first + column);
        if (!tile) continue;
        const span = Math.min(TILE, this.width - column * TILE) * this.channels;
        const from = inTile(0, y) * this.channels;
        out.set(tile.subarray(from, from + span), (y - top) * length + column * TILE * this.channels);
      }
    }
    return out;
  }

  /** The layer painted everywhere: masked, or of one opaque colour. */
  filled(colour = [255, 255, 255]) {
    const tile = this.channels === 1 ? FULL : new Uint8Array(AREA * 4);
    if (this.channels === 4) for (let at = 0; at < tile.length; at += 4) tile.set([...colour, 255], at);
    return this.#with(new Map(Array.from({ length: this.across * this.down }, (_, index) => [index, tile])));
  }

  /** The layer with nothing on it. */
  cleared() {
    return this.#with(new Map());
  }

  /** The mask that repaints what this one keeps, and keeps what it repaints. */
  inverted() {
    const tiles = new Map();
    for (let index = 0; index < this.across * this.down; index++) {
      const tile = this.tiles.get(index);
      if (tile === FULL) continue;
      tiles.set(index, tile ? settled(tile.map((value) => 255 - value), 1) : FULL);
      if (!tiles.get(index)) tiles.delete(index);
    }
    return this.#with(tiles);
  }

  /** Indexes of the tiles that differ from those of a layer of the same size; all where it has another size. */
  changedFrom(other) {
    const isSame = other && other.width === this.width && other.height === this.height;
    const all = isSame ? new Set([...this.tiles.keys(), ...other.tiles.keys()]) : new Set(this.tiles.keys());
    return isSame ? [...all].filter((index) => this.tiles.get(index) !== other.tiles.get(index)) : [...all];
  }

  #with(tiles) {
    return new Tiles(this.width, this.height, this.channels, tiles);
  }
}

/** An edit on its way: nobody else sees its tiles until `finish`. */
export class Edit {
  /** @param {Tiles} base what it starts from */
  constructor(base) {
    this.base = base;
    this.changed = /** @type {Map<number, Uint8Array>} */ (new Map());
    this.dirty = /** @type {Set<number>} */ (new Set()); // tiles written since somebody last took this set
  }

  /** The tile as it is now, to be read only; undefined where it is empty. */
  tile(index) {
    return this.changed.get(index) ?? this.base.tiles.get(index);
  }

  /** A copy of the tile that may be written. */
  writable(index) {
    let tile = this.changed.get(index);
    if (!tile) {
      tile = this.base.tiles.get(index)?.slice() ?? new Uint8Array(AREA * this.base.channels);
      this.changed.set(index, tile);
    }
    this.dirty.add(index);
    return tile;
  }

  /**
   * Call `visit(index, x, y, span)` for each piece of a row in a box: `span` pixels from (x, y), all in tile `index`.
   * @param {Box} box whole pixels; it is cut to the layer
   */
  each(box, visit) {
    const { width, height, across } = this.base;
    const [left, right] = [Math.max(0, box.left), Math.min(width, box.right)];
    const [top, bottom] = [Math.max(0, box.top), Math.min(height, box.bottom)];
    for (let y = top; y < bottom; y++) {
      const row = Math.floor(y / TILE) * across;
      for (let x = left; x < right; ) {
        const column = Math.floor(x / TILE);
        const span = Math.min((column + 1) * TILE, right) - x;
        visit(row + column, x, y, span);
        x += span;
      }
    }
  }

  /** The layer with this edit in it. */
  finish() {
    if (!this.changed.size) return this.base;
    const { width, height, channels } = this.base;
    const tiles = new Map(this.base.tiles);
    for (const [index, tile] of this.changed) {
      const kept = settled(tile, channels);
      if (kept) tiles.set(index, kept);
      else tiles.delete(index);
    }
    return new Tiles(width, height, channels, tiles);
  }
}

/** The place of a pixel in its tile. */
export const inTile = (x, y) => (y % TILE) * TILE + (x % TILE);

/** The one full tile for a full one, null for an empty one, else the tile itself. */
function settled(tile, channels) {
  if (tile.every((value) => value === 0)) return null;
  return channels === 1 && tile.every((value) => value === 255) ? FULL : tile;
}

/** The layer as IndexedDB keeps it, and back. Tiles that are shared stay shared. */
export const packed = ({ width, height, channels, tiles }) => ({ width, height, channels, tiles });
export function unpacked({ width, height, channels, tiles }) {
  const found = new Map([...tiles].map(([index, tile]) => [index, settled(tile, channels)]).filter(([, tile]) => tile));
  return new Tiles(width, height, channels, found);
}
