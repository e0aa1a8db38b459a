// A sheet on which a picture of few colours is painted, for a field that says which. What is painted is the picture.

import { el, t } from "./kit.js";
import { pictureSize } from "./size_in_form.js";

const LONGER = 256; // pixels of the longer side: it is a mask, and enlarged without mixing
const BRUSH = 12; // pixels

/**
 * A button that opens a sheet, and the sheet.
 * @param {string[]} colours of what may be painted, `#rrggbb`; the last one is the ground
 * @param {(file: File) => void} take what was painted, after each stroke
 * @param {() => string} address of the picture that is there; "" for none
 */
export function painter(colours, take, address) {
  const canvas = el("canvas", { class: "f-paper", "aria-label": t("Drag to paint") });
  const chips = el("div", { class: "f-chips", role: "radiogroup", "aria-label": t("Colour") });
  const node = el("div", { class: "f-paint", hidden: true }, chips, canvas);
  const button = el("button", { type: "button", class: "f-quiet", "aria-expanded": "false" }, t("Paint"));
  const brush = el("button", { type: "button", class: "f-chip", "aria-checked": "false", role: "checkbox" }, t("Brush"));
  let chosen = 0;
  let isBrush = false;
  /** @type {{x: number, y: number, before: ImageData} | null} */
  let begun = null;

  const paper = () => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  const ground = () => {
    const { width, height } = pictureSize();
    const unit = LONGER / Math.max(width, height);
    Object.assign(canvas, { width: Math.max(1, Math.round(width * unit)), height: Math.max(1, Math.round(height * unit)) });
    paper().fillStyle = colours.at(-1) ?? "#ffffff";
    paper().fillRect(0, 0, canvas.width, canvas.height);
  };
  const drawChips = () => {
    const buttons = colours.map((colour, at) => {
      const name = at === colours.length - 1 ? t("None") : String(at + 1);
      const chip = el("button", { type: "button", role: "radio", class: "f-chip", "aria-checked": String(at === chosen), onclick: () => { chosen = at; drawChips(); } }, el("i", {}), name);
      /** @type {HTMLElement} */ (chip.firstElementChild).style.background = colour;
      return chip;
    });
    chips.replaceChildren(...buttons, brush);
  };
  const open = async () => {
    node.hidden = !node.hidden;
    button.setAttribute("aria-expanded", String(!node.hidden));
    if (node.hidden) return;
    ground();
    drawChips();
    if (!address()) return;
    const there = new Image();
    there.src = address();
    await there.decode().then(() => {
      paper().imageSmoothingEnabled = false;
      paper().drawImage(there, 0, 0, canvas.width, canvas.height);
    }, () => {}); // a picture that is gone leaves the sheet empty
  };
  const at = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const inside = (/** @type {number} */ part, /** @type {number} */ most) => Math.round(Math.min(1, Math.max(0, part)) * most);
    return { x: inside((event.clientX - box.left) / box.width, canvas.width), y: inside((event.clientY - box.top) / box.height, canvas.height) };
  };
  const paint = (/** @type {{x: number, y: number}} */ to) => {
    if (!begun) return;
    paper().fillStyle = colours[chosen];
    if (isBrush) {
      const steps = Math.max(1, Math.ceil(Math.hypot(to.x - begun.x, to.y - begun.y)));
      for (let step = 0; step <= steps; step++) {
        const x = begun.x + ((to.x - begun.x) * step) / steps, y = begun.y + ((to.y - begun.y) * step) / steps;
        paper().fillRect(Math.round(x) - BRUSH / 2, Math.round(y) - BRUSH / 2, BRUSH, BRUSH);
      }
      Object.assign(begun, to);
      return;
    }
    paper().putImageData(begun.before, 0, 0);
    paper().fillRect(Math.min(begun.x, to.x), Math.min(begun.y, to.y), Math.abs(to.x - begun.x), Math.abs(to.y - begun.y));
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    begun = { ...at(event), before: paper().getImageData(0, 0, canvas.width, canvas.height) };
    paint(at(event));
  });
  canvas.addEventListener("pointermove", (event) => paint(at(event)));
  canvas.addEventListener("pointerup", (event) => {
    paint(at(event));
    begun = null;
    canvas.toBlob((blob) => blob && take(new File([blob], "painted.png", { type: "image/png" })), "image/png");
  });
  canvas.addEventListener("pointercancel", () => {
    if (begun) paper().putImageData(begun.before, 0, 0);
    begun = null;
  });
  brush.addEventListener("click", () => {
    isBrush = !isBrush;
    brush.setAttribute("aria-checked", String(isBrush));
  });
  button.addEventListener("click", open);
  return { node, button };
}
