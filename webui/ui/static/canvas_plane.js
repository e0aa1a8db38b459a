/**
 * Where a picture lies in its view: a plane that is moved and scaled. Only numbers, so that any component can place its
 * elements by it. Points of the view are in CSS pixels from its upper left corner, those of the picture in its pixels.
 */

import { MARGIN, fitted, zoomedAround } from "./zoom_arithmetic.js";

export class Plane {
  constructor() {
    this.view = { width: 1, height: 1 };
    this.content = { left: 0, top: 0, width: 1, height: 1 }; // what is fitted, in pixels of the picture
    this.reserved = { left: MARGIN, top: MARGIN, right: MARGIN, bottom: MARGIN }; // CSS pixels at the edges of the view
    this.zoom = 0; // CSS pixels for a pixel of the picture; 0: as large as fits
    this.x = 0; // how far the middle of the content is moved from the middle of the view
    this.y = 0;
  }

  /**
   * Where the content lies while it is fitted: in the middle, unless something that stands at an edge would cover it.
   * @returns {{scale: number, x: number, y: number}}
   */
  get fitted() {
    const { view, content, reserved } = this;
    const room = (free) => fitted({ width: Math.max(1, view.width - free.x), height: Math.max(1, view.height - free.y) }, content);
    const besides = (scale) => ({ x: (view.width - content.width * scale) / 2, y: (view.height - content.height * scale) / 2 });
    const covered = (scale) => {
      const { x, y } = besides(scale);
      return { x: x < Math.max(reserved.left, reserved.right), y: y < Math.max(reserved.top, reserved.bottom) };
    };
    const whole = room({ x: 2 * MARGIN, y: 2 * MARGIN });
    const first = covered(whole);
    if (!first.x && !first.y) return { scale: whole, x: 0, y: 0 };
    const scale = room({ x: reserved.left + reserved.right, y: reserved.top + reserved.bottom });
    const { x, y } = covered(scale);
    return { scale, x: x ? (reserved.left - reserved.right) / 2 : 0, y: y ? (reserved.top - reserved.bottom) / 2 : 0 };
  }

  get scale() {
    return this.zoom || this.fitted.scale;
  }

  /** Where the picture's upper left corner lies in the view. */
  get origin() {
    const { left, top, width, height } = this.content;
    const { scale } = this;
    const shift = this.zoom ? this : this.fitted;
    return {
      x: this.view.width / 2 + shift.x - (left + width / 2) * scale,
      y: this.view.height / 2 + shift.y - (top + height / 2) * scale,
    };
  }

  /** The point of the picture below a point of the view. */
  toPicture(x, y) {
    const { origin, scale } = this;
    return { x: (x - origin.x) / scale, y: (y - origin.y) / scale };
  }

  /** The point of the view above a point of the picture. */
  toView(x, y) {
    const { origin, scale } = this;
    return { x: origin.x + x * scale, y: origin.y + y * scale };
  }

  fit() {
    Object.assign(this, { zoom: 0, x: 0, y: 0 });
  }

  /** Change the scale by a factor; the point of the picture below (x, y) stays there. */
  zoomBy(factor, x = this.view.width / 2, y = this.view.height / 2) {
    const old = this.scale;
    const from = this.zoom ? this : this.fitted;
    const at = { x: x - this.view.width / 2, y: y - this.view.height / 2 };
    Object.assign(this, zoomedAround(from, old, old * factor, at));
  }

  /** One pixel of the picture on one of the screen. */
  actual(x, y) {
    this.zoomBy(1 / (globalThis.devicePixelRatio || 1) / this.scale, x, y);
  }

  /** Move the picture. A fitted one is no longer fitted then. */
  pan(dx, dy) {
    if (!this.zoom) {
      const { scale, x, y } = this.fitted;
      Object.assign(this, { zoom: scale, x, y });
    }
    this.x += dx;
    this.y += dy;
  }

  /** Change what is fitted without moving the picture on the screen, unless it is fitted. */
  hold(content) {
    const before = this.origin;
    this.content = content;
    if (!this.zoom) return;
    const after = this.origin;
    this.x += before.x - after.x;
    this.y += before.y - after.y;
  }
}
