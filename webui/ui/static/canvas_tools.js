// The tools: what a press, a move and a release do to the document. Points are in pixels of the picture.

import { Stroke, lasso, radiusOf, rectangle } from "./canvas_brush.js";

/**
 * @typedef {object} Desk what the tools work on
 * @property {() => import("./canvas_tiles.js").Tiles} layer that is painted on
 * @property {(layer: import("./canvas_tiles.js").Tiles) => void} done makes a step of it
 * @property {() => {size: number, hardness: number, colour: number[], subtracts: boolean}} settings
 * @property {(edit: import("./canvas_tiles.js").Edit) => void} follow shows an edit on its way
 * @property {(edit: import("./canvas_tiles.js").Edit) => void} revert
 * @property {(points: {x: number, y: number}[] | null, isClosed?: boolean) => void} outline shows a selection
 * @property {(point: {x: number, y: number}) => void} pick takes the colour there
 */

const NEAR = 0.02; // share of the radius below which a brush has not moved
const CLOSE = 1.5; // a lasso's point is taken where it is this far from the last one

class Brush {
  /** @param {Desk} desk */
  constructor(desk, erases) {
    [this.desk, this.erases, this.stroke, this.last, this.frame] = [desk, erases, null, null, null];
  }

  down(point, event) {
    const { hardness, colour } = this.desk.settings();
    this.stroke = new Stroke(this.desk.layer(), { erases: this.erases, hardness, colour });
    const radius = this.#radius(event);
    if (event.shiftKey && this.last) this.stroke.to(this.last.x, this.last.y, radius); // a line from where the last stroke ended
    this.#to(point, radius);
  }

  move(point, event) {
    this.#to(point, this.#radius(event));
  }

  up() {
    const done = this.stroke.finish();
    this.stroke = null;
    this.desk.done(done);
  }

  cancel() {
    if (this.stroke) this.desk.revert(this.stroke.edit);
    this.stroke = null;
  }

  #to(point, radius) {
    const { last } = this.stroke;
    const isNear = last && Math.hypot(point.x - last.x, point.y - last.y) < NEAR * radius && last.radius === radius;
    if (isNear) return; // a fast mouse tells more points than can be seen
    this.stroke.to(point.x, point.y, radius);
    this.last = point;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.stroke) this.desk.follow(this.stroke.edit);
    });
  }

  #radius(event) {
    return radiusOf(this.desk.settings().size, event.pointerType, event.pressure);
  }
}

/** Rectangle and lasso: an outline that is filled on release. */
class Area {
  constructor(desk, pointsOf, paint) {
    [this.desk, this.pointsOf, this.paint, this.points] = [desk, pointsOf, paint, []];
  }

  down(point) {
    this.points = [point];
  }

  move(point) {
    this.points = this.pointsOf(this.points, point);
    this.desk.outline(this.points);
  }

  up(event) {
    const { colour, subtracts } = this.desk.settings();
    const [points, erases] = [this.points, subtracts !== event.altKey];
    this.cancel();
    if (points.length > 1) this.desk.done(this.paint(this.desk.layer(), points, { erases, colour, hardness: 1 }));
  }

  cancel() {
    this.points = [];
    this.desk.outline(null);
  }
}

class Picker {
  constructor(desk) {
    this.desk = desk;
  }

  down(point) {
    this.desk.pick(point);
  }

  move(point) {
    this.desk.pick(point);
  }

  up() {}

  cancel() {}
}

/** The tools by name. */
export function tools(desk) {
  const corners = ([first], { x, y }) => [first, { x, y: first.y }, { x, y }, { x: first.x, y }];
  const trail = (points, point) => {
    const last = points[points.length - 1];
    return Math.hypot(point.x - last.x, point.y - last.y) < CLOSE ? points : [...points, point];
  };
  const box = (layer, points, ink) => rectangle(layer, points[0], points[2], ink);
  return Object.freeze({
    brush: new Brush(desk, false),
    eraser: new Brush(desk, true),
    rectangle: new Area(desk, corners, box),
    lasso: new Area(desk, trail, lasso),
    picker: new Picker(desk),
  });
}
