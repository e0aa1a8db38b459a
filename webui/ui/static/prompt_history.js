// The prompts that were sent from this browser, the newest first, kept in the browser alone and bounded.

const KEY = "prompts_v1";
const MOST = 200;
const MOST_CHARACTERS = 300_000; // of all entries together; browsers give a site about five million

/** @typedef {{prompt: string, negative: string, at: number}} Entry  `at` is in milliseconds since 1970 */

export class PromptHistory {
  /** @param {{kept: (name: string) => string|null, keep: (name: string, value: string|null) => void}} store */
  constructor(store = window.webui) {
    this.store = store;
    this.place = -1; // in the list, while somebody walks through it; -1 is what was typed before
    this.draft = null;
  }

  /** @returns {Entry[]} */
  entries() {
    try {
      const found = JSON.parse(this.store.kept(KEY) ?? "[]");
      return Array.isArray(found) ? found.filter(isEntry).slice(0, MOST) : [];
    } catch {
      return []; // somebody else wrote there
    }
  }

  /** A prompt was sent. An equal one moves to the front. */
  add(prompt, negative, at = Date.now()) {
    this.place = -1;
    this.draft = null;
    if (prompt.trim() === "") return;
    const others = this.entries().filter((one) => one.prompt !== prompt || one.negative !== negative);
    this.save([{ prompt, negative, at }, ...others]);
  }

  remove(entry) {
    this.save(this.entries().filter((one) => one.prompt !== entry.prompt || one.negative !== entry.negative));
  }

  clear() {
    this.store.keep(KEY, null);
  }

  /** Entries that hold all words. @param {string} words */
  search(words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    return this.entries().filter((one) => {
      const text = `${one.prompt}\n${one.negative}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
  }

  /**
   * Walk to an older (1) or newer (-1) prompt; past the newest comes back what was typed before.
   * @param {1|-1} direction @param {{prompt: string, negative: string}} now
   * @returns {{prompt: string, negative: string}|null} null at the end
   */
  walk(direction, now) {
    const entries = this.entries();
    const shown = this.place < 0 ? null : entries[this.place];
    if (!shown || shown.prompt !== now.prompt || shown.negative !== now.negative) {
      this.place = -1; // it was edited since: the walk begins here
      this.draft = { ...now };
      if (direction > 0 && entries[0]?.prompt === now.prompt && entries[0]?.negative === now.negative) this.place = 0;
    }
    const next = this.place + direction;
    if (next < -1 || next >= entries.length || (next === -1 && !this.draft)) return null;
    this.place = next;
    return next === -1 ? this.draft : entries[next];
  }

  save(entries) {
    let characters = 0;
    const kept = entries.slice(0, MOST).filter((one, index) => {
      characters += one.prompt.length + one.negative.length;
      return index === 0 || characters <= MOST_CHARACTERS;
    });
    this.store.keep(KEY, JSON.stringify(kept));
  }
}

function isEntry(value) {
  return typeof value?.prompt === "string" && typeof value?.negative === "string" && typeof value?.at === "number";
}
