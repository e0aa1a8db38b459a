// The captions of a data set, between the boxes that they are typed in and the server: a list that was asked for before
// something was written, or comes while somebody types, takes nothing back.

/** @typedef {{id: string, caption: string}} Captioned */

export class Captions {
  #clock = 0;
  /** @type {Map<string, string>} what was typed and is not written, by the picture's id */
  #typed = new Map();
  /** @type {Map<string, {text: string, open: number, ended: number}>} what was written: how often it still is, and when that ended */
  #written = new Map();

  /** A list is asked for now. @returns {number} for `joined` */
  asks() {
    this.#clock += 1;
    return this.#clock;
  }

  /**
   * A list as it is now.
   * @template {Captioned} T
   * @param {readonly T[]} list
   * @param {number} asked when it was asked for
   * @returns {T[]}
   */
  joined(list, asked) {
    return list.map((item) => {
      const own = this.#written.get(item.id);
      return own && (own.open || own.ended > asked) ? { ...item, caption: own.text } : item;
    });
  }

  /** What stands in the box of a picture. @param {Captioned} item */
  shown(item) {
    return this.#typed.get(item.id) ?? item.caption;
  }

  /** Something was typed. @param {string} id @param {string} text */
  type(id, text) {
    this.#typed.set(id, text);
  }

  /** What was typed is what is written already, or will be. @param {string} id */
  forget(id) {
    if (!this.#written.get(id)?.open) this.#typed.delete(id);
  }

  /** The caption that was written last, as far as this knows. @param {Captioned} item */
  latest(item) {
    return this.#written.get(item.id)?.text ?? item.caption;
  }

  /**
   * Write a caption. Where that fails, it stays as something that was typed.
   * @param {Captioned} item
   * @param {string} text
   * @param {() => Promise<unknown>} write
   */
  async write(item, text, write) {
    const before = item.caption;
    const own = this.#written.get(item.id) ?? { text, open: 0, ended: 0 };
    own.text = text;
    own.open += 1;
    this.#typed.set(item.id, text);
    this.#written.set(item.id, own);
    try {
      await write();
      if (this.#typed.get(item.id)?.trim() === text) this.#typed.delete(item.id);
    } catch (error) {
      if (own.text === text) own.text = before;
      throw error;
    } finally {
      own.open -= 1;
      own.ended = this.asks();
    }
  }

  /** Others have written a caption. @param {string} id @param {string} text */
  note(id, text) {
    this.#written.set(id, { text, open: 0, ended: this.asks() });
  }
}
