// A grid of cards of which only those in view exist, however many there are. Pieces of the list are fetched when they
// come into view. Arrow keys, Home and End move between cards.

const PIECE = 60; // cards of one question to the server
const KEPT_ROWS = 1; // rows above and below the view that exist, too
const GAP = 8; // pixels
const SHAPE = 1.3; // height of a card by its width

/**
 * @typedef {object} Source
 * @property {(offset: number, limit: number) => Promise<{total: number, items: object[]}>} load
 * @property {(item: object|null, index: number, old: HTMLElement|null) => HTMLElement} draw  null: not there yet
 */

export class CardGrid {
  /** @param {HTMLElement} scroll  the box that scrolls, @param {Source} source */
  constructor(scroll, source) {
    this.scroll = scroll;
    this.source = source;
    this.space = document.createElement("div");
    this.space.className = "card-space";
    this.space.setAttribute("role", "list");
    scroll.replaceChildren(this.space);
    this.width = 112;
    this.round = 0;
    this.reset();
    scroll.addEventListener("scroll", () => this.draw(), { passive: true });
    scroll.addEventListener("keydown", (event) => this.pressed(event));
    scroll.addEventListener("pointerdown", () => { this.wanted = null; });
    new ResizeObserver(() => this.draw()).observe(scroll);
  }

  /** The list is another one: begin at its top. @returns {Promise<void>} when the first cards are there */
  async renew() {
    this.reset();
    this.scroll.scrollTop = 0;
    await this.fetch(0);
    this.draw();
  }

  /** Ask again for the cards in view: more is known of them. The place in the list stays. */
  async refresh() {
    this.round += 1;
    this.asked = new Set();
    const { columns, row } = this;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / row)) * columns;
    const last = first + Math.ceil(this.scroll.clientHeight / row + 1) * columns;
    const pieces = [];
    for (let piece = Math.floor(first / PIECE); piece * PIECE < Math.max(1, Math.min(last, this.total)); piece += 1) pieces.push(piece);
    for (const index of this.items.keys()) if (!pieces.includes(Math.floor(index / PIECE))) this.items.delete(index);
    await Promise.all(pieces.map((piece) => this.fetch(piece)));
    this.redraw();
  }

  /** The cards look different (one is in use now); the list is the same. */
  redraw() {
    for (const [index, node] of this.nodes) this.nodes.set(index, this.source.draw(this.items.get(index) ?? null, index, node));
  }

  /** @param {number} width  of a card in pixels, at least */
  resize(width) {
    this.width = width;
    this.draw();
  }

  reset() {
    this.round += 1;
    this.total = 0;
    this.wanted = null; // the card that gets the focus as soon as it is there
    this.items = new Map();
    this.asked = new Set();
    this.nodes = new Map();
    this.space.replaceChildren();
    this.space.style.height = "0";
  }

  get columns() {
    return Math.max(1, Math.floor((this.space.clientWidth + GAP) / (this.width + GAP)));
  }

  get cell() {
    return (this.space.clientWidth + GAP) / this.columns - GAP;
  }

  get row() {
    return this.cell * SHAPE + GAP;
  }

  async fetch(piece) {
    if (this.asked.has(piece)) return;
    this.asked.add(piece);
    const round = this.round;
    try {
      const { total, items } = await this.source.load(piece * PIECE, PIECE);
      if (round !== this.round) return;
      this.total = total;
      items.forEach((item, index) => this.items.set(piece * PIECE + index, item));
    } catch (error) {
      if (round !== this.round) return;
      this.asked.delete(piece);
      this.source.failed?.(error);
      return;
    }
    this.draw();
  }

  draw() {
    if (this.scroll.clientHeight === 0 || this.space.clientWidth === 0) return; // not in view
    const { columns, row } = this;
    this.space.style.height = `${Math.max(0, Math.ceil(this.total / columns) * row - GAP)}px`;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / row) - KEPT_ROWS) * columns;
    const rows = Math.ceil(this.scroll.clientHeight / row) + 1 + 2 * KEPT_ROWS;
    const last = Math.min(this.total, first + rows * columns);
    for (const [index, node] of this.nodes) {
      if ((index < first || index >= last) && !node.contains(document.activeElement)) {
        node.remove();
        this.nodes.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) this.place(index);
    for (let piece = Math.floor(first / PIECE); piece * PIECE < last; piece += 1) this.fetch(piece);
  }

  place(index) {
    const item = this.items.get(index) ?? null;
    const old = this.nodes.get(index) ?? null;
    const node = old && old.dataset.loaded === String(item !== null) ? old : this.source.draw(item, index, old);
    node.dataset.index = String(index);
    node.dataset.loaded = String(item !== null);
    node.setAttribute("role", "listitem");
    node.setAttribute("aria-posinset", String(index + 1));
    node.setAttribute("aria-setsize", String(this.total));
    const { columns, cell, row } = this;
    node.style.width = `${cell}px`;
    node.style.height = `${row - GAP}px`;
    node.style.transform = `translate(${(index % columns) * (cell + GAP)}px, ${Math.floor(index / columns) * row}px)`;
    if (!node.isConnected) this.insert(node, index);
    this.nodes.set(index, node);
    if (index === this.wanted && item) {
      this.wanted = null;
      const { activeElement } = document;
      const hasGoneOn = activeElement !== document.body && !this.scroll.contains(activeElement); // the card came late
      if (!hasGoneOn) node.querySelector("button")?.focus({ preventScroll: true });
    }
  }

  // in the order of the list, which is the order for the Tab key and for readers of screens
  insert(node, index) {
    const after = [...this.space.children].find((one) => Number(one.dataset.index) > index);
    this.space.insertBefore(node, after ?? null);
  }

  pressed(event) {
    const node = event.target.closest("[data-index]");
    if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
    const index = Number(node.dataset.index);
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[event.key];
    const next = event.key === "Home" ? 0 : event.key === "End" ? this.total - 1 : by === undefined ? null : index + by;
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.wanted = null;
    if (next < 0 || next >= this.total) return;
    const top = Math.floor(next / this.columns) * this.row;
    const view = this.scroll;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + this.row > view.scrollTop + view.clientHeight) view.scrollTop = top + this.row - view.clientHeight;
    this.wanted = next;
    this.draw();
  }
}
