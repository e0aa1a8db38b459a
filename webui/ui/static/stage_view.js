// How the stage looks: the plane with the picture, progress on its lower edge, zoom. It knows no jobs.

import { el } from "./kit.js";
import { t } from "./language.js";
import { PictureCompare } from "./picture_compare.js";
import { boxesOf } from "./place_boxes.js";
import { FITTED, boxOf, held, listen, zoomedTo } from "./plane.js";

const OWN_GESTURES = "button, a, .handle, .parameters, .batch, .empty";
const CRISP = 3; // device pixels per picture pixel from which pixels are shown as squares

export class StageView {
  /** @type {import("./plane.js").Place} */
  place = FITTED;
  /** @type {import("./plane.js").Size} */
  size = { width: 1, height: 1 };
  #wanted = "";

  /**
   * @param {{swiped: (direction: 1|-1) => void, zoomed: (words: string) => void}} heard what the user did with it
   */
  constructor(heard) {
    this.heard = heard;
    this.now = el("img", { class: "now", alt: "", hidden: true, draggable: "false" });
    this.places = el("div", { class: "places" });
    this.plane = el("div", { class: "plane" }, this.now, this.places);
    this.bar = el("i", {});
    this.edge = el(
      "div",
      { class: "edge", role: "progressbar", "aria-label": t("Progress"), "aria-valuemin": "0", "aria-valuemax": "100", hidden: true },
      this.bar,
    ); // prettier-ignore
    this.batch = el("div", { class: "batch", hidden: true });
    this.element = el(
      "div",
      { class: "view", tabindex: "0", role: "group", "aria-label": t("Picture. Arrow keys show other pictures, plus and minus zoom") },
      this.plane, this.batch, this.edge,
    ); // prettier-ignore
    this.compare = new PictureCompare(this.element, this.plane, () => this.draw());
    listen(
      this.element,
      {
        zoomBy: (factor, at) => this.zoomBy(factor, at),
        panBy: (x, y) => this.panBy(x, y),
        toggle: (at) => (this.place.zoom === null ? this.zoomTo(this.full, at) : this.fit()),
        swiped: (direction) => heard.swiped(direction),
        canPan: () => this.place.zoom !== null,
      },
      OWN_GESTURES,
    );
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** The zoom at which a pixel of the picture is a pixel of the screen. */
  get full() {
    return 1 / window.devicePixelRatio;
  }

  get #room() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  /**
   * Show a picture as soon as it is decoded; until then the last one stays, so that nothing flashes.
   *
   * @param {string} url "" for none
   * @param {import("./plane.js").Size} size in which it is shown, in pixels of the finished picture; width 0: its own
   * @param {string} alt
   * @param {boolean} [mayFail] whether the last picture simply stays when this one cannot be loaded
   */
  async show(url, size, alt, mayFail = false) {
    if (url === this.#wanted) {
      this.now.alt = alt;
      if (url && size.width) this.#sized(size);
      return;
    }
    this.#wanted = url;
    if (!url) {
      this.now.hidden = true;
      this.now.removeAttribute("src"); // nothing keeps a picture that is gone
      this.now.alt = "";
      return;
    }
    const next = el("img", { class: "now", alt, draggable: "false" });
    next.src = url;
    const isThere = await next.decode().then(() => true, () => false); // prettier-ignore
    if (url !== this.#wanted || (!isThere && mayFail)) return;
    this.now.replaceWith(next);
    this.now = next;
    this.#sized(size.width ? size : { width: next.naturalWidth || 1, height: next.naturalHeight || 1 });
  }

  #sized(size) {
    const isSame = size.width * this.size.height === size.height * this.size.width;
    if (!isSame) this.place = FITTED; // a place on one shape means nothing on another
    this.size = size;
    this.draw();
  }

  /** Show named rectangles over the picture. @param {import("./place_boxes.js").Place[]} places */
  showPlaces(places) {
    this.places.replaceChildren(...boxesOf(places));
  }

  /** How far the job is: 0 to 1, or null while none runs. @param {number|null} fraction */
  progress(fraction) {
    this.edge.hidden = fraction === null;
    if (fraction === null) return;
    this.bar.style.transform = `scaleX(${fraction})`;
    this.edge.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
  }

  zoomBy(factor, at = { x: 0, y: 0 }) {
    this.zoomTo(boxOf(this.place, this.#room, this.size).zoom * factor, at);
  }

  zoomTo(zoom, at = { x: 0, y: 0 }) {
    this.place = zoomedTo(this.place, zoom, at, this.#room, this.size);
    this.draw();
  }

  fit() {
    this.place = FITTED;
    this.draw();
  }

  panBy(x, y) {
    if (this.place.zoom === null) return;
    this.place = held({ zoom: this.place.zoom, x: this.place.x + x, y: this.place.y + y }, this.#room, this.size);
    this.draw();
  }

  /** Put everything where it belongs. Only transforms and sizes of absolute boxes change: nothing else moves. */
  draw() {
    const room = this.#room;
    if (!room.width || !room.height) return; // another tab is in view
    const isBatch = !this.batch.hidden;
    const box = isBatch ? { left: 0, top: 0, ...room, zoom: 1 } : boxOf(this.place, room, this.size);
    Object.assign(this.plane.style, {
      width: `${box.width}px`,
      height: `${box.height}px`,
      transform: `translate(${box.left}px, ${box.top}px)`,
    });
    const isCrisp = this.place.zoom !== null && box.zoom * window.devicePixelRatio >= CRISP;
    this.plane.classList.toggle("crisp", isCrisp);
    this.compare.place(this.now, box, room.height);
    const left = Math.max(box.left, 0);
    const bottom = Math.min(box.top + box.height, room.height);
    this.edge.style.width = `${Math.max(0, Math.min(box.left + box.width, room.width) - left)}px`;
    this.edge.style.transform = `translate(${left}px, ${bottom - 3}px)`;
    const percent = Math.round(box.zoom * window.devicePixelRatio * 100);
    this.heard.zoomed(this.place.zoom === null ? t("fit") : `${percent} %`);
  }
}
