// What a sheet holds: the values of its axes, and what became of each cell. Pure; a change gives another sheet.
import { t } from "./language.js";

/**
 * @typedef {object} Cell
 * @property {"empty"|"running"|"there"|"failed"} state
 * @property {string|null} [picture] below the page's base
 * @property {string|null} [thumb]
 * @property {string} [infotext]
 * @property {string} [error]
 */

/**
 * @typedef {object} Sheet
 * @property {string|null} id of the plot; null: nothing of it is made yet
 * @property {string} title
 * @property {{label: string, values: string[], about?: object}[]} axes X, Y and Z, as far as there are
 * @property {ReadonlyMap<string, Cell>} cells by their place
 * @property {string|null} job that makes it
 * @property {boolean} isWrapped whether its one axis goes on in further rows
 * @property {number} aspect of a picture, width by height
 * @property {{legend: boolean, margin: number}} look
 */

/** @type {Cell} */
const EMPTY = Object.freeze({ state: "empty" });
const NO_AXIS = Object.freeze({ label: "", values: Object.freeze([""]) });

export const keyOf = (/** @type {readonly number[]} */ at) => `${at[0] ?? 0},${at[1] ?? 0},${at[2] ?? 0}`;

/** The sheet of a plan of which nothing is made. @returns {Sheet} */
export function previewOf(axes, aspect, { legend, margin }) {
  return { id: null, title: "", axes, cells: new Map(), job: null, isWrapped: false, aspect, look: { legend, margin } };
}

// Python writes 4.0 where people write 4.
const plain = (/** @type {string} */ value) => value.replace(/^(-?\d+)\.0$/, "$1");

/** A plot as the server tells it. @param {any} plot @returns {Sheet} */
export function sheetOf(plot) {
  const isXyz = (plot.plan?.kind ?? "xyz") === "xyz";
  const count = plot.cells.reduce((most, one) => Math.max(most, (one.at[0] ?? 0) + 1), 0);
  const used = plot.axes.findLastIndex((one) => one.label || one.values.length > 1) + 1;
  const axes = used ? plot.axes.slice(0, used).map((one) => ({ ...one, values: one.values.map(plain) })) : [{ label: "", values: Array.from({ length: count }, (_, at) => String(at + 1)) }];
  const cells = new Map(plot.cells.map(({ at, ...cell }) => [keyOf(at), cell]));
  const text = plot.cells.find((one) => one.infotext)?.infotext ?? "";
  const [, width, height] = /\bSize: (\d+)x(\d+)/.exec(text) ?? [];
  return {
    id: plot.id, title: plot.title, axes, cells, job: plot.job ?? null, isWrapped: !isXyz && axes.length === 1,
    aspect: width ? Number(width) / Number(height) : 1, look: { legend: plot.plan?.legend ?? true, margin: plot.plan?.margin ?? 4 },
  }; // prettier-ignore
}

/** What the server told of one cell. @param {Sheet} sheet @param {any} told @returns {Sheet} */
export function withCell(sheet, { at, state, picture, thumb, infotext, error }) {
  const cells = new Map(sheet.cells);
  const before = cells.get(keyOf(at)) ?? EMPTY;
  const isSame = state === "there" && before.picture === picture; // the stream tells no texts
  cells.set(keyOf(at), { state, picture: picture ?? null, thumb: thumb ?? null, infotext: infotext || (isSame ? (before.infotext ?? "") : ""), error: error ?? "" });
  return { ...sheet, cells };
}

/** @param {Sheet} sheet @param {readonly number[]} at @returns {Cell} */
export const cellAt = (sheet, at) => sheet.cells.get(keyOf(at)) ?? EMPTY;

/** How many values X, Y and Z have. @param {Sheet} sheet @returns {[number, number, number]} */
export const sizesOf = (sheet) => /** @type {[number, number, number]} */ ([0, 1, 2].map((at) => (sheet.axes[at] ?? NO_AXIS).values.length));

/** @param {Sheet} sheet */
export function countsOf(sheet) {
  const [x, y, z] = sizesOf(sheet);
  const of = { empty: 0, running: 0, there: 0, failed: 0 };
  for (const cell of sheet.cells.values()) of[cell.state] += 1;
  return { ...of, all: x * y * z };
}

/** The place of a cell in words. @param {Sheet} sheet @param {readonly number[]} at */
export function placeOf(sheet, at) {
  const parts = sheet.axes.map((axis, index) => {
    const value = axis.values[at[index] ?? 0] ?? "";
    return index === 0 && axis.label ? `${t(axis.label)} ${value}` : value;
  });
  return parts.filter(Boolean).join(" · ");
}

/** The plot that a picture is the sheet of; null for any other picture. @param {{job?: string}|null} picture */
export const plotOf = (picture) => /^(.+)-sheets-[0-9a-f]+$/.exec(picture?.job ?? "")?.[1] ?? null;

/** The seed that a text of parameters names. @param {string} [text] */
export const seedIn = (text) => /\bSeed: (-?\d+)/.exec(text ?? "")?.[1] ?? null;

/** A cell in words. @param {Cell} cell @param {string} place @param {string} step "12/20" of a running one */
export function spokenOf(cell, place, step) {
  if (cell.state === "there") return place;
  if (cell.state === "failed") return t("{place}, failed: {reason}", { place, reason: cell.error ?? "" });
  if (cell.state === "running") return step ? t("{place}, step {step}", { place, step }) : t("{place}, is being made", { place });
  return t("{place}, not made yet", { place });
}
