// Pictures that are sent to a tab which is drawn at its first visit. They are heard from the first moment and wait here.
import { hear, say } from "./bus.js";

/** @typedef {import("./bus.js").Picture} Picture */

/** Where pictures go, and the tab that takes them. */
const TABS = Object.freeze({ upscale: "extras", pnginfo: "pnginfo", library: "image_browser" });

/** @type {Map<string, Picture[]>} */
const waiting = new Map();
/** @type {Map<string, (pictures: Picture[]) => void>} */
const takers = new Map();

function arrived(/** @type {string} */ to, /** @type {Picture} */ picture) {
  if (!Object.hasOwn(TABS, to)) return;
  waiting.set(to, [...(waiting.get(to) ?? []), picture]);
  say("tab:open", { tab: TABS[to] });
  give(to);
}

function give(/** @type {string} */ to) {
  const take = takers.get(to);
  const pictures = waiting.get(to);
  if (!take || !pictures) return;
  waiting.delete(to);
  take(pictures);
}

hear("picture:send", ({ picture, to }) => arrived(to, picture));
hear("library:show", ({ picture }) => arrived("library", picture));

/** Be given what is sent to a place; what came before counts. */
export function whenSent(/** @type {string} */ to, /** @type {(pictures: Picture[]) => void} */ take) {
  takers.set(to, take);
  give(to);
}
