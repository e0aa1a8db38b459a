// What stands for the picture of a model file that has none: its initials and its family, in a colour of its own.

import { el } from "./kit.js";

/** One or two letters for a name: `Dream_Shaper-v8` gives DS. @param {string} name */
export function initials(name) {
  const words = name.replace(/\.\w+$/, "").split(/[\s_./\\-]+|(?<=[a-z])(?=[A-Z])/).filter((word) => /^\p{L}/u.test(word));
  const letters = words.slice(0, 2).map((word) => [...word][0].toUpperCase());
  return letters.join("") || [...name.trim()].slice(0, 1).join("").toUpperCase() || "?";
}

/** The same for the same name, 0 to 359. @param {string} name */
export const hueOf = (name) => [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);

/** @param {string} name @param {string} family "" where it is not known @param {string} className */
export function blankPicture(name, family = "", className = "card-blank") {
  const made = el("span", { class: `blank-picture ${className}`, "aria-hidden": "true" }, el("span", { class: "letters" }, initials(name)), family && el("span", { class: "family" }, family));
  made.style.setProperty("--hue", String(hueOf(name)));
  return made;
}
