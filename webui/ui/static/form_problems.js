// Sentences about what a form lacks, at the fields that lack it. An action of the extension looks for it.

import { el, t } from "./kit.js";
import { hear } from "./bus.js";
import { withoutPictures } from "./declared_state.js";
import { ask, checkpoint, forget } from "./extension_actions.js";

/**
 * @typedef {{field: string, title: string, say?: string, files?: string[], folder?: string, instead?: string}} Problem
 * @typedef {import("./declared_state.js").FormState} FormState
 */

const PAUSE = 400; // milliseconds after the last change

/** A sentence of error: what is wrong, what belongs where, what else would work. */
export function sentence(/** @type {Problem} */ problem, /** @type {() => void} */ again) {
  return el(
    "div",
    { class: "f-say bad", role: "alert" },
    el("b", {}, problem.title),
    problem.say && el("span", {}, problem.say),
    ...(problem.files ?? []).map((file) => el("code", {}, file)),
    problem.folder && el("code", {}, problem.folder),
    problem.instead && el("span", {}, problem.instead),
    el("button", { type: "button", class: "f-quiet", onclick: again }, t("Look again")),
  );
}

/** Numbers change nothing about what is missing, so a drag on a slider asks nothing. */
const telling = (/** @type {*} */ told) => JSON.stringify(told, (_, value) => (typeof value === "number" ? undefined : value));

/**
 * Look what is missing whenever something was chosen, while the form is in use.
 * @param {FormState} state
 * @param {() => boolean} isUsed
 * @param {(problems: Problem[]) => void} tell
 * @returns {{look: () => void}} looks now
 */
export function watchProblems(state, isUsed, tell) {
  const { check = "", extension = "" } = state.drawn;
  let timer = 0;
  let known = "";
  const look = async () => {
    if (!check || !isUsed()) return;
    const options = withoutPictures(state.fields, state.values);
    const asked = { options, checkpoint: checkpoint() };
    const key = telling(asked);
    if (key === known) return;
    known = key;
    try {
      const { data } = await ask(extension, check, asked);
      if (key === known) tell(Array.isArray(data) ? data : []);
    } catch {
      known = ""; // nothing is said here: the job itself says what it lacks
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = window.setTimeout(look, PAUSE);
  };
  state.hear(soon);
  hear("checkpoint:changed", soon);
  soon();
  return {
    look: () => {
      known = "";
      forget(extension);
      look();
    },
  };
}
