// Sizes of pictures: from a ratio of sides, and from a text.

export const STEP = 8; // pixels that every side is a multiple of
const NEAR = 0.06; // as far as the area may be from the trained one for the sake of an exact ratio

const whole = (side) => Math.max(STEP, STEP * Math.round(side / STEP));

/**
 * Width and height of a ratio at about the area that a checkpoint was trained for: exactly in that ratio where whole
 * cells allow it, and otherwise as near as they do.
 * @param {string} ratio "3:2"
 * @param {number} area in pixels
 * @returns {[number, number]}
 */
export function sized(ratio, area) {
  const [wide, high] = ratio.split(":").map(Number);
  const times = Math.round(Math.sqrt(area / (STEP * STEP * wide * high)));
  const exact = [STEP * wide * times, STEP * high * times];
  if (times && Math.abs((exact[0] * exact[1]) / area - 1) < NEAR) return exact;
  const side = Math.sqrt((area * wide) / high);
  return [whole(side), whole((side * high) / wide)];
}

/** The ratio among `ratios` that a size has at this area; null where it has none. */
export function ratioOf(width, height, area, ratios) {
  const has = (ratio) => {
    const [wide, high] = ratio.split(":").map(Number);
    const [w, h] = sized(ratio, area);
    return width * high === height * wide || (w === width && h === height);
  };
  return ratios.find(has) ?? null;
}

/** Width and height in a text such as "640x960" or "640 × 960"; null where it is none. */
export function sizeIn(text) {
  const found = /^\s*(\d{2,5})\s*[x×*]\s*(\d{2,5})\s*$/i.exec(text);
  return found && [Number(found[1]), Number(found[2])];
}
