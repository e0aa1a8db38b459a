// The two prompt boxes: where they are, which was used last, and what stands in them. Everything that changes a prompt
// from a script goes through `setPrompt`, so that the browser can undo it and Gradio hears of it.

import { say } from "./bus.js";
import { write } from "./prompt_keys.js";

const SELECTORS = Object.freeze({ prompt: "#txt2img_prompt textarea", negative: "#txt2img_neg_prompt textarea" });
let last = "prompt";
let told = null;
let styles = [];

/** @param {"prompt"|"negative"} which @returns {HTMLTextAreaElement|null} */
export function box(which) {
  return document.querySelector(SELECTORS[which]);
}

/** What stands in both boxes. */
export function prompts() {
  return { prompt: box("prompt")?.value ?? "", negative: box("negative")?.value ?? "" };
}

/** The box that had the focus last, while it is in view; otherwise the prompt's. */
export function lastUsed() {
  return last === "negative" && box("negative")?.offsetParent ? "negative" : "prompt";
}

/** Put a text into a box as if it had been typed. */
export function setPrompt(which, text, start, end) {
  const found = box(which);
  if (!found) return;
  const before = last;
  write(found, { text, start, end }); // which gives the box the focus for a moment
  last = before;
  noteChange();
}

/** Say `prompt:changed` where something did change, whoever changed it. */
export function noteChange() {
  const now = prompts();
  if (told && told.prompt === now.prompt && told.negative === now.negative) return;
  told = now;
  say("prompt:changed", now);
}

/** The names of the styles that are sent with the prompts. @returns {string[]} */
export function chosenStyles() {
  return styles;
}

/** Said by the list of styles alone; whoever counts hears `webui:styles` on the document. */
export function setChosenStyles(names) {
  styles = names;
  document.dispatchEvent(new Event("webui:styles"));
}

/** Wait for both boxes to be drawn, and listen to them from then on. */
export async function ready() {
  while (!box("prompt") || !box("negative")) await new Promise(requestAnimationFrame);
  for (const which of ["prompt", "negative"]) {
    const found = box(which);
    if (found.dataset.heard) continue;
    found.dataset.heard = "yes";
    found.addEventListener("input", noteChange);
    found.addEventListener("focus", () => { last = which; });
  }
  document.addEventListener("webui:prompts", () => requestAnimationFrame(noteChange)); // Gradio has set a value
  noteChange();
}
