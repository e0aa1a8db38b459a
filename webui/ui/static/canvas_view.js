// How the canvas looks: picture, paint and mask on one plane that is moved and scaled; ring, selection and frame over it.

import { el } from "./kit.js";
import { t } from "./language.js";
import { NONE, grown, grows } from "./canvas_frame.js";
import { Plane } from "./canvas_plane.js";
import { Surface, colourOf } from "./canvas_surface.js";

const SVG = "http://www.w3.org/2000/svg";
const CRISP = 3; // CSS pixels for a pixel of the picture from which it is shown in squares

export class CanvasView {
  constructor() {
    this.plane = new Plane();
    this.paint = new Surface("canvas-paint");
    this.mask = new Surface("canvas-mask");
    this.picture = el("img", { class: "canvas-picture", id: "img2img_image", alt: t("The picture to start from"), draggable: "false", hidden: true });
    this.result = el("img", { class: "canvas-result", alt: t("The result, for comparison"), draggable: "false", hidden: true });
    this.maps = el("div", { class: "canvas-maps", "aria-hidden": "true" });
    this.regions = el("div", { class: "canvas-regions" });
    this.sheet = el("div", { class: "canvas-plane" }, this.picture, this.maps, this.paint.element, this.mask.element, this.regions);
    this.ground = el("div", { class: "canvas-ground", hidden: true });
    this.selection = document.createElementNS(SVG, "svg");
    this.selection.setAttribute("class", "canvas-selection");
    this.selection.setAttribute("aria-hidden", "true");
    this.ring = el("div", { class: "canvas-ring", hidden: true, "aria-hidden": "true" }, el("i", {}));
    this.help = el("p", { class: "canvas-hidden", id: "canvas_help" }, help());
    this.element = el(
      "div",
      { class: "canvas-view", tabindex: "0", role: "application", "aria-label": t("Canvas"), "aria-describedby": "canvas_help" },
      this.ground, this.sheet, this.result, this.selection, this.ring,
    ); // prettier-ignore
    this.frame = NONE;
    this.size = { width: 1, height: 1 };
    this.reserved = () => this.plane.reserved; // what stands at the edges, in CSS pixels
    this.placed = () => {}; // called whenever the picture was moved or scaled
    new ResizeObserver(() => this.measure()).observe(this.element);
  }

  /** Show a document. */
  show({ source, mask, paint, frame }) {
    const isNew = this.picture.src !== (source?.url ?? "") && Boolean(source);
    if (isNew) this.picture.src = source.url;
    this.picture.hidden = !source;
    if (source) this.size = { width: source.width, height: source.height };
    this.mask.show(mask);
    this.paint.show(paint);
    this.showFrame(frame);
  }

  /** Show a frame; `isWhole` false: while it is dragged, when the picture must not move under the pointer. */
  showFrame(frame, isWhole = true) {
    this.frame = frame;
    const { width, height } = grown(frame, this.size);
    const content = { left: -frame.left, top: -frame.top, width, height };
    if (isWhole) this.plane.hold(content);
    this.place();
  }

  measure() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return; // out of view
    this.plane.view = { width, height };
    this.plane.reserved = this.reserved();
    this.place();
  }

  /** Put everything where the plane says. */
  place() {
    const { scale, origin } = this.plane;
    const at = (left, top, width, height) => ({
      transform: `translate(${left}px, ${top}px)`,
      width: `${width}px`,
      height: `${height}px`,
    });
    const { width, height } = this.size;
    Object.assign(this.sheet.style, at(origin.x, origin.y, width * scale, height * scale));
    this.sheet.classList.toggle("crisp", scale >= CRISP);
    const outer = grown(this.frame, this.size);
    const corner = this.plane.toView(-this.frame.left, -this.frame.top);
    for (const one of [this.ground, this.result]) {
      Object.assign(one.style, at(corner.x, corner.y, outer.width * scale, outer.height * scale));
    }
    this.ground.hidden = !grows(this.frame);
    this.placed();
  }

  /** The point of the picture below a point of the view. */
  toPicture({ x, y }) {
    return this.plane.toPicture(x, y);
  }

  /** Show the brush at a point of the view; null hides it. */
  showRing(point, size, hardness) {
    this.ring.hidden = !point;
    if (!point) return;
    const across = Math.max(4, size * this.plane.scale);
    Object.assign(this.ring.style, { width: `${across}px`, height: `${across}px`, transform: `translate(${point.x - across / 2}px, ${point.y - across / 2}px)` });
    this.ring.style.setProperty("--inner", String(hardness));
  }

  /** Show the outline of a selection, in points of the picture; null hides it. */
  outline(points) {
    this.selection.replaceChildren();
    if (!points) return;
    const inView = points.map(({ x, y }) => this.plane.toView(x, y)).map(({ x, y }) => `${x},${y}`);
    for (const kind of ["under", "over"]) {
      const line = document.createElementNS(SVG, "polygon");
      line.setAttribute("points", inView.join(" "));
      line.setAttribute("class", kind);
      this.selection.append(line);
    }
  }

  /** Take the mask's colour from the stylesheet. */
  recolour() {
    this.mask.recolour(colourOf(getComputedStyle(this.element).getPropertyValue("--mask")));
  }

  /** Show maps of ControlNet over the picture. @param {{name: string, url: string, isShown: boolean}[]} maps */
  showMaps(maps) {
    this.maps.replaceChildren(...maps.filter((map) => map.isShown).map((map) => el("img", { src: map.url, alt: "" })));
  }

  /** Show named rectangles. @param {{name: string, left: number, top: number, width: number, height: number}[]} regions */
  showRegions(regions) {
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    const drawn = regions.map((one) => {
      const box = el("div", { class: "canvas-region" }, el("span", {}, one.name));
      const { width, height } = this.size;
      Object.assign(box.style, { left: percent(one.left, width), top: percent(one.top, height) });
      Object.assign(box.style, { width: percent(one.width, width), height: percent(one.height, height) });
      return box;
    });
    this.regions.replaceChildren(...drawn);
  }
}

/** What the keys do, for those who do not see the tools. */
const help = () =>
  t(
    "Arrow keys move the brush, with Shift further. Enter paints there; with the rectangle it sets one corner, then the other; with the lasso it sets a point, and Shift+Enter closes the shape. B brush, E eraser, R rectangle, L lasso, I inverts, square brackets change the size, Control Z undoes.",
  );
