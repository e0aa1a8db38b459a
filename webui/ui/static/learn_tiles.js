// Squares of Learn: a picture with a name, and a hair cross that stands at the same place in all of a view.
import { el } from "./kit.js";

/** The bright hues, which stand on dimmed pictures in both themes. */
export const HUES = Object.freeze([[147, 165, 255], [92, 200, 220], [155, 208, 122], [242, 182, 85]]);

/** A hue of the page's colours as they are now, for what stands on the page itself. @param {number} number from 1 */
export function hueOf(number) {
  const found = getComputedStyle(document.documentElement).getPropertyValue(`--c${number}`).trim();
  const value = Number.parseInt(found.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/**
 * A square.
 * @param {{title: string, isSharp?: boolean}} about `isSharp`: cells stay cells
 * @returns {{element: HTMLElement, canvas: HTMLCanvasElement, say: (note: string) => void, retitle: (title: string) => void, box: HTMLElement}}
 */
export function tile({ title, isSharp = false }) {
  const canvas = el("canvas", { class: isSharp ? "sharp" : "", role: "img", "aria-label": title });
  const note = el("small", {});
  const box = el("div", { class: "learn-square" }, canvas, el("i", { class: "learn-cross across", hidden: true }), el("i", { class: "learn-cross down", hidden: true }));
  box.addEventListener("pointermove", (event) => {
    const place = box.getBoundingClientRect();
    cross(box, (event.clientX - place.left) / place.width, (event.clientY - place.top) / place.height);
  });
  box.addEventListener("pointerleave", () => cross(box, null, null));
  const name = el("b", {}, title);
  const element = el("figure", { class: "learn-tile" }, el("figcaption", {}, name, note), box);
  const retitle = (text) => { name.textContent = text; };
  const say = (text) => {
    note.textContent = text;
    canvas.setAttribute("aria-label", `${name.textContent}: ${text}`);
  };
  return { element, canvas, say, retitle, box };
}

function cross(box, x, y) {
  for (const line of box.closest(".learn-view").querySelectorAll(".learn-cross")) {
    line.hidden = x === null;
    if (x === null) continue;
    const isAcross = line.classList.contains("across");
    line.style[isAcross ? "top" : "left"] = `${100 * (isAcross ? y : x)}%`;
  }
}

/** Draw bytes as a hue that is more or less there. @param {number} floor how much of it is there at 0 */
export function drawHeat(canvas, bytes, side, [red, green, blue], floor = 0) {
  Object.assign(canvas, { width: side, height: side });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(side, side);
  bytes.forEach((byte, at) => pixels.data.set([red, green, blue, floor + (255 - floor) * (byte / 255) ** 1.3], at * 4));
  context.putImageData(pixels, 0, 0);
}
