// Named rectangles in a picture, as boxes that lie over it.

import { el } from "./kit.js";

/** @typedef {{name: string, left: number, top: number, width: number, height: number}} Place shares of the picture's sides */

const percent = (/** @type {number} */ share) => `${100 * share}%`;

/** A box for each rectangle, for an element that covers the picture. @returns {HTMLElement[]} */
export function boxesOf(/** @type {Place[]} */ places) {
  return places.map((place) => {
    const box = el("div", { class: "place-box" }, el("span", {}, place.name));
    Object.assign(box.style, { left: percent(place.left), top: percent(place.top), width: percent(place.width), height: percent(place.height) });
    return box;
  });
}
