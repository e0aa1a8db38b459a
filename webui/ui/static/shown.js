// Which picture is on the stage, for whoever needs it: history, canvas, the button that reuses a seed.

import { say } from "./bus.js";

/** @typedef {import("./store.js").Picture} Picture */

/** @type {Picture|null} */
let picture = null;

/** @returns {Picture|null} */
export const shownPicture = () => picture;

/** Said by the stage alone. @param {Picture|null} next */
export const setShown = (next) => {
  picture = next;
  say("picture:shown", { picture });
};
