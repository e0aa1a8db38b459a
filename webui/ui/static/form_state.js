// What the form holds: kept from one visit to the next, and undone step by step. Knows nothing of the page.

const VERSION = 1; // of what is kept; another one is not read
const KEY = "webui_form";
const DEFAULTS = "webui_form_defaults"; // what its user has an empty form hold
const SUITED = "webui_form_suited"; // what came with a checkpoint
const SETTLED = 600; // milliseconds without a change after which a state can be gone back to
const MOST = 100; // states that can be gone back to
export const UNCHANGED = Object.freeze({ __type__: "update" }); // tells Gradio to leave a control as it is

const same = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);

/** @typedef {Object<string, any>} Values by the name of a field */

export class FormState {
  begun = false; // `begin` was called
  started = false; // what the program starts with has come
  #timer = 0;
  #past = [];
  #at = -1;

  /**
   * @param {string[]} names the fields, in the order in which values come and go
   * @param {Values} drawn what the controls held when the page was made
   * @param {Storage} storage where the form is kept
   * @param {string[]} remembered fields that the program itself keeps: they are undone like others, and not kept here
   */
  constructor(names, drawn, storage, remembered = []) {
    this.names = names;
    this.remembered = new Set(remembered);
    this.ofProgram = names.map((name) => drawn[name]); // what the program starts with
    this.usual = this.ofProgram; // what a field holds that nobody changed
    this.shown = this.usual; // what they hold as far as this has filled them
    this.storage = storage;
    this.onChange = () => {}; // called whenever another state can be gone back to
    this.kept = this.#read();
  }

  /**
   * The page is there, or what the program starts with has come. May happen in either order, and again.
   * A field that holds something else than was shown was changed by the user in the meantime and stays, and can be
   * undone. What nobody touched is in every state what it shall be now.
   * @param {?Values} starting what the program starts with today
   * @param {any[]} now what the controls hold
   * @returns {any[]} what they shall hold
   */
  begin(starting, now) {
    const theirs = this.names.map((name, i) => (starting && name in starting ? starting[name] : this.ofProgram[i]));
    const usual = this.#withDefaults(theirs);
    this.ofProgram = theirs;
    const isTouched = (i) => !same(now[i], this.shown[i]);
    const wanted = this.names.map((name, i) => {
      if (isTouched(i) || this.remembered.has(name)) return now[i];
      return name in this.kept ? this.kept[name] : usual[i];
    });
    const isOwn = (i) => isTouched(i) && !this.remembered.has(this.names[i]); // the program keeps and fills the others
    const before = this.begun ? this.#past.slice(0, this.#at + 1) : [this.shown];
    const states = [...before.map((state) => wanted.map((value, i) => (isOwn(i) ? state[i] : value))), wanted];
    this.#past = states.filter((state, at) => !same(state, states[at - 1]));
    this.#at = this.#past.length - 1;
    this.shown = wanted.map((value, i) => (isTouched(i) ? this.shown[i] : value));
    this.usual = usual;
    this.begun = true;
    this.started ||= Boolean(starting);
    if (this.now) this.now = wanted;
    this.onChange();
    return this.#changes(wanted, now);
  }

