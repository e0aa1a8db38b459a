// What frames of extensions may say to the page. Pure: reads a message, and gives what is in it or nothing.

const LONGEST = { insert: 4000, notice: 300, options: 65536, name: 64 };
const HIGHEST = 4000; // pixels
const MOST = 60; // messages in a span of time
const SPAN = 5000; // milliseconds

const text = (/** @type {*} */ value, /** @type {number} */ longest) => typeof value === "string" && value.length <= longest;
const plain = (/** @type {*} */ value) => typeof value === "object" && value !== null && !Array.isArray(value) && JSON.stringify(value).length <= LONGEST.options;

/**
 * A message as plain data of its own, or null where it is none that the page knows.
 * @param {*} data
 * @returns {{type: string, [name: string]: *} | null}
 */
export function readMessage(data) {
  try {
    switch (data?.type) {
      case "ready":
        return { type: "ready" };
      case "height":
        return Number.isFinite(data.pixels) && data.pixels >= 0 ? { type: "height", pixels: Math.min(Math.ceil(data.pixels), HIGHEST) } : null;
      case "insert":
        return text(data.text, LONGEST.insert) && ["prompt", "negative"].includes(data.which) ? { type: "insert", text: data.text, which: data.which } : null;
      case "notice":
        return text(data.text, LONGEST.notice) ? { type: "notice", text: data.text } : null;
      case "fill":
        return plain(data.options) ? { type: "fill", options: JSON.parse(JSON.stringify(data.options)) } : null;
      case "ask":
        return Number.isSafeInteger(data.id) && text(data.action, LONGEST.name) && plain(data.options) ? { type: "ask", id: data.id, action: data.action, options: JSON.parse(JSON.stringify(data.options)) } : null;
      default:
        return null;
    }
  } catch {
    return null; // what cannot be written as JSON, such as a circle
  }
}

/** Whether a frame says too much: counts the times of its messages, of which it keeps the latest. */
export class Patience {
  /** @type {number[]} */
  #times = [];

  /** @param {number} now in milliseconds @returns {boolean} whether this one is still bearable */
  bears(now) {
    this.#times = [...this.#times.filter((one) => now - one < SPAN), now];
    return this.#times.length <= MOST;
  }
}
