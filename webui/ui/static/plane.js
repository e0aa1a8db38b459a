// A plane that is moved and scaled inside a view, and the gestures that do it. The arithmetic is pure; the page tests it.

import { LIMITS, MARGIN, clamp, fitted, wheelFactor, zoomedAround } from "./zoom_arithmetic.js";

export { LIMITS };

/** @typedef {{width: number, height: number}} Size */
/** @typedef {{zoom: number|null, x: number, y: number}} Place zoom in CSS pixels per picture pixel, null: fitted;
 *  x and y are how far the plane's middle is from the view's middle, in CSS pixels */
/** @typedef {{left: number, top: number, width: number, height: number, zoom: number}} Box */

export const FITTED = Object.freeze({ zoom: null, x: 0, y: 0 });
const HOLD = 48; // CSS pixels of the picture that stay in view

/** The zoom at which the picture fits. @param {Size} view @param {Size} size */
export const fit = (view, size, margin = MARGIN) =>
  Math.max(fitted({ width: view.width - 2 * margin, height: view.height - 2 * margin }, size), LIMITS.least);

/** Where the picture is. @param {Place} place @param {Size} view @param {Size} size @returns {Box} */
export const boxOf = (place, view, size, margin = MARGIN) => {
  const zoom = place.zoom ?? fit(view, size, margin);
  const [x, y] = place.zoom === null ? [0, 0] : [place.x, place.y];
  const [width, height] = [size.width * zoom, size.height * zoom];
  return { left: (view.width - width) / 2 + x, top: (view.height - height) / 2 + y, width, height, zoom };
};

/** A place from which the picture cannot be lost. @param {Place} place @param {Size} view @param {Size} size */
export const held = (place, view, size) => {
  if (place.zoom === null) return FITTED;
  const farthest = (span, room) => Math.max(0, (span * place.zoom + room) / 2 - HOLD);
  const [right, down] = [farthest(size.width, view.width), farthest(size.height, view.height)];
  return { zoom: place.zoom, x: clamp(-right, place.x, right), y: clamp(-down, place.y, down) };
};

/**
 * Zoom so that the point of the picture under `at` stays under it.
 *
 * @param {Place} place
 * @param {number} zoom the new one
 * @param {{x: number, y: number}} at from the view's middle, CSS pixels
 * @param {Size} view
 * @param {Size} size
 * @returns {Place}
 */
export const zoomedTo = (place, zoom, at, view, size, margin = MARGIN) => {
  const old = boxOf(place, view, size, margin).zoom;
  const shift = place.zoom === null ? { x: 0, y: 0 } : place;
  return held(zoomedAround(shift, old, zoom, at), view, size);
};

/**
 * Wheel, drag, two fingers and double click on an element.
 *
 * @param {HTMLElement} view
 * @param {{zoomBy: (factor: number, at: {x: number, y: number}) => void,
 *          panBy: (x: number, y: number) => void,
 *          toggle: (at: {x: number, y: number}) => void,
 *          swiped?: (direction: -1|1) => void,
 *          canPan: () => boolean}} actions `at` is from the view's middle
 * @param {string} ignored selector of what has gestures of its own
 */
export const listen = (view, actions, ignored) => {
  const fingers = new Map();
  let swipe = null; // where a single finger came down on a picture that fits
  const fromMiddle = (event) => {
    const box = view.getBoundingClientRect();
    return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
  };
  const isIgnored = (event) => event.target instanceof Element && event.target.closest(ignored) !== null;

  view.addEventListener(
    "wheel",
    (event) => {
      if (isIgnored(event)) return;
      event.preventDefault();
      actions.zoomBy(wheelFactor(event), fromMiddle(event));
    },
    { passive: false },
  );
  view.addEventListener("dblclick", (event) => {
    if (!isIgnored(event)) actions.toggle(fromMiddle(event));
  });
  view.addEventListener("pointerdown", (event) => {
    if (isIgnored(event) || event.button > 1) return;
    view.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    const mayStart = event.pointerType === "touch" && fingers.size === 1 && !actions.canPan();
    swipe = mayStart ? { x: event.clientX, y: event.clientY } : null;
  });
  view.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    const other = [...fingers.values()].find((one) => one.pointerId !== event.pointerId);
    if (other) {
      const far = (one) => Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      actions.zoomBy(far(event) / far(old), fromMiddle(middle));
      actions.panBy((event.clientX - old.clientX) / 2, (event.clientY - old.clientY) / 2);
    } else if (actions.canPan()) actions.panBy(event.clientX - old.clientX, event.clientY - old.clientY);
    fingers.set(event.pointerId, event);
  });
  const lifted = (event) => {
    if (!fingers.delete(event.pointerId) || !swipe || event.type !== "pointerup") return;
    const [x, y] = [event.clientX - swipe.x, event.clientY - swipe.y];
    if (Math.abs(x) > 56 && Math.abs(x) > 2 * Math.abs(y)) actions.swiped?.(x < 0 ? 1 : -1);
    swipe = null;
  };
  view.addEventListener("pointerup", lifted);
  view.addEventListener("pointercancel", lifted);
};
