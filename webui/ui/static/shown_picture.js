// Which picture the stage shows, for parts of the page that work with it.

import { hear } from "./bus.js";

let shown = null;
hear("picture:show", ({ picture }) => { shown = picture ?? null; });

/** @returns {import("./bus.js").Picture|null} null where none is shown yet */
export function shownPicture() {
  return shown;
}
