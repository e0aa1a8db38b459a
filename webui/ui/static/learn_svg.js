// Drawings of Learn: elements of SVG, and lines through points.

const SPACE = "http://www.w3.org/2000/svg";

/** An element of SVG. @param {Record<string, string|number|EventListener|undefined>} attributes */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.replace(/^on/, ""), value);
    else if (value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** A drawing of this many pixels. */
export function drawing(width, height, ...children) {
  return svg("svg", { class: "learn-drawing", viewBox: `0 0 ${width} ${height}`, width, height }, ...children);
}

/** A line through points. @param {[number, number][]} points */
export const path = (points) => points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
