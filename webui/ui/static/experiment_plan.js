// What an experiment is while it is built: its kind, its axes with their values, and how much work it is. Pure.
import { Unreadable, spanText, textsOf, valuesOf } from "./axis_grammar.js";
import { t } from "./language.js";

/**
 * @typedef {object} AxisKind what may vary, as the server lists it
 * @property {string} id
 * @property {string} label
 * @property {string} group
 * @property {"number"|"choice"|"text"} kind
 * @property {number} [low]
 * @property {number} [high]
 * @property {number} [step]
 * @property {string[]} [choices]
 * @property {boolean} [load] whether a change loads a model
 * @property {string[]} [modes]
 * @property {string} [path] of the form's field that it changes
 */

/** @typedef {{id: string, values: string|string[]}} Axis a text in A1111's grammar for numbers, else a list */

/**
 * @typedef {object} Plan
 * @property {string} kind of the script: "xyz", "matrix", "lines" and so on
 * @property {string} script its name, where it is not X/Y/Z
 * @property {Axis[]} axes
 * @property {boolean} legend
 * @property {boolean} lone
 * @property {boolean} subgrids
 * @property {number} margin pixels
 * @property {boolean[]} vary
 * @property {boolean} keep_random
 * @property {boolean} csv
 * @property {Record<string, Record<string, any>>} values of the options of other scripts, by script
 */

export const LETTERS = Object.freeze(["X", "Y", "Z"]);
export const MOST_CELLS = 10_000;
/** A span of which a tenth is no useful range, such as that of seeds. */
export const WIDE = 1000;
const MATRIX_PARTS = 10; // optional ones

/** @type {Plan} */
export const START = Object.freeze({
  kind: "xyz", script: "", axes: [], legend: true, lone: true, subgrids: false, margin: 4, vary: [false, false, false],
  keep_random: false, csv: false, values: {},
}); // prettier-ignore

/** What was kept by the browser, made whole. @param {any} kept @returns {Plan} */
export function planOf(kept) {
  const axes = Array.isArray(kept?.axes) ? kept.axes.filter((one) => typeof one?.id === "string" && (typeof one.values === "string" || Array.isArray(one.values))) : [];
  return { ...START, ...kept, axes: axes.slice(0, LETTERS.length) };
}

/** A plan as it was sent, as one to be built on. @param {any} sent as `sentPlan` gives it @returns {Plan} */
export function planFrom({ values, script = "", ...sent }) {
  return planOf({ ...sent, script, values: values ? { [script]: values } : {} });
}

/** How the values of an axis are read. @param {AxisKind} about @returns {import("./axis_grammar.js").Kind} */
export function grammarOf(about) {
  if (about.kind === "number") return Number.isInteger(about.step ?? 0.5) ? "int" : "float";
  return about.id === "prompt_order" ? "order" : "text";
}

/** The texts of an axis. @param {Axis} axis */
export const textsIn = (axis) => (typeof axis.values === "string" ? textsOf(axis.values) : axis.values);

/**
 * The values of an axis as they are shown; an Unreadable is thrown where there are none.
 * @param {Axis} axis
 * @param {AxisKind} about
 * @returns {string[]}
 */
export function valuesIn(axis, about) {
  const texts = textsIn(axis);
  const values = texts.length ? valuesOf(grammarOf(about), texts) : [];
  if (!values.length) throw new Unreadable(t("{name} has no values.", { name: t(about.label) }));
  return values;
}

/**
 * An axis with values to begin with.
 * @param {AxisKind} about
 * @param {any} now what the form holds of it
 * @returns {Axis}
 */
export function begun(about, now) {
  if (about.kind === "text") return { id: about.id, values: [] };
  if (about.kind === "choice") {
    const choices = about.choices ?? [];
    return { id: about.id, values: [choices.includes(now) ? now : choices[0]].filter((one) => one !== undefined) };
  }
  const low = about.low ?? 0, high = about.high ?? Infinity, step = about.step ?? 1;
  const at = now !== "" && now !== null && Number.isFinite(Number(now)) && Number(now) >= low ? Number(now) : null;
  if (!(high - low <= WIDE)) return { id: about.id, values: spanText(at ?? low + 1, (at ?? low + 1) + 2, 3) };
  const reach = Math.max(step, Math.round((high - low) / 10 / step) * step);
  const middle = at ?? low + reach;
  return { id: about.id, values: spanText(Math.max(low, middle - reach), Math.min(high, middle + reach), 3) };
}

/** Without one value, which turns a range into a list. @param {Axis} axis @param {AxisKind} about @param {number} at */
export function without(axis, about, at) {
  const isList = Array.isArray(axis.values) || grammarOf(about) === "text" || grammarOf(about) === "order";
  const left = (isList ? textsIn(axis) : valuesIn(axis, about)).toSpliced(at, 1);
  return { ...axis, values: Array.isArray(axis.values) ? left : left.join(", ") };
}

/**
 * The value that comes after those of an axis, by their own step; null where people have to say it.
 * @param {readonly string[]} values
 * @param {AxisKind|null} about
 */
