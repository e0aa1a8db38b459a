// What stage and canvas reckon alike when a picture is fitted into its view and zoomed. Pure.

export const MARGIN = 12; // CSS pixels that stay free around a picture that is fitted
export const MOST_FITTED = 8; // a fitted picture is not enlarged more than this
export const LIMITS = Object.freeze({ least: 0.02, most: 32 }); // CSS pixels for a pixel of the picture

export const clamp = (/** @type {number} */ low, /** @type {number} */ value, /** @type {number} */ high) => Math.min(high, Math.max(low, value));

/**
 * The scale at which something fits.
 * @param {{width: number, height: number}} room in CSS pixels
 * @param {{width: number, height: number}} size in pixels of the picture
 */
export const fitted = (room, size) => Math.min(room.width / size.width, room.height / size.height, MOST_FITTED);

/**
 * Another scale, at which the point under `at` stays where it is.
 * @param {{x: number, y: number}} shift how far the middle of the picture is from the middle of the view, CSS pixels
 * @param {number} old scale
 * @param {number} wanted scale; it is brought within `LIMITS`
 * @param {{x: number, y: number}} at from the middle of the view
 * @returns {{zoom: number, x: number, y: number}}
 */
export const zoomedAround = (shift, old, wanted, at) => {
  const zoom = clamp(LIMITS.least, wanted, LIMITS.most);
  const ratio = zoom / old;
  return { zoom, x: at.x - (at.x - shift.x) * ratio, y: at.y - (at.y - shift.y) * ratio };
};

/**
 * What a wheel event asks for: a factor of the scale. Pinching on a touch pad arrives as a wheel with Ctrl, in smaller
 * numbers; Firefox may count lines or pages.
 */
export const wheelFactor = (/** @type {WheelEvent} */ event) => {
  const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
  return Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015));
};
