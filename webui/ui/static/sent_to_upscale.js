// Pictures that are sent to the tab Upscale. It is heard from the first moment, as the tab is drawn at its first visit.
import { hear, say } from "./bus.js";

/** @type {import("./bus.js").Picture[]} */
const waiting = [];
/** @type {(() => void)|null} */
let taker = null;

hear("picture:send", ({ picture, to }) => {
  if (to !== "upscale") return;
  waiting.push(picture);
  say("tab:open", { tab: "extras" });
  taker?.();
});

/** Be told when there is something to take; what came before counts. */
export function whenSent(/** @type {() => void} */ take) {
  taker = take;
  if (waiting.length) take();
}

/** The pictures that were sent since the last time. */
export function taken() {
  return waiting.splice(0);
}
