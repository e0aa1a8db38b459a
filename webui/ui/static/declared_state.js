// The values of one declared form, and who hears of a change. No drawing here.

import { hear } from "./bus.js";

/**
 * One control, as `drawn_form.py` makes it. What is as usual is left out.
 * @typedef {object} DrawnField
 * @property {string} name
 * @property {string} control
 * @property {string} label
 * @property {string} [help]
 * @property {*} [default]
 * @property {[*, string][]} [choices]
 * @property {boolean} [free] also takes values that are no choice
 * @property {number} [low]
 * @property {number} [high]
 * @property {number} [step]
 * @property {boolean} [whole]
 * @property {boolean} [optional]
 * @property {boolean} [needed]
 * @property {string} [model] kind of files that are listed
 * @property {"main"|"more"} [level]
 * @property {string} [pair]
 * @property {Record<string, *[]>} [when]
 * @property {string} [unit]
 * @property {string} [range]
 * @property {number} [first]
 * @property {{value: *, title: string, text?: string, diagram?: string, formula?: string}[]} [cards]
 * @property {{action: string, of: string[]}} [columns]
 * @property {{action: string, of: string[]}} [heat]
 * @property {string} [fits]
 * @property {string} [preview]
 * @property {string[]} [colours]
 * @property {{choice?: string, of: string, word: string, sets?: Record<string, *>}} [pose]
 * @property {string} [chip]
 * @property {number} [most]
 * @property {DrawnField[]} [fields]
 * @property {object} [form] hints of the model of a part or unit
 */

/**
 * @typedef {object} DrawnForm
 * @property {string} [extension]
 * @property {string} [title]
 * @property {DrawnField[]} [fields]
 * @property {string} [summary]
 * @property {string} [check]
 * @property {string} [places]
 * @property {Record<string, string[]>} [asks]
 */

/** A key that the page keeps for itself and never sends. */
export const OWN = "~";
/** The choice of a chooser, which is no option. */
export const CHOICE = `${OWN}choice`;

const PICTURES = new Set(["picture", "pictures"]);

/** The value of a field at first. */
export function first(/** @type {DrawnField} */ field) {
  if (field.control === "part") return firstOf(field.fields ?? []);
  return structuredClone(field.default ?? null);
}

/** The values of fields at first. */
export function firstOf(/** @type {DrawnField[]} */ fields) {
  return Object.fromEntries(fields.map((field) => [field.name, first(field)]));
}

/** Whether what a field depends on has one of its values. */
export function applies(/** @type {DrawnField} */ field, /** @type {Record<string, *>} */ values) {
  return Object.entries(field.when ?? {}).every(([name, wanted]) => wanted.includes(values[name]));
}

/** What is told to an action or kept: without pictures and without what is the page's own. */
export function withoutPictures(/** @type {DrawnField[]} */ fields, /** @type {Record<string, *>} */ values) {
  /** @type {Record<string, *>} */
  const told = {};
  for (const field of fields) {
    const value = values[field.name];
    if (PICTURES.has(field.control) || value === undefined) continue;
    if (field.control === "units") {
      told[field.name] = (value ?? []).map((/** @type {*} */ unit) => ({ ...withoutPictures(field.fields ?? [], unit), [CHOICE]: unit[CHOICE] }));
    } else told[field.name] = field.control === "part" ? withoutPictures(field.fields ?? [], value ?? {}) : value;
  }
  return told;
}

/** Values that Python sent, over those that are here: its own where it says them, else the usual; pictures stay. */
export function filled(/** @type {DrawnField[]} */ fields, /** @type {Record<string, *>} */ sent, /** @type {Record<string, *>} */ here) {
  /** @type {Record<string, *>} */
  const values = Object.fromEntries(Object.entries(sent).filter(([name]) => name.startsWith(OWN)));
  for (const field of fields) {
    const given = sent[field.name];
    if (PICTURES.has(field.control)) values[field.name] = given ?? here[field.name] ?? first(field);
    else if (field.control === "part") values[field.name] = filled(field.fields ?? [], given ?? {}, here[field.name] ?? {});
    else if (field.control === "units") {
      values[field.name] = (given ?? []).map((/** @type {*} */ unit, /** @type {number} */ at) => filled(field.fields ?? [], unit, here[field.name]?.[at] ?? {}));
    } else values[field.name] = given === undefined ? first(field) : given;
  }
  return values;
}

