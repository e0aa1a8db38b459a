// The handles by which the frame of outpainting is dragged: four sides for mouse, finger and keys, four corners.

import { el } from "./kit.js";
import { t } from "./language.js";
import { FARTHEST, STEP, moved } from "./canvas_frame.js";

const FAR = 8 * STEP; // pixels for an arrow key with Shift
const OUTWARD = Object.freeze({ left: [-1, 0], top: [0, -1], right: [1, 0], bottom: [0, 1] });
const CORNERS = Object.freeze([["left", "top"], ["right", "top"], ["left", "bottom"], ["right", "bottom"]]);

export class FrameHandles {
  /**
   * @param {import("./canvas_view.js").CanvasView} view
   * @param {(frame: import("./canvas_frame.js").Frame, isWhole: boolean) => void} changed `isWhole` false: on the way
   */
  constructor(view, changed) {
    [this.view, this.changed] = [view, changed];
    const names = { left: t("Left edge"), top: t("Upper edge"), right: t("Right edge"), bottom: t("Lower edge") };
    this.sides = Object.keys(OUTWARD).map((side) => this.#side(side, names[side]));
    const corners = CORNERS.map((sides) => this.#handle(sides, { "aria-hidden": "true" }));
    this.element = el("div", { class: "canvas-frame", hidden: true }, ...corners, ...this.sides);
  }

  /** Put the handles on the frame's edges. */
  place(isShown) {
    this.element.hidden = !isShown;
    if (!isShown) return;
    const { plane, frame, size } = this.view;
    const corner = plane.toView(-frame.left, -frame.top);
    const end = plane.toView(size.width + frame.right, size.height + frame.bottom);
    Object.assign(this.element.style, {
      transform: `translate(${corner.x}px, ${corner.y}px)`,
      width: `${end.x - corner.x}px`,
      height: `${end.y - corner.y}px`,
    });
    for (const handle of this.sides) {
      const pixels = frame[handle.dataset.side];
      handle.setAttribute("aria-valuenow", String(pixels));
      handle.setAttribute("aria-valuetext", t("{n} pixels", { n: pixels }));
    }
  }

  #side(side, name) {
    const handle = this.#handle([side], {
      role: "slider", tabindex: "0", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": String(FARTHEST),
      "aria-orientation": side === "left" || side === "right" ? "horizontal" : "vertical",
    }); // prettier-ignore
    handle.dataset.side = side;
    handle.addEventListener("keydown", (event) => this.#key(event, side));
    return handle;
  }

  #key(event, side) {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const [across, down] = OUTWARD[side];
    let to = null;
    if (direction) {
      const along = direction[0] * across + direction[1] * down;
      if (!along) return;
      to = this.view.frame[side] + along * (event.shiftKey ? FAR : STEP);
    } else if (event.key === "Home") to = 0;
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.changed(moved(this.view.frame, { [side]: to }, this.view.size), true);
  }

  #handle(sides, attributes) {
    const handle = el("div", { class: `canvas-handle ${sides.join(" ")}`, ...attributes });
    let from = null;
    handle.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      event.stopPropagation();
      handle.setPointerCapture(event.pointerId);
      if (attributes.role) handle.focus({ preventScroll: true });
      from = { x: event.clientX, y: event.clientY, frame: this.view.frame };
    });
    handle.addEventListener("pointermove", (event) => {
      if (!from) return;
      const { scale } = this.view.plane;
      const change = {};
      for (const side of sides) {
        const [across, down] = OUTWARD[side];
        change[side] = from.frame[side] + ((event.clientX - from.x) * across + (event.clientY - from.y) * down) / scale;
      }
      this.changed(moved(from.frame, change, this.view.size), false);
    });
    const end = (isKept) => () => {
      if (!from) return;
      const { frame } = isKept ? this.view : from;
      from = null;
      this.changed(frame, true);
    };
    handle.addEventListener("pointerup", end(true));
    handle.addEventListener("pointercancel", end(false));
    return handle;
  }
}
