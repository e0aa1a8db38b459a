// Mouse, pen, fingers and wheel over the canvas, told apart: painting, moving the picture, zooming.

import { wheelFactor } from "./zoom_arithmetic.js";

/**
 * @typedef {object} Heard what the gestures call; points are in CSS pixels from the view's upper left corner
 * @property {(point: Point, event: PointerEvent) => boolean} down whether something begins there
 * @property {(point: Point, event: PointerEvent) => void} move
 * @property {(event: PointerEvent) => void} up
 * @property {() => void} cancel what began is taken back
 * @property {(point: Point | null, event?: PointerEvent) => void} hover null: the pointer has left
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, point: Point) => void} zoom
 * @property {(factor: number) => void} resize the brush
 * @typedef {{x: number, y: number}} Point
 */

export class Gestures {
  /**
   * @param {HTMLElement} view
   * @param {Heard} heard
   */
  constructor(view, heard) {
    [this.view, this.heard] = [view, heard];
    this.pointers = /** @type {Map<number, PointerEvent>} */ (new Map());
    this.paints = null; // the id of the pointer that paints
    this.isPanning = false; // while Space is held
    view.addEventListener("pointerdown", (event) => this.#down(event));
    view.addEventListener("pointermove", (event) => this.#move(event));
    view.addEventListener("pointerup", (event) => this.#up(event, true));
    view.addEventListener("pointercancel", (event) => this.#up(event, false));
    view.addEventListener("pointerleave", () => heard.hover(null));
    view.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    view.addEventListener("auxclick", (event) => event.button === 1 && event.preventDefault());
  }

  /** Space moves the picture while it is held. */
  set panning(is) {
    this.isPanning = is;
    this.view.classList.toggle("panning", is);
  }

  point(event) {
    const box = this.view.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #down(event) {
    if (event.target.closest("button, input, .canvas-handle") || event.button > 1) return;
    const pens = [...this.pointers.values()].some((one) => one.pointerType === "pen");
    if (pens && event.pointerType === "touch") return; // the palm beside the pen
    this.view.focus({ preventScroll: true });
    this.view.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size > 1) {
      this.#giveUp(); // the second finger turns a stroke into a pinch
      return;
    }
    if (event.button === 1) event.preventDefault(); // no scrolling by the middle button
    const mayPaint = event.button === 0 && !this.isPanning;
    if (mayPaint && this.heard.down(this.point(event), event)) this.paints = event.pointerId;
  }

  #move(event) {
    const point = this.point(event);
    this.heard.hover(event.pointerType === "touch" ? null : point, event);
    const old = this.pointers.get(event.pointerId);
    if (!old) return;
    this.pointers.set(event.pointerId, event);
    const other = [...this.pointers.values()].find((one) => one.pointerId !== event.pointerId);
    if (other) {
      const far = (one) => Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      this.heard.pan((event.clientX - old.clientX) / 2, (event.clientY - old.clientY) / 2);
      this.heard.zoom(far(event) / far(old), this.point(middle));
    } else if (this.paints === event.pointerId) {
      const parts = event.getCoalescedEvents?.() ?? [];
      for (const part of parts.length ? parts : [event]) this.heard.move(this.point(part), part);
    } else if (this.paints === null) {
      this.heard.pan(event.clientX - old.clientX, event.clientY - old.clientY);
    }
  }

  #up(event, isWhole) {
    if (!this.pointers.delete(event.pointerId) || this.paints !== event.pointerId) return;
    if (!isWhole) {
      this.#giveUp();
      return;
    }
    this.paints = null;
    this.heard.up(event);
  }

  #giveUp() {
    if (this.paints === null) return;
    this.paints = null;
    this.heard.cancel();
  }

  #wheel(event) {
    event.preventDefault();
    const amount = event.deltaY || event.deltaX; // with Shift some systems turn the wheel sideways
    if (event.shiftKey) this.heard.resize(Math.exp(-amount * 0.001));
    else this.heard.zoom(wheelFactor(event), this.point(event));
  }
}
