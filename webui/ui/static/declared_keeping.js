// What is set in a form of an action, kept in this browser from one visit to the next. Pictures are not kept.

import { el, t } from "./kit.js";
import { filled, firstOf, withoutPictures } from "./declared_state.js";

const PLACE = "webui_options_";

/** What a form asks for: values of a form that has become another one are not read. */
const signature = (/** @type {import("./declared_state.js").FormState} */ state) => state.fields.map(({ name, control }) => `${name}:${control}`).join(" ");

/**
 * Fill a form with what was set in it before, and keep what is set from now on; to be called before it is drawn. What the
 * page fills in by itself is kept only beside something that a person has set.
 * @param {import("./declared_state.js").FormState} state
 * @param {string} name of the form, the same at each visit
 * @returns {HTMLElement} puts the form back to its beginning; hidden while nobody has set anything
 */
export function keepForm(state, name) {
  const { fields } = state;
  const told = (/** @type {Record<string, *>} */ values) => JSON.stringify(withoutPictures(fields, values));
  const usual = told(filled(fields, {}, {}));
  const kept = read(name);
  let isSet = kept?.form === signature(state);
  const again = () => {
    isSet = false;
    state.fill(firstOf(fields));
  };
  const reset = el("button", { type: "button", class: "f-quiet", hidden: !isSet, onclick: again }, t("Reset the form"));
  state.hear((from) => {
    isSet ||= from != null;
    const now = told(state.values);
    isSet &&= now !== usual;
    reset.hidden = !isSet;
    try {
      if (isSet) localStorage.setItem(PLACE + name, JSON.stringify({ form: signature(state), values: JSON.parse(now) }));
      else localStorage.removeItem(PLACE + name);
    } catch (error) {
      console.warn(`the form ${name} is not kept:`, error); // the storage is full, or the browser has none
    }
  });
  if (kept && isSet) state.fill(kept.values);
  return reset;
}

/** What was kept. @returns {{form: string, values: Record<string, *>}|null} */
function read(/** @type {string} */ name) {
  try {
    return JSON.parse(localStorage.getItem(PLACE + name) ?? "null");
  } catch (error) {
    console.warn(`the form ${name} cannot be read:`, error); // something else has written there
    return null;
  }
}
