/** The frame of outpainting: how far a picture shall grow on each side. What it grows to is what the server makes. */

/** @typedef {{left: number, top: number, right: number, bottom: number}} Frame pixels to add on each side, 0..2048 */

export const STEP = 8; // pixels: sides of a picture that is made are multiples of it
export const FARTHEST = 2048; // pixels on one side
export const SIDES = Object.freeze(["left", "top", "right", "bottom"]);
export const NONE = Object.freeze({ left: 0, top: 0, right: 0, bottom: 0 });

/** Whether anything grows. */
export const grows = (frame) => SIDES.some((side) => frame[side] > 0);

/**
 * The frame with some sides moved, snapped to steps of 8 px and enlarged until the picture's sides are multiples of 8.
 * Missing pixels go to a side that grows anyway, or to the right and the bottom, as `webui.imaging.outpaint` does it.
 * @param {Frame} frame
 * @param {Partial<Frame>} moved
 * @param {{width: number, height: number}} size of the picture
 * @returns {Frame}
 */
export function moved(frame, moved, size) {
  const wanted = { ...frame, ...moved };
  const next = {};
  for (const side of SIDES) {
    const value = side in moved ? Math.round(wanted[side] / STEP) * STEP : wanted[side];
    next[side] = Math.min(FARTHEST, Math.max(0, Number.isFinite(value) ? value : 0));
  }
  if (!grows(next)) return NONE;
  for (const [before, after, length] of [["left", "right", size.width], ["top", "bottom", size.height]]) {
    const missing = (STEP - ((length + next[before] + next[after]) % STEP)) % STEP;
    if (!missing) continue;
    const side = next[before] && !next[after] ? before : after;
    next[side] += next[side] + missing > FARTHEST ? missing - STEP : missing;
  }
  return Object.freeze(next);
}

/** The size of the picture with the frame, in pixels. */
export function grown(frame, { width, height }) {
  return { width: width + frame.left + frame.right, height: height + frame.top + frame.bottom };
}
