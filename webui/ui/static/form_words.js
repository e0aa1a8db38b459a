// The words of a declared form in the language of the page: names, help, the names of choices, and what sums it up.

import { t } from "./language.js";

const WORDS = new Set(["label", "help", "title", "text", "chip", "summary"]);

/**
 * The same form with its words translated; names, values and everything else stay.
 * @template T
 * @param {T} form a `DrawnForm`, or a part of one
 * @returns {T}
 */
export function inWords(form) {
  if (Array.isArray(form)) return /** @type {T} */ (form.map(inWords));
  if (form === null || typeof form !== "object") return form;
  return /** @type {T} */ (Object.fromEntries(Object.entries(form).map(([key, value]) => [key, worded(key, value)])));
}

function worded(/** @type {string} */ key, /** @type {*} */ value) {
  if (key === "default" || key === "when") return value;
  if (key === "choices" && Array.isArray(value)) return value.map(([one, name]) => [one, typeof name === "string" ? t(name) : name]);
  return WORDS.has(key) && typeof value === "string" ? t(value) : inWords(value);
}
