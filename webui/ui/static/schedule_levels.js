// Where the steps of a run land: asked of the server, which computes it as sampling does, and remembered for a while.
import { ask } from "./page_requests.js";

const MOST = 120; // answers that are remembered
const answers = new Map();

/**
 * @typedef {{schedule: string, sigmas: number[], timesteps: number[], lowest: number, highest: number}} Levels
 *   `sigmas` falls, step i goes from entry i to entry i + 1; it is empty where the sampler chooses while it runs
 */

/**
 * @param {Record<string, string|number>} fields paths of a request and their values
 * @returns {Promise<Levels>} an Error with a sentence where there are none
 */
export function levelsOf(fields) {
  const query = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)])).toString();
  const known = answers.get(query);
  answers.delete(query);
  const answer = known ?? ask(`learn/schedule?${query}`);
  answers.set(query, answer);
  if (answers.size > MOST) answers.delete(answers.keys().next().value);
  answer.catch(() => answers.delete(query));
  return answer;
}

const LIST = "schedule.sigmas";
const NOISE = "#txt2img_noise_enable", UNIPC = "#txt2img_unipc_enable"; // the switches of the form's sections

/** The fields of the form that decide where its steps land. */
export function fieldsOfForm() {
  const values = window.webui.form?.values() ?? {};
  const found = { sampler: values.sampler, scheduler: values.scheduler, steps: values.steps };
  const checkpoint = window.webui.form?.checkpoint;
  if (checkpoint) found.checkpoint = checkpoint;
  for (const [name, value] of Object.entries(values)) {
    const isOn = (name.startsWith("schedule.") && values[NOISE]) || (name.startsWith("unipc.") && values[UNIPC]);
    if (isOn && value !== "" && value !== null) found[name] = value;
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined && value !== null && value !== ""));
}

/** Put a list of levels into the form, with as many steps. @param {number[]} levels */
export function useInForm(levels) {
  window.webui.form?.take({ steps: levels.length - 1, [LIST]: written(levels), [NOISE]: true });
}

/** Levels as a person reads them; nine digits tell all of them apart. @param {number[]} levels */
export const written = (levels) => levels.map((level) => String(Number(level.toPrecision(9)))).join(" ");

/**
 * The levels in a text.
 * @returns {{levels: number[]}|{place: number, why: "number"|"falls"|"few"|"range"}} what is wrong, and at which entry
 */
export function read(text) {
  const words = text.trim().split(/[\s,;]+/).filter(Boolean);
  const levels = words.map(Number);
  const odd = levels.findIndex((level) => !Number.isFinite(level));
  if (odd >= 0) return { place: odd + 1, why: "number" };
  if (levels.length < 2) return { place: levels.length, why: "few" };
  const rises = levels.findIndex((level, at) => at > 0 && level >= levels[at - 1]);
  if (rises >= 0) return { place: rises + 1, why: "falls" };
  if (levels.at(-1) < 0 || levels[0] > 10000) return { place: levels[0] > 10000 ? 1 : levels.length, why: "range" };
  return { levels };
}

/** Share of the signal's variance that is left at a level. */
export const alphaBar = (sigma) => 1 / (1 + sigma * sigma);
