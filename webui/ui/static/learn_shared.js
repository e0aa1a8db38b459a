// What the views of Learn share: the run that is looked at, its step, and the places around the view.
import { el } from "./kit.js";

const SMALLEST = 10.5; // pixels, of a formula

/**
 * What `mount` of a view may give back. `draw` is called whenever the view comes into sight, and while it is in sight at
 * every change of the run or the step; it fills the explanation, too.
 * @typedef {{draw?: () => void}} View
 */

export class Shared {
  /** @type {import("./learn_record.js").Recorded|null} the run that the first three views look at */
  run = null;
  /** @type {number} the step that they show, from 0 */
  step = 0;
  /** @type {import("./learn_source.js").RunSource} where runs come from */
  source = null;
  #listeners = new Set();

  /** @param {{explanation: HTMLElement, tools: HTMLElement, show: (view: string) => void}} places */
  constructor({ explanation, tools, show }) {
    this.places = { explanation, tools };
    /** Show another view, by its name. */
    this.show = show;
  }

  /** Fill the column at the right; nothing: there is no such column. @param {...(Node|string|null|false)} parts */
  explain(...parts) {
    this.places.explanation.replaceChildren(...parts.filter(Boolean));
    for (const one of this.places.explanation.querySelectorAll(".learn-formula")) fit(one);
  }

  /** Fill the right end of the head. @param {...(Node|string|null|false)} parts */
  tools(...parts) {
    this.places.tools.replaceChildren(...parts.filter(Boolean));
  }

  /** Look at another run, at its last step. */
  look(run) {
    this.run = run;
    this.step = run ? Math.max(0, run.count - 1) : 0;
    this.changed();
  }

  /** Go to a step; one that is not there counts as the nearest. */
  go(step) {
    const last = Math.max(0, (this.run?.count ?? 1) - 1);
    const next = Math.min(last, Math.max(0, step));
    if (next === this.step) return;
    this.step = next;
    this.changed();
  }

  /** Tell everybody that something is to be drawn again. */
  changed() {
    for (const listener of this.#listeners) listener();
  }

  /** Be told of every change of the run or the step. */
  hear(listener) {
    this.#listeners.add(listener);
  }
}

/** Write a formula so small that it fits its line, as far as it can still be read. @param {HTMLElement} one */
function fit(one) {
  const math = one.querySelector("math");
  const share = one.clientWidth / one.scrollWidth;
  if (math && share < 1) math.style.fontSize = `${Math.max(SMALLEST, parseFloat(getComputedStyle(math).fontSize) * share * 0.97)}px`;
}

/** Parts of an explanation. */
export const heading = (text) => el("h2", {}, text);
export const sentence = (...text) => el("p", {}, ...text);
export const hint = (text) => el("p", { class: "learn-hint" }, text);

/** Names and values in two columns. @param {[string, string][]} rows */
export function numbers(rows) {
  return el("dl", { class: "learn-numbers" }, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** A number as the page writes it: two digits after the point, three where it is small. */
export function shown(value) {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) < 1 && value !== 0 ? 3 : 2);
}

/** A share of 0 to 1 in percent. */
export const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %` : "–");
