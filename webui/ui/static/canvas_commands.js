// What bar, panels, keys and other parts of the page can ask of the canvas, by name.

import { say } from "./bus.js";
import { action } from "./keys.js";
import { maskOf, ofFile, ofPicture } from "./canvas_source.js";
import { SIZES } from "./canvas_toolbar.js";
import { openPoseEditor } from "./pose_editor.js";
import { pictureSize } from "./size_in_form.js";

const STEP = 1.15; // factor of the brush's size for a key
const ZOOM = 1.25;

/** Names in the table of keys.js, and the command that each does. */
const KEYS = Object.freeze({
  brush: "brush", eraser: "eraser", rectangle: "rectangle", lasso: "lasso", picker: "picker", outpaint: "frame",
  invert: "invert", flip: "flip", undo: "undo", redo: "redo", smaller: "smaller", larger: "larger",
  fit: "fit", one: "actual", in: "nearer", out: "farther",
}); // prettier-ignore

/**
 * @param {object} canvas the class Canvas of canvas.js
 * @returns {Record<string, (value?: any) => unknown>} false: there was nothing to do
 */
export function commands(canvas) {
  const { view, history, set, step, look } = canvas;
  const tool = (name) => () => set({ tool: name });
  const layer = () => history.now[canvas.layer];
  const has = () => Boolean(history.now.source) && !canvas.isFlipped;
  const change = (changed) => () => has() && step({ [canvas.layer]: changed(layer()) });
  const size = (value) => set({ size: Math.round(Math.min(SIZES.most, Math.max(SIZES.least, value))) });
  const go = (moved) => () => moved() && canvas.changed();
  return Object.freeze({
    mask: () => set({ layer: "mask", tool: canvas.settings.tool === "picker" ? "brush" : canvas.settings.tool }),
    palette: () => set({ layer: "paint" }),
    brush: tool("brush"),
    eraser: tool("eraser"),
    rectangle: tool("rectangle"),
    lasso: tool("lasso"),
    picker: () => canvas.layer === "paint" && set({ tool: "picker" }),
    frame: () => set({ tool: canvas.settings.tool === "frame" ? "brush" : "frame" }),
    size,
    smaller: () => size(canvas.settings.size / STEP - 1),
    larger: () => size(canvas.settings.size * STEP + 1),
    hardness: (value) => set({ hardness: { ...canvas.settings.hardness, [canvas.layer]: value } }),
    colour: (colour) => set({ colour }),
    subtracts: (subtracts) => set({ subtracts }),
    hatched: (hatched) => set({ hatched }),
    layerShown: (name, isShown) => canvas.showLayer(name, isShown),
    undo: go(() => history.undo()),
    redo: go(() => history.redo()),
    fill: change((tiles) => tiles.filled(canvas.rgb)),
    clear: change((tiles) => tiles.cleared()),
    invert: () => has() && canvas.layer === "mask" && step({ mask: layer().inverted() }),
    fit: () => look(() => view.plane.fit()),
    actual: () => look(() => view.plane.actual()),
    nearer: () => look(() => view.plane.zoomBy(ZOOM)),
    farther: () => look(() => view.plane.zoomBy(1 / ZOOM)),
    flip: () => canvas.flip(),
    options: () => canvas.toggleOptions(),
    open: () => chosen("image/*", (file) => canvas.load(() => ofFile(file))),
    loadMask: () => chosen("image/*", (file) => canvas.loadMask(() => maskOf(file, view.size))),
    useResult: () => canvas.result && canvas.load(() => ofPicture(canvas.result, window.webui.base), true),
    describe: () => history.now.source && say("picture:describe", { address: history.now.source.url }),
    pose: () => drawPose(history.now.source, view.size),
    forget: () => canvas.forget(),
  });
}

/**
 * Let the keys of the page do commands, before whoever else knows them. @returns {() => void} what ends it
 * @param {() => boolean} close closes what is open; false where nothing was
 */
export function bindKeys(all, close) {
  const ends = Object.entries(KEYS).map(([name, command]) => action(name, () => all[command]()));
  ends.push(action("close", close));
  return () => ends.forEach((end) => end());
}

/** Draw a pose as large as the picture, for ControlNet. */
function drawPose(source, size) {
  const use = (file, pose) => say("picture:send", { picture: { id: "", url: "", file, width: 0, height: 0 }, to: "controlnet", pose });
  openPoseEditor({ json: null, ...(source ? size : pictureSize()), behind: source?.url ?? "", use });
}

/** Ask for a file. */
function chosen(accept, take) {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", accept, className: "canvas-file" });
  input.addEventListener("change", () => {
    if (input.files?.[0]) take(input.files[0]);
    input.remove();
  });
  input.addEventListener("cancel", () => input.remove());
  document.body.append(input); // some browsers let go of an input that is in no document
  input.click();
}
