// One model of options within a form: a form, a part of it, or one unit of a list. Its controls read and write here.

import { CHOICE } from "./declared_state.js";
import { ask, asBase64, askOnce, checkpoint } from "./extension_actions.js";

/** @typedef {import("./declared_state.js").DrawnField} DrawnField */
/** @typedef {import("./declared_state.js").FormState} FormState */

const at = (/** @type {*} */ values, /** @type {(string|number)[]} */ place) => place.reduce((inner, part) => inner?.[part], values);

export class Scope {
  /**
   * @param {FormState} state
   * @param {(string|number)[]} place of the model in the values
   * @param {DrawnField[]} fields
   * @param {{elemId: string, hints: *, isWide: boolean, upload: (file: File) => Promise<{path: string, url: string}>, failed: (text: string) => void}} about
   */
  constructor(state, place, fields, about) {
    this.state = state;
    this.place = place;
    this.fields = fields;
    this.about = about;
    /** @type {Record<string, *> | null} what the chooser's action says of the choice */
    this.choiceLists = null;
  }

  get extension() {
    return this.state.drawn.extension ?? "";
  }

  get values() {
    return at(this.state.values, this.place) ?? {};
  }

  get choice() {
    return this.values[CHOICE] ?? "";
  }

  field(/** @type {string} */ name) {
    return this.fields.find((field) => field.name === name);
  }

  get(/** @type {DrawnField} */ field) {
    return this.values[field.name];
  }

  /**
   * These values, for what comes later: units change their places meanwhile, and a removed one must not take what
   * belongs to it to another. Where the whole form was filled anew, they are those that stand at the place then.
   * @returns {() => Record<string, *>}
   */
  held() {
    const { values } = this;
    const { values: all } = this.state;
    return () => (this.state.values === all ? values : this.values);
  }

  /** Change values of this model, or those that were `held`; `from` is the control that did, which shows them already. */
  put(/** @type {Record<string, *>} */ changes, /** @type {*} */ from = null, values = this.values) {
    Object.assign(values, changes);
    this.state.changed(from);
  }

  set(/** @type {DrawnField} */ field, /** @type {*} */ value) {
    this.put({ [field.name]: value }, field);
  }

  /** The element id of a field's control. */
  id(/** @type {DrawnField} */ field) {
    return [this.about.elemId, ...this.place, field.name].join("_");
  }

  /** The choices that the chooser leaves to a field; null where it says nothing. @returns {[*, string][]|null} */
  narrowed(/** @type {DrawnField} */ field) {
    const key = this.about.hints.chooser?.narrows?.[field.name];
    const list = key && this.choiceLists?.[this.choice]?.[key];
    return list ? list.map((/** @type {string} */ one) => [one, one]) : null;
  }

  fail(/** @type {DrawnField} */ field, /** @type {Error} */ error) {
    this.about.failed(error.message);
  }

  /** The values that an action takes, by its own names; of pictures their content. */
  async told(/** @type {string} */ action) {
    const wanted = this.state.drawn.asks?.[action] ?? [];
    /** @type {Record<string, *>} */
    const told = {};
    for (const name of wanted) {
      if (name === "checkpoint" && !this.field(name)) told[name] = checkpoint();
      const field = this.field(name);
      const value = field && this.get(field);
      if (value == null) continue;
      told[name] = field.control === "picture" ? await asBase64(value) : value;
    }
    return told;
  }

  /** Ask an action that is told values of this model. @returns {Promise<*>} */
  async ask(/** @type {string} */ action, /** @type {AbortSignal|undefined} */ signal = undefined) {
    return ask(this.extension, action, await this.told(action), signal);
  }

  /** Ask an action that only depends on the checkpoint. @returns {Promise<*>} its data */
  async list(/** @type {string} */ action) {
    const wanted = this.state.drawn.asks?.[action] ?? [];
    return (await askOnce(this.extension, action, wanted.includes("checkpoint") ? { checkpoint: checkpoint() } : {})).data ?? {};
  }
}
