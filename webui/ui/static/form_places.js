// Where in the picture the options of a form act: a small drawing that follows the form, the prompt and the size, and on
// wish the same over the picture. An action of the extension says it.

import { el, t } from "./kit.js";
import { hear, say } from "./bus.js";
import { withoutPictures } from "./declared_state.js";
import { ask } from "./extension_actions.js";
import { boxesOf } from "./place_boxes.js";
import { pictureSize } from "./size_in_form.js";

/** @typedef {import("./declared_state.js").FormState} FormState */

const PAUSE = 150; // milliseconds after the last change
const SIDE = 132; // CSS pixels of the longer side

const promptNow = () => /** @type {HTMLTextAreaElement|null} */ (document.querySelector("#txt2img_prompt textarea"))?.value ?? "";

/**
 * The drawing of a form.
 * @param {FormState} state
 * @param {() => boolean} isUsed
 * @returns {{node: HTMLElement, look: () => void}} `look` draws it anew, once the form is used or left
 */
export function placesOf(state, isUsed) {
  const { places: action = "", extension = "" } = state.drawn;
  const sheet = el("div", { class: "f-sheet", role: "img" });
  const words = el("p", { class: "f-help" });
  const over = el("button", { type: "button", class: "f-quiet", "aria-pressed": "false" }, t("Over the picture"));
  const node = el("figure", { class: "f-places", hidden: true }, sheet, words, over);
  let timer = 0;
  let known = "";
  let isOver = false;
  /** @type {import("./place_boxes.js").Place[]} */
  let places = [];

  const tell = () => say("places:shown", { places: isOver && isUsed() ? places : [] });
  const draw = (/** @type {{places?: *[], say?: string}} */ found, /** @type {{width: number, height: number}} */ size) => {
    places = found.places ?? [];
    const unit = SIDE / Math.max(size.width, size.height);
    Object.assign(sheet.style, { width: `${size.width * unit}px`, height: `${size.height * unit}px` });
    sheet.setAttribute("aria-label", places.map((place) => place.name).join(", "));
    sheet.replaceChildren(...boxesOf(places));
    words.textContent = t(found.say ?? "");
    sheet.hidden = over.hidden = !places.length;
    words.hidden = !found.say;
    node.hidden = !places.length && !found.say;
    tell();
  };
  const look = async () => {
    if (!isUsed()) {
      known = "";
      tell();
      return;
    }
    const size = pictureSize();
    const asked = { options: withoutPictures(state.fields, state.values), prompt: promptNow(), ...size };
    const key = JSON.stringify(asked);
    if (key === known) return;
    known = key;
    try {
      const { data } = await ask(extension, action, asked);
      if (key === known) draw(data ?? {}, size);
    } catch {
      known = ""; // nothing is drawn; the job itself says what is wrong
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = window.setTimeout(look, PAUSE);
  };
  over.addEventListener("click", () => {
    isOver = !isOver;
    over.setAttribute("aria-pressed", String(isOver));
    tell();
  });
  state.hear(soon);
  hear("prompt:changed", soon);
  document.addEventListener("change", (event) => {
    if (event.target instanceof Element && event.target.closest("#txt2img_width, #txt2img_height")) soon();
  });
  soon();
  return { node, look: soon };
}
