// How the user left the tools: kept in the browser for the next visit.

const STORED = "webui_canvas_tools";

/**
 * @typedef {object} Settings
 * @property {"brush"|"eraser"|"rectangle"|"lasso"|"picker"|"frame"} tool
 * @property {"mask"|"paint"} layer that is painted on while inpainting
 * @property {number} size of the brush, in pixels of the picture
 * @property {{mask: number, paint: number}} hardness 0..1
 * @property {string} colour of paint, as #rrggbb
 * @property {boolean} subtracts whether rectangle and lasso erase
 * @property {boolean} hatched whether the mask is hatched, so that it is not told by its colour alone
 * @property {{mask: boolean, paint: boolean}} shown
 */

/** @type {Settings} */
const FIRST = Object.freeze({
  tool: "brush",
  layer: "mask",
  size: 64,
  hardness: { mask: 1, paint: 0.8 },
  colour: "#e03131",
  subtracts: false,
  hatched: false,
  shown: { mask: true, paint: true },
});

/** @returns {Settings} */
export function remembered() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORED) ?? "{}");
    const isSame = (name) => typeof stored[name] === typeof FIRST[name];
    const found = Object.fromEntries(Object.keys(FIRST).filter(isSame).map((name) => [name, stored[name]]));
    return { ...FIRST, ...found, tool: FIRST.tool, layer: FIRST.layer, shown: FIRST.shown };
  } catch {
    return { ...FIRST }; // a storage that is refused or damaged only costs the habits
  }
}

/** @param {Settings} settings */
export function remember(settings) {
  try {
    localStorage.setItem(STORED, JSON.stringify(settings));
  } catch (error) {
    console.warn("the tools of the canvas are not remembered:", error);
  }
}
