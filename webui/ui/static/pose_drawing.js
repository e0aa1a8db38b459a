// People drawn as OpenPose draws them, as SVG whose parts can be moved. The map that a control network gets is drawn by
// the server from the same numbers.

import { FINGERS, hueOf, jointNames, LIMBS } from "./pose_figure.js";

/** @typedef {import("./pose_figure.js").Person} Person */
/** @typedef {import("./pose_figure.js").Point} Point */

const SPACE = "http://www.w3.org/2000/svg";
const JOINT = 4; // pixels of the map
const LIMB = 4;

/** @param {string} name @param {Record<string, string|number>} attributes */
export function svg(name, attributes = {}) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

const put = (/** @type {Element} */ node, /** @type {Record<string, string|number>} */ values) => {
  for (const [key, value] of Object.entries(values)) node.setAttribute(key, String(value));
};
const hide = (/** @type {Element} */ node, /** @type {boolean} */ is) => { /** @type {SVGElement} */ (node).style.display = is ? "none" : ""; };

/** The drawing of one person. `place` shows where they are now. */
export class Figure {
  constructor(/** @type {number} */ number) {
    this.number = number;
    this.limbs = LIMBS.map((_, at) => svg("ellipse", { ry: LIMB, fill: hueOf(at), "fill-opacity": 0.6, class: "pose-limb", "data-person": number }));
    this.hands = ["left", "right"].map(() => ({ lines: FINGERS.map((_, at) => svg("line", { stroke: hueOf(at, FINGERS.length), "stroke-width": 2 })), dots: Array.from({ length: 21 }, () => svg("circle", { r: JOINT, fill: "rgb(0 0 255)" })) }));
    this.face = Array.from({ length: 70 }, () => svg("circle", { r: 3, fill: "white" }));
    this.joints = jointNames().map((name, at) => {
      const joint = svg("g", { class: "pose-joint", role: "button", tabindex: 0, "data-person": number, "data-joint": at });
      joint.append(svg("circle", { r: 14, class: "pose-hold" }), svg("circle", { r: JOINT, fill: hueOf(at) }));
      return { name, joint };
    });
    this.node = svg("g", { "data-person": number });
    this.node.append(...this.limbs, ...this.hands.flatMap((hand) => [...hand.lines, ...hand.dots]), ...this.face, ...this.joints.map((one) => one.joint));
  }

  place(/** @type {Person} */ person, /** @type {(name: string, point: {x: number, y: number}) => string} */ words) {
    LIMBS.forEach(([from, to], at) => this.#limb(this.limbs[at], person.body[from], person.body[to]));
    this.joints.forEach(({ name, joint }, at) => {
      const point = person.body[at];
      hide(joint, !point);
      if (point) put(joint, { transform: `translate(${point.x} ${point.y})`, "aria-label": words(name, point) });
    });
    [person.left, person.right].forEach((points, side) => {
      FINGERS.forEach(([from, to], at) => this.#line(this.hands[side].lines[at], points[from], points[to]));
      this.hands[side].dots.forEach((dot, at) => this.#dot(dot, points[at]));
    });
    this.face.forEach((dot, at) => this.#dot(dot, person.face[at]));
  }

  #dot(/** @type {Element} */ node, /** @type {Point|undefined} */ point) {
    hide(node, !point);
    if (point) put(node, { cx: point.x, cy: point.y });
  }

  #line(/** @type {Element} */ node, /** @type {Point|undefined} */ from, /** @type {Point|undefined} */ to) {
    hide(node, !from || !to);
    if (from && to) put(node, { x1: from.x, y1: from.y, x2: to.x, y2: to.y });
  }

  #limb(/** @type {Element} */ node, /** @type {Point} */ from, /** @type {Point} */ to) {
    hide(node, !from || !to);
    if (!from || !to) return;
    const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
    const angle = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
    put(node, { rx: Math.hypot(to.x - from.x, to.y - from.y) / 2, transform: `translate(${x} ${y}) rotate(${angle})` });
  }
}
