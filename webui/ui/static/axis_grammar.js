// The grammar of the values of an axis, as the program reads it (webui/experiments/axis_values.py): CSV with quotes,
// `1-5`, `1-9 (+2)`, `1-10 [5]`. It stands here, too, so that values are counted while they are typed, without a request.
import { t } from "./language.js";

/** @typedef {"int"|"float"|"text"|"order"} Kind */

/** How many values an axis may have. */
export const MOST_VALUES = 1000;
const MOST_PARTS = 6; // of a prompt order: 720 orders
const WHOLE = String.raw`([+-]?\s*\d+)`;
const NUMBER = String.raw`([+-]?\s*\d+(?:\.\d*)?)`;
const ranges = (/** @type {string} */ one, /** @type {string} */ step, /** @type {string} */ count) => ({
  steps: new RegExp(String.raw`^\s*${one}\s*-\s*${one}(?:\s*\(([+-]${step})\s*\))?\s*$`),
  count: new RegExp(String.raw`^\s*${one}\s*-\s*${one}(?:\s*\[(${count})\s*\])?\s*$`),
});
const RANGES = Object.freeze({
  int: ranges(WHOLE, String.raw`\d+`, String.raw`\d+`),
  float: ranges(NUMBER, String.raw`\d+(?:\.\d*)?`, String.raw`\d+(?:\.\d*)?`),
});
const ONE = Object.freeze({ int: /^\s*[+-]?\d+\s*$/, float: /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i });

/** A text that stands for no values; `part` is the one that cannot be read. */
export class Unreadable extends Error {
  constructor(/** @type {string} */ message, /** @type {string} */ part = "") {
    super(message);
    this.part = part;
  }
}

/** The cells of a CSV text, blanks around them cut off. Quotes protect commas. @param {string} text @returns {string[]} */
export function textsOf(text) {
  const cells = [];
  for (const line of lines(text)) if (line) cells.push(...cellsOf(line));
  return cells.map((cell) => cell.trim());
}

// Lines that a quoted cell goes over stay together.
function lines(text) {
  const found = [""];
  let quoted = false;
  for (const sign of text.replaceAll("\r", "")) {
    if (sign === '"') quoted = !quoted;
    if (sign === "\n" && !quoted) found.push("");
    else found[found.length - 1] += sign;
  }
  return found;
}

function cellsOf(line) {
  const cells = [];
  let cell = "";
  let state = "start"; // of a cell; then "plain", "quoted" or "closed", after a quote that may end the quoted part
  for (const sign of line) {
    if (state === "quoted") {
      if (sign === '"') state = "closed";
      else cell += sign;
    } else if (sign === ",") {
      cells.push(cell);
      cell = "";
      state = "start";
    } else if (state === "start" && sign === " ") continue;
    else if (sign === '"' && state === "start") state = "quoted";
    else if (sign === '"' && state === "closed") {
      cell += sign;
      state = "quoted";
    } else {
      cell += sign;
      state = "plain";
    }
  }
  return [...cells, cell];
}

/** The way back of `textsOf`. @param {readonly string[]} texts */
export function asText(texts) {
  const needsQuotes = (one) => /[",\n\r]/.test(one) || one !== one.trim() || (one === "" && texts.length === 1);
  return texts.map((one) => (needsQuotes(one) ? `"${one.replaceAll('"', '""')}"` : one)).join(",");
}

/**
 * The values that texts stand for, each as it is shown.
 * @param {Kind} kind
 * @param {readonly string[]} texts
 * @returns {string[]} an Unreadable is thrown where one is no value of this kind, or there are too many
 */
export function valuesOf(kind, texts) {
  if (kind === "text") return bounded([...texts]);
  if (kind === "order") return orders(texts);
  const numbers = [];
  for (const text of texts) if (text.trim()) numbers.push(...(kind === "int" ? wholes(text) : reals(text)));
  return bounded(numbers).map(shown);
}

function bounded(values) {
  if (values.length > MOST_VALUES) throw new Unreadable(t("{n} values are too many; at most {most} are made.", { n: values.length, most: MOST_VALUES }));
  return values;
}

function orders(texts) {
  if (texts.length > MOST_PARTS) throw new Unreadable(t("{n} parts have too many orders; give at most {most}.", { n: texts.length, most: MOST_PARTS }));
  const of = (left) => (left.length ? left.flatMap((one, at) => of(left.toSpliced(at, 1)).map((rest) => [one, ...rest])) : [[]]);
  return of([...texts]).map((one) => one.join(", "));
}

const number = (/** @type {string} */ text) => Number(text.replaceAll(/\s/g, ""));
// As Python's round(value, 8) shows it.
const shown = (/** @type {number} */ value) => String(Number(value.toFixed(8)));

const counted = (count, text) => {
  if (count > MOST_VALUES) throw new Unreadable(t("“{text}” stands for {n} values; at most {most} are made.", { text, n: count, most: MOST_VALUES }), text);
  return count;
};

const stepped = (text) => {
  throw new Unreadable(t("“{text}” has a step of 0.", { text }), text);
};

function wholes(text) {
  const range = RANGES.int.steps.exec(text);
  if (range) {
    const [first, last, step] = [number(range[1]), number(range[2]), number(range[3] ?? "1")];
    if (step === 0) stepped(text);
    const count = Math.max(0, Math.ceil((last + 1 - first) / step));
    return Array.from({ length: Math.min(count, MOST_VALUES + 1) }, (_, at) => first + at * step);
  }
  const spread = RANGES.int.count.exec(text);
  if (spread) return evenly(number(spread[1]), number(spread[2]), counted(number(spread[3] ?? "1"), text)).map(Math.trunc);
  if (ONE.int.test(text)) return [Number(text)];
  throw new Unreadable(t("“{text}” is neither a whole number nor a range such as 1-5 or 1-9 (+2).", { text: text.trim() }), text);
}

// A range runs on while it is less than its end plus a step, as in A1111: `0.2-0.8 (+0.3)` gives 1.1, too.
function reals(text) {
  const range = RANGES.float.steps.exec(text);
  if (range) {
    const [first, last, step] = [number(range[1]), number(range[2]), number(range[3] ?? "1")];
    if (step === 0) stepped(text);
    counted(Math.trunc(Math.abs(last - first) / Math.abs(step)), text);
    const by = first + step - first;
    return Array.from({ length: Math.max(0, Math.ceil((last + step - first) / step)) }, (_, at) => first + at * by);
  }
  const spread = RANGES.float.count.exec(text);
  if (spread) return evenly(number(spread[1]), number(spread[2]), counted(Math.trunc(number(spread[3] ?? "1")), text));
  if (ONE.float.test(text)) return [Number(text)];
  throw new Unreadable(t("“{text}” is neither a number nor a range such as 4-9 [3].", { text: text.trim() }), text);
}

function evenly(first, last, count) {
  if (count === 1) return [first];
  const step = (last - first) / (count - 1);
  return Array.from({ length: count }, (_, at) => (at === count - 1 ? last : first + at * step));
}

/**
 * The text of so many values between two ends.
 * @param {number} from
 * @param {number} to
 * @param {number} count
 */
export function spanText(from, to, count) {
  return count < 2 || from === to ? shown(from) : `${shown(from)}-${shown(to)} [${count}]`;
}
