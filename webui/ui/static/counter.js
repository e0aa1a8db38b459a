// Counts tokens without a question for each key: one question 300 ms after the last change, and only where the text
// outside of `<...>` or something else that matters changed. An older answer never replaces a newer one.

import { outsideTags } from "./prompt_text.js";

export const PAUSE = 300; // milliseconds

/**
 * @typedef {object} Counted  what matters for the count
 * @property {string} prompt
 * @property {string} negative
 * @property {string[]} styles
 * @property {number} steps
 * @property {Record<string, unknown>} rules  of the form, by name
 */

export class Counter {
  /**
   * @param {(asked: Counted, signal: AbortSignal) => Promise<object>} ask
   * @param {(answer: object) => void} show
   * @param {number} pause
   */
  constructor(ask, show, pause = PAUSE) {
    this.ask = ask;
    this.show = show;
    this.pause = pause;
    this.key = null;
    this.timer = 0;
    this.running = null;
  }

  /** Something in the form changed, or may have. @param {() => Counted} read  called when the pause is over */
  note(read) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.count(read()), this.pause);
  }

  async count(asked) {
    const key = keyOf(asked);
    if (key === this.key) return;
    this.key = key;
    this.running?.abort();
    const mine = new AbortController();
    this.running = mine;
    try {
      const answer = isEmpty(asked) ? EMPTY : await this.ask(asked, mine.signal);
      if (this.running === mine) this.show(answer);
    } catch (error) {
      if (this.running !== mine) return; // a newer question is on its way
      this.key = null;
      if (error.name !== "AbortError") this.show({ prompt: failed(error), negative: failed(error) });
    }
  }
}

const EMPTY = Object.freeze({ prompt: { used: 0, limit: 0, fault: "" }, negative: { used: 0, limit: 0, fault: "" } });

/** Two forms with the same key have the same count. The steps matter to prompts that change on the way only. */
function keyOf({ prompt, negative, styles, steps, rules }) {
  const texts = [outsideTags(prompt), outsideTags(negative)];
  const timed = texts.some((text) => text.includes("[")) || styles.length > 0;
  return JSON.stringify([texts, styles, timed ? steps : 0, rules]);
}

function isEmpty({ prompt, negative, styles }) {
  return styles.length === 0 && outsideTags(prompt) === "" && outsideTags(negative) === "";
}

const failed = (error) => ({ used: 0, limit: 0, fault: error.message });
