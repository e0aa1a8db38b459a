// The words of a form that is drawn from a schema, in the language of the page.
import { t } from "./language.js";

const WORDS = ["label", "help", "title", "description", "text", "chip", "summary"];

/**
 * The form with its words translated, wherever they stand in it; what it is sent by (names, values) stays.
 * @template T
 * @param {T} drawn
 * @returns {T}
 */
export function translated(drawn) {
  if (Array.isArray(drawn)) return drawn.map(translated);
  if (drawn === null || typeof drawn !== "object") return drawn;
  return Object.fromEntries(Object.entries(drawn).map(([key, value]) => {
    if (WORDS.includes(key) && typeof value === "string") return [key, t(value)];
    if (key === "choices" && Array.isArray(value)) return [key, value.map((one) => (Array.isArray(one) && typeof one[1] === "string" ? [one[0], t(one[1])] : one))];
    if (key === "default" || key === "when" || key === "value" || key === "values") return [key, value];
    return [key, translated(value)];
  }));
}