  /**
   * Controls hold something else.
   * @param {any[]} some what neighbours among them hold
   * @param {number} first the place of the first of these
   */
  changed(some, first = 0) {
    this.now = this.#held.toSpliced(first, some.length, ...some);
    if (!this.begun) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.settle(), SETTLED);
  }

  /** Keep the form as it is now, and make it a state that can be gone back to. */
  settle() {
    clearTimeout(this.#timer);
    if (!this.begun || !this.now) return;
    if (!same(this.#past[this.#at], this.now)) {
      this.#past = [...this.#past.slice(0, this.#at + 1), this.now].slice(-MOST);
      this.#at = this.#past.length - 1;
    }
    this.onChange();
    const isKept = ([name, value], i) => !this.remembered.has(name) && !same(value, this.usual[i]);
    const changed = this.names.map((name, i) => [name, this.now[i]]).filter(isKept);
    this.kept = Object.fromEntries(changed);
    try {
      this.storage.setItem(KEY, JSON.stringify({ version: VERSION, fields: this.kept }));
    } catch (error) {
      console.warn("the form is not kept:", error); // the storage is full, or the browser has none
    }
  }

  /** One state back. @param {any[]} now @returns {any[]} */
  undo(now) {
    this.now = now;
    this.settle();
    return this.#go(Math.max(0, this.#at - 1), now);
  }

  /** One state forward again. @param {any[]} now @returns {any[]} */
  redo(now) {
    this.now = now;
    this.settle();
    return this.#go(Math.min(this.#past.length - 1, this.#at + 1), now);
  }

  /** As the program starts. @param {any[]} now @returns {any[]} */
  reset(now) {
    this.now = now;
    this.settle();
    return this.#changes(this.names.map((name, i) => (this.remembered.has(name) ? now[i] : this.usual[i])), now);
  }

  /** Some fields get other values. @param {any[]} now @param {Values} fields @returns {any[]} */
  take(now, fields) {
    this.now = now;
    this.settle();
    return this.#changes(this.names.map((name, i) => (Object.hasOwn(fields, name) ? fields[name] : now[i])), now);
  }

  /**
   * Values that come with a checkpoint. A field that its user has set by hand stays as it is; one that has its value
   * from the checkpoint before goes back to the usual one.
   * @param {any[]} now
   * @param {Values} fields
   * @param {Values} usual what the checkpoint lets a field start with, where that is another value than the program's
   * @returns {{values: any[], set: string[], kept: string[]}} names of the fields that change, and of those set by hand
   */
  suit(now, fields, usual = {}) {
    this.now = now;
    this.settle();
    const before = this.#object(SUITED);
    const [set, kept, suited] = [[], [], {}];
    const wanted = this.names.map((name, i) => {
      const isAsked = Object.hasOwn(fields, name);
      if (!isAsked && !Object.hasOwn(before, name)) return now[i];
      const start = Object.hasOwn(usual, name) ? usual[name] : this.usual[i];
      const starts = this.remembered.has(name) ? [start] : [start, this.usual[i]];
      const isByHand = !starts.some((one) => same(now[i], one)) && !(Object.hasOwn(before, name) && same(now[i], before[name]));
      const value = isByHand ? now[i] : isAsked ? fields[name] : start;
      if (isAsked && isByHand && !same(now[i], fields[name])) kept.push(name);
      if (isAsked && !isByHand) suited[name] = value;
      if (!same(value, now[i])) set.push(name);
      return value;
    });
    try {
      this.storage.setItem(SUITED, JSON.stringify(suited));
    } catch (error) {
      console.warn("what came with the checkpoint is not kept:", error);
    }
    return { values: this.#changes(wanted, now), set, kept };
  }

  /** What a field holds. */
  value(name) {
    const at = this.names.indexOf(name);
    return this.#held[at];
  }

  /** What the form holds, but for what the program itself keeps. @returns {Values} */
  values() {
    const held = this.#held;
    return Object.fromEntries(this.names.map((name, i) => [name, held[i]]).filter(([name]) => !this.remembered.has(name)));
  }

  // what the controls hold, as far as their changes have come
  get #held() {
    return this.now ?? this.#past[this.#at] ?? this.usual;
  }

  /** The user's own defaults were changed. */
  setDefaults() {
    this.usual = this.#withDefaults(this.ofProgram);
    this.settle();
  }

  #withDefaults(values) {
    const own = this.#object(DEFAULTS);
    return this.names.map((name, i) => (Object.hasOwn(own, name) ? own[name] : values[i]));
  }

  // an object of the storage; what cannot be read counts as nothing
  #object(key) {
    try {
      return JSON.parse(this.storage.getItem(key) ?? "{}") ?? {};
    } catch {
      return {};
    }
  }

  /** Whether there is a state to go back or forward to. */
  get can() {
    return { undo: this.#at > 0, redo: this.#at < this.#past.length - 1 };
  }

  #go(at, now) {
    this.#at = at;
    this.onChange();
    return this.#changes(this.#past[at], now);
  }

  #changes(wanted, now) {
    return wanted.map((value, i) => (same(value, now[i]) ? UNCHANGED : value));
  }

  #read() {
    try {
      const found = JSON.parse(this.storage.getItem(KEY) ?? "{}");
      return found.version === VERSION && found.fields ? found.fields : {};
    } catch {
      return {};
    }
  }
}