/** How a value is called. */
export function worded(/** @type {DrawnField|undefined} */ field, /** @type {*} */ value) {
  if (value == null || value === "") return "";
  const known = (field?.cards ?? []).find((card) => card.value === value)?.title ?? (field?.choices ?? []).find(([one]) => one === value)?.[1];
  if (known) return known;
  if (field?.unit === "%" && typeof value === "number") return `${Math.round(value * 100)} %`;
  if (typeof value === "number") return String(Math.round(value * 1e4) / 1e4);
  return String(value).replace(/\.(safetensors|ckpt|pth|pt)$/, "");
}

/**
 * A line made of a template: `{name}` is the value of a field, and what stands in `[...]` is left out where one of its
 * values is empty. `{units}` joins the chips of a list, `{choice}` is that of a chooser.
 */
export function line(/** @type {string} */ template, /** @type {DrawnField[]} */ fields, /** @type {Record<string, *>} */ values) {
  const value = (/** @type {string} */ name) => {
    if (name === "choice") return values[CHOICE] ?? "";
    const field = fields.find((one) => one.name === name);
    if (field?.control !== "units") return worded(field, values[name]);
    const used = (values[name] ?? []).filter((/** @type {*} */ unit) => unit.enabled !== false);
    return used.map((/** @type {*} */ unit) => line(field.chip ?? "", field.fields ?? [], unit)).join(" + ");
  };
  const put = (/** @type {string} */ text) => text.replace(/\{(\w+)\}/g, (_, name) => value(name));
  const optional = template.replace(/\[([^\]]*)\]/g, (_, part) => ([...part.matchAll(/\{(\w+)\}/g)].every(([, name]) => value(name)) ? put(part) : ""));
  return put(optional).trim();
}

/** The values of a form, and who hears of a change. */
export class FormState {
  /** @param {DrawnForm} drawn @param {Record<string, *>} values */
  constructor(drawn, values) {
    this.drawn = drawn;
    this.fields = drawn.fields ?? [];
    this.values = filled(this.fields, values, {});
    /** @type {Set<(from: *) => void>} */
    this.listeners = new Set();
    /** What keeps the form from being used, by the control that says it. @type {Map<string, string>} */
    this.wrong = new Map();
    this.isAwake = false;
    /** @type {(() => void)[]} */
    this.sleeping = [];
    /** @type {Set<() => void>} */
    this.listing = new Set();
    hear("files:changed", () => this.isAwake && this.listing.forEach((work) => work()));
  }

  /** Do what asks the server once the form is used: a form that is off asks nothing. */
  whenUsed(/** @type {() => void} */ work) {
    if (this.isAwake) work();
    else this.sleeping.push(work);
  }

  /** Do something again when model files were made or looked for. */
  whenFilesChange(/** @type {() => void} */ work) {
    this.listing.add(work);
  }

  /** The form is used from now on. */
  wake() {
    this.isAwake = true;
    for (const work of this.sleeping.splice(0)) work();
  }

  /** Note what keeps the form from being used; "" for nothing. */
  mark(/** @type {string} */ id, /** @type {string} */ reason) {
    if (reason) this.wrong.set(id, reason);
    else this.wrong.delete(id);
  }

  /** Hear of every change; `from` is the control that made it. Returns a function that ends it. */
  hear(/** @type {(from: *) => void} */ listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Say that values were changed. */
  changed(/** @type {*} */ from = null) {
    for (const listener of [...this.listeners]) listener(from);
  }

  /** Take values that came from outside. */
  fill(/** @type {Record<string, *>} */ sent) {
    this.values = filled(this.fields, sent, this.values);
    this.changed(null);
  }

  /** Whether these options say the same, where what they leave out is as usual. */
  isJust(/** @type {Record<string, *>} */ sent) {
    return JSON.stringify(this.values) === JSON.stringify(filled(this.fields, sent, {}));
  }

  get summary() {
    return line(this.drawn.summary ?? "", this.fields, this.values);
  }
}