export function nextValue(values, about) {
  if (about?.kind !== "number" || values.some((one) => !Number.isFinite(Number(one)))) return null;
  const [last, before] = [Number(values.at(-1)), Number(values.at(-2))];
  const by = values.length > 1 ? last - before : (about.step ?? 1);
  const next = Number((last + by).toFixed(8));
  return next > (about.high ?? Infinity) || next < (about.low ?? -Infinity) ? null : String(next);
}

/**
 * @typedef {object} Size
 * @property {number[]} sizes of the axes
 * @property {number|null} total pictures; null where only the server knows
 * @property {(string|null)[]} faults of each axis, a sentence
 * @property {{label: string, count: number}|null} loads the axis that loads models
 * @property {number} steps of all pictures
 */

/**
 * How large an experiment is.
 * @param {Plan} plan
 * @param {(id: string) => AxisKind|null} about
 * @param {{prompt: string, negative_prompt: string, steps: number, n_iter: number}} form
 * @param {{name: string, label: string, value: any}[]} options of the script, in its order
 * @returns {Size}
 */
export function sizeOf(plan, about, form, options = []) {
  const faults = [], sizes = [];
  let loads = null, steps = form.steps;
  if (plan.kind !== "xyz") {
    const total = countOf(plan, form, options);
    return { sizes: total === null ? [] : [total], total, faults, loads, steps: (total ?? 0) * steps };
  }
  for (const axis of plan.axes) {
    const kind = about(axis.id);
    try {
      if (!kind) throw new Unreadable(t("There is no axis “{name}” here; choose another.", { name: axis.id }));
      const values = valuesIn(axis, kind);
      sizes.push(values.length);
      faults.push(null);
      if (kind.load && values.length > 1 && !loads) loads = { label: kind.label, count: values.length };
      if (axis.id === "steps") steps = values.reduce((sum, one) => sum + Number(one), 0) / values.length;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      sizes.push(0);
      faults.push(error.message);
    }
  }
  const total = plan.axes.length ? sizes.reduce((product, one) => product * one, 1) : 0;
  if (total > MOST_CELLS) faults[faults.length - 1] ??= t("{n} pictures are too many; at most {most} are made.", { n: total, most: MOST_CELLS });
  return { sizes, total, faults, loads, steps: steps * total };
}

/** The parts of a prompt matrix: the fixed one, then the optional ones. @param {string} prompt */
export const matrixParts = (prompt) => prompt.split("|").map((one) => one.trim());

function countOf(plan, form, options) {
  const given = plan.values[plan.script] ?? {};
  const values = options.map((one) => given[one.name] ?? one.value);
  if (plan.kind === "matrix") {
    const parts = matrixParts(values.includes("negative") ? form.negative_prompt : form.prompt).length - 1;
    return parts > MATRIX_PARTS ? null : 2 ** parts;
  }
  if (plan.kind === "lines") return linesOf(String(values.find((one, at) => options[at].kind === "text") ?? "")).length;
  if (plan.kind === "loopback") return Number(values.find((one) => typeof one === "number") ?? 1) * form.n_iter;
  return null;
}

/** The lines of a text that ask for something. @param {string} text */
export const linesOf = (text) => text.split("\n").map((one) => one.trim()).filter(Boolean);

const FLAGS = Object.freeze(new Set([
  "sd_model", "outpath_samples", "outpath_grids", "prompt_for_display", "prompt", "negative_prompt", "styles", "seed",
  "subseed_strength", "subseed", "seed_resize_from_h", "seed_resize_from_w", "sampler_index", "sampler_name", "batch_size",
  "n_iter", "steps", "cfg_scale", "width", "height", "restore_faces", "tiling", "do_not_save_samples", "do_not_save_grid",
])); // prettier-ignore

/**
 * The lines that look like commands and are none, by their number from 1: they count as prompts as a whole.
 * @param {string} text
 * @returns {[number, string][]}
 */
export function wrongLines(text) {
  const reasonOf = (line) => {
    if (!line.startsWith("--")) return t("a command begins with --prompt");
    const unknown = [...line.matchAll(/(?:^|\s)--([^\s"']+)/g)].map((one) => one[1]).find((name) => !FLAGS.has(name));
    if (unknown) return t("there is no --{name}", { name: unknown });
    return (line.match(/"/g)?.length ?? 0) % 2 ? t("a quote is not closed") : "";
  };
  return linesOf(text).flatMap((line, at) => {
    const reason = line.includes("--") ? reasonOf(line) : "";
    return reason ? [[at + 1, reason]] : [];
  });
}

/**
 * What is sent with Generate.
 * @param {Plan} plan
 * @returns {object} the contract of the server
 */
export function sentPlan(plan) {
  if (plan.kind !== "xyz") return { kind: plan.kind, script: plan.script, values: plan.values[plan.script] ?? {} };
  const { axes, legend, lone, subgrids, margin, vary, keep_random, csv } = plan;
  return { kind: "xyz", axes, legend, lone, subgrids, margin, vary, keep_random, csv };
}

/**
 * Seconds that it takes, by what the last jobs took; null where nothing is known.
 * @param {Size} size
 * @param {{width: number, height: number, images: number, checkpoint: string}} form
 * @param {Record<string, number>} pace seconds for a step of a megapixel, by checkpoint
 */
export function secondsOf(size, form, pace) {
  const one = pace[form.checkpoint];
  return one && size.steps ? (one * size.steps * form.images * form.width * form.height) / 1e6 : null;
}
