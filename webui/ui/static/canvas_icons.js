// The drawings that only the canvas needs, beside those of the page.

import { icon } from "./kit.js";

const SVG = "http://www.w3.org/2000/svg";
// Names of the page's drawings for commands that are called otherwise.
const SAME = Object.freeze({ options: "layers", open: "folder", flip: "compare" });
// Each is drawn with strokes in a field of 24 x 24.
const OWN = Object.freeze({
  palette: "M12 4a8 8 0 1 0 0 16c1.6 0 2-1.1 1.5-2.2-.7-1.5.2-2.8 1.8-2.8h2c1.7 0 2.7-1.2 2.7-3C20 7.5 16.4 4 12 4M7.7 12h.01M10 8.2h.01M14.5 8.2h.01",
  rectangle: "M4.5 6.5h15v11h-15z",
  lasso: "M12 4.5c4.2 0 7.5 2.2 7.5 5s-3.3 5-7.5 5-7.5-2.2-7.5-5 3.3-5 7.5-5M8 14c-1.5 1.3-.2 2.6 1 2.8 1.7.3 1.6 2.7-.7 2.7",
  picker: "M13.5 7.5l3 3M15 9l-8.5 8.5L4 20l2.5-2.5M15 9l-1.5-1.5 1.7-1.7a2.3 2.3 0 0 1 3.3 3.3L16.5 10.5M6.5 17.5l8.5-8.5",
  frame: "M8 8h8v8H8zM12 5.5V2.5M12 21.5v-3M5.5 12h-3M21.5 12h-3",
});

/** The drawing of a command. */
export function drawing(name) {
  if (!Object.hasOwn(OWN, name)) return icon(SAME[name] ?? name);
  const made = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) made.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", OWN[name]);
  made.append(path);
  return made;
}
