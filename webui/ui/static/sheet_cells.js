// The cells of a sheet with their legend. Only those near the view exist, each at its place by a transform, so that a plot
// of a thousand cells opens as soon as one of nine.
import { el, icon } from "./kit.js";
import { t } from "./language.js";
import { cellAt, placeOf, sizesOf, spokenOf } from "./sheet_data.js";
import { address } from "./stream.js";

/** @typedef {import("./sheet_data.js").Sheet} Sheet */

const HEAD = 24; // CSS pixels of the values above the columns
const EXTEND = 26; // of the button that adds a value
const LEAST = 64; // side of a cell
const AIR = 12;
const LETTER = 7; // about the width of one
const SPARE = 1; // cells that exist around those in view
const ZOOMS = [0.25, 8];
const DRAG = 5; // pixels after which a press is no click

export class SheetCells {
  /** @type {Sheet|null} */
  #sheet = null;
  #z = 0;
  #zoom = 1;
  #marks = /** @type {number[][]} */ ([]);
  #step = "";
  #share = 0;
  #active = [0, 0];
  #nodes = new Map(); // "x,y" -> button
  #waiting = 0;
  #dragged = false;

  /** @param {{chosen: (at: number[], isSecond: boolean) => void, extend: (axis: number, button: HTMLElement) => void}} does */
  constructor(does) {
    this.does = does;
    this.heads = el("div", { class: "s-heads", "aria-hidden": "true" });
    this.sides = el("div", { class: "s-sides", "aria-hidden": "true" });
    this.corner = el("div", { class: "s-corner", "aria-hidden": "true" });
    this.cells = el("div", { class: "s-cells", role: "group", "aria-label": t("Sheet: arrow keys go from cell to cell") });
    this.more = [0, 1].map((axis) => {
      const button = el("button", { type: "button", class: `s-extend s-extend-${"xy"[axis]}` }, icon("plus"));
      button.addEventListener("click", () => does.extend(axis, button));
      return button;
    });
    this.plot = el("div", { class: "s-plot" }, this.cells, this.heads, this.sides, this.corner, ...this.more);
    this.element = el("div", { class: "s-view" }, this.plot);
    this.element.addEventListener("scroll", () => this.later(), { passive: true });
    this.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.cells.addEventListener("click", (event) => this.#click(event));
    this.cells.addEventListener("keydown", (event) => this.#key(event));
    this.#dragging();
    new ResizeObserver(() => this.later()).observe(this.element);
  }

  /**
   * @param {Sheet} sheet
   * @param {{z: number, marks: number[][], step: string, share: number, canExtend: boolean}} now `step` and `share` of the cell that runs
   */
  show(sheet, { z, marks, step, share, canExtend }) {
    if (sheet.id !== this.#sheet?.id) {
      this.#zoom = 1;
      this.#active = [0, 0];
    }
    this.#sheet = sheet;
    this.#z = z;
    this.#marks = marks;
    this.#step = step;
    this.#share = share;
    this.more.forEach((button, axis) => {
      const named = sheet.axes[axis];
      button.hidden = !canExtend || !named || sheet.isWrapped;
      const name = t("One more value of {name}: only the new cells are made", { name: named ? t(named.label) : "" });
      button.setAttribute("aria-label", name);
      button.title = name;
    });
    this.draw();
  }

  later() {
    cancelAnimationFrame(this.#waiting);
    this.#waiting = requestAnimationFrame(() => this.draw());
  }

  zoomBy(factor, at = null) {
    const room = this.element;
    const point = at ?? { x: room.clientWidth / 2, y: room.clientHeight / 2 };
    const before = this.#metrics();
    const zoom = Math.min(ZOOMS[1], Math.max(ZOOMS[0], this.#zoom * factor));
    if (zoom === this.#zoom || !before) return;
    const share = { x: (room.scrollLeft + point.x) / before.whole.width, y: (room.scrollTop + point.y) / before.whole.height };
    this.#zoom = zoom;
    this.draw();
    const after = this.#metrics();
    room.scrollLeft = share.x * after.whole.width - point.x;
    room.scrollTop = share.y * after.whole.height - point.y;
    this.draw();
  }

  fit() {
    this.#zoom = 1;
    this.draw();
  }

  /** Put the focus on a cell, and bring it into view. */
  focus([x, y] = this.#active) {
    const m = this.#metrics();
    if (!m) return;
    this.#active = [Math.max(0, Math.min(x, m.columns - 1)), Math.max(0, Math.min(y, m.rows - 1))];
    const room = this.element;
    const [left, top] = [m.left + m.side + this.#active[0] * m.across, m.top + m.head + this.#active[1] * m.down];
    if (left - m.side < room.scrollLeft) room.scrollLeft = left - m.side;
    else if (left + m.width > room.scrollLeft + room.clientWidth) room.scrollLeft = left + m.width - room.clientWidth + AIR;
    if (top - m.head < room.scrollTop) room.scrollTop = top - m.head;
    else if (top + m.height > room.scrollTop + room.clientHeight) room.scrollTop = top + m.height - room.clientHeight + AIR;
    this.draw();
    this.#nodes.get(this.#active.join())?.focus({ preventScroll: true });
  }

  // ---- measures

  #metrics() {
    const sheet = this.#sheet;
    const room = { width: this.element.clientWidth, height: this.element.clientHeight };
    if (!sheet || !room.width || !room.height) return null;
    const [nx, ny] = sizesOf(sheet);
    const columns = sheet.isWrapped ? columnsFor(nx, room, sheet.aspect) : nx;
    const rows = sheet.isWrapped ? Math.ceil(nx / columns) : ny;
    const hasLegend = sheet.look.legend && !sheet.isWrapped;
    const gap = Math.max(2, sheet.look.margin);
    const longest = Math.max(0, ...(sheet.axes[1]?.values ?? []).map((one) => one.length), sheet.axes[1] ? t(sheet.axes[1].label).length + 2 : 0);
    const side = hasLegend && sheet.axes[1] ? Math.min(room.width < 480 ? 76 : 150, longest * LETTER + 14) : 0;
    const head = hasLegend ? HEAD : 0;
    const ends = [this.more[0].hidden ? 0 : EXTEND + gap, this.more[1].hidden ? 0 : EXTEND + gap];
    const wide = (room.width - 2 * AIR - side - ends[0]) / columns - gap;
    const high = (room.height - AIR - head - ends[1]) / rows - gap;
    const width = Math.max(LEAST, Math.min(wide, high * sheet.aspect)) * this.#zoom;
    const height = width / sheet.aspect;
    const [across, down] = [width + gap, height + gap];
    const whole = { width: side + columns * across + ends[0], height: head + rows * down + ends[1] };
    const left = Math.max(AIR, (room.width - whole.width) / 2);
    const top = Math.max(0, (room.height - whole.height) / 2);
    return { room, columns, rows, side, head, width, height, across, down, gap, whole, left, top, hasLegend };
  }

  // ---- drawing

  draw() {
    const m = this.#metrics();
    if (!m) return;
    const { scrollLeft, scrollTop } = this.element;
    Object.assign(this.plot.style, { width: `${m.whole.width}px`, height: `${m.whole.height}px`, left: `${m.left}px`, top: `${m.top}px` });
    const from = (scroll, start, each) => Math.max(0, Math.floor((scroll - start) / each) - SPARE);
    const to = (scroll, room, start, each, count) => Math.min(count, Math.ceil((scroll + room - start) / each) + SPARE);
    const x = [from(scrollLeft, m.left + m.side, m.across), to(scrollLeft, m.room.width, m.left + m.side, m.across, m.columns)];
    const y = [from(scrollTop, m.top + m.head, m.down), to(scrollTop, m.room.height, m.top + m.head, m.down, m.rows)];
    this.#drawCells(m, x, y);
    this.#drawLegend(m, x, y, { left: Math.max(0, scrollLeft - m.left), top: Math.max(0, scrollTop - m.top) });
    const [right, below] = this.more;
    Object.assign(right.style, { left: `${m.side + m.columns * m.across}px`, top: `${m.head}px`, width: `${EXTEND}px`, height: `${m.rows * m.down - m.gap}px` });
    Object.assign(below.style, { left: `${m.side}px`, top: `${m.head + m.rows * m.down}px`, width: `${m.columns * m.across - m.gap}px`, height: `${EXTEND}px` });
  }

  #drawCells(m, x, y) {
    const wanted = new Set();
    const hadFocus = this.cells.contains(document.activeElement);
    const count = this.#sheet.isWrapped ? sizesOf(this.#sheet)[0] : Infinity;
    for (let row = y[0]; row < y[1]; row += 1)
      for (let column = x[0]; column < x[1]; column += 1) {
        if (row * m.columns + column >= count) continue;
        const key = `${column},${row}`;
        wanted.add(key);
        let node = this.#nodes.get(key);
        if (!node) {
          node = el("button", { type: "button", class: "s-cell", "data-at": key });
          this.#nodes.set(key, node);
          this.cells.append(node);
        }
        this.#fill(node, column, row, m);
        const place = `translate(${m.side + column * m.across}px, ${m.head + row * m.down}px)`;
        if (node.style.transform !== place) node.style.transform = place;
        const size = `${m.width}px`;
        if (node.style.width !== size) Object.assign(node.style, { width: size, height: `${m.height}px` });
      }
    for (const [key, node] of this.#nodes)
      if (!wanted.has(key)) {
        node.remove();
        this.#nodes.delete(key);
      }
    if (hadFocus && !this.cells.contains(document.activeElement)) this.#nodes.get(this.#active.join())?.focus({ preventScroll: true });
  }

  /** The place in the plot of a cell of the sheet in view. */
  #placeOf(column, row, columns) {
    return this.#sheet.isWrapped ? [row * columns + column, 0, 0] : [column, row, this.#z];
  }

  #fill(node, column, row, m) {
    const at = this.#placeOf(column, row, m.columns);
    const cell = cellAt(this.#sheet, at);
    const mark = this.#marks.findIndex((one) => one.join() === at.join());
    const isRunning = cell.state === "running";
    const url = cell.state === "there" ? (m.width > 280 ? cell.picture : (cell.thumb ?? cell.picture)) : null;
    node.tabIndex = column === this.#active[0] && row === this.#active[1] ? 0 : -1;
    const step = isRunning ? this.#step : "";
    const drawn = JSON.stringify([cell.state, url, mark, step, this.#z, cell.error, this.#sheet.id, placeOf(this.#sheet, at)]);
    if (node.dataset.drawn !== drawn) {
      node.dataset.drawn = drawn;
      node.dataset.state = cell.state;
      node.setAttribute("aria-label", spokenOf(cell, placeOf(this.#sheet, at), step));
      node.setAttribute("aria-pressed", String(mark >= 0));
      const old = node.querySelector("img");
      const image = url && (old?.getAttribute("src") === address(url) ? old : el("img", { src: address(url), alt: "", decoding: "async", draggable: "false" }));
      node.replaceChildren(...[
        image,
        isRunning && el("small", { "aria-hidden": "true" }, step),
        isRunning && el("i", { class: "s-share" }, el("i", {})),
        cell.state === "failed" && el("small", { class: "s-why", "aria-hidden": "true" }, cell.error || t("failed")),
        mark >= 0 && el("b", { class: "s-mark", "aria-hidden": "true" }, "AB"[mark]),
      ].filter(Boolean)); // prettier-ignore
    }
    if (isRunning) node.querySelector(".s-share > i").style.transform = `scaleX(${this.#share})`;
  }

  #drawLegend(m, x, y, moved) {
    const [ax, ay] = this.#sheet.axes;
    for (const part of [this.heads, this.sides, this.corner]) part.hidden = !m.hasLegend;
    if (!m.hasLegend) return;
    Object.assign(this.heads.style, { transform: `translateY(${moved.top}px)`, height: `${m.head}px`, width: `${m.whole.width}px` });
    Object.assign(this.sides.style, { transform: `translateX(${moved.left}px)`, width: `${m.side}px`, height: `${m.whole.height}px` });
    Object.assign(this.corner.style, { transform: `translate(${moved.left}px, ${moved.top}px)`, width: `${m.side}px`, height: `${m.head}px` });
    this.corner.textContent = ay ? `${t(ay.label)} ↓` : "";
    const each = (from, to, make) => Array.from({ length: Math.max(0, to - from) }, (_, n) => make(from + n));
    const name = (at) => at === 0 && ax.label && el("small", {}, `${t(ax.label)} `);
    this.heads.replaceChildren(...each(x[0], x[1], (at) => el("span", { title: ax.values[at], style: `left:${m.side + at * m.across}px;width:${m.width}px` }, name(at), ax.values[at])));
    this.sides.replaceChildren(...(ay ? each(y[0], y[1], (at) => el("span", { title: ay.values[at], style: `top:${m.head + at * m.down}px;height:${m.height}px` }, el("span", {}, ay.values[at]))) : []));
  }

  // ---- what people do

  #click(event) {
    const node = event.target.closest(".s-cell");
    if (!node || this.#dragged) return;
    this.#choose(node, event.shiftKey);
  }

  #choose(node, isSecond) {
    const [column, row] = node.dataset.at.split(",").map(Number);
    this.#active = [column, row];
    this.does.chosen(this.#placeOf(column, row, this.#metrics().columns), isSecond);
  }

  #key(event) {
    const node = event.target.closest(".s-cell");
    if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
    const [x, y] = node.dataset.at.split(",").map(Number);
    const to = { ArrowLeft: [x - 1, y], ArrowRight: [x + 1, y], ArrowUp: [x, y - 1], ArrowDown: [x, y + 1], Home: [0, y], End: [Infinity, y], PageUp: [x, 0], PageDown: [x, Infinity] }[event.key];
    if (to) this.focus(to);
    else if (event.key === "Enter" || event.key === " ") this.#choose(node, event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #wheel(event) {
    if (event.shiftKey) return; // scrolls
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    this.zoomBy(Math.exp(-event.deltaY * 0.0015), { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  // A mouse moves the sheet by dragging it; fingers scroll by themselves.
  #dragging() {
    let from = null;
    this.element.addEventListener("pointerdown", (event) => {
      this.#dragged = false;
      if (event.pointerType !== "mouse" || event.button) return;
      from = { x: event.clientX, y: event.clientY, left: this.element.scrollLeft, top: this.element.scrollTop };
    });
    window.addEventListener("pointermove", (event) => {
      if (!from) return;
      if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > DRAG) this.#dragged = true;
      if (!this.#dragged) return;
      this.element.scrollLeft = from.left + from.x - event.clientX;
      this.element.scrollTop = from.top + from.y - event.clientY;
    });
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => { from = null; });
  }
}

// How many columns make the cells largest, where the places do not come from two axes.
function columnsFor(count, room, aspect) {
  let best = 1, largest = 0;
  for (let columns = 1; columns <= Math.min(count, 100); columns += 1) {
    const width = Math.min(room.width / columns, (room.height / Math.ceil(count / columns)) * aspect);
    if (width > largest) [best, largest] = [columns, width];
  }
  return Math.max(1, best);
}
