// Editing by keys in a prompt box: weights by Ctrl+Up and Ctrl+Down, order by Alt+Left and Alt+Right. The two functions
// that compute the new text are pure; `listen` binds them to a box and writes so that the browser's own undo works.

import { brackets, tagsIn, withWeight, written } from "./prompt_text.js";

/**
 * @typedef {object} Edit  a prompt and what is marked in it
 * @property {string} text
 * @property {number} start
 * @property {number} end
 */

const STEP = 0.1;
const TAG_STEP = 0.05;
const BRACKET = 1.1; // the factor of a pair of round brackets, as in A1111
let writing = false;
const DELIMITERS = new Set(".,\\/!?%^*;:{}=`~()[]<>| \t\r\n");
const WEIGHT = /:\s*(-?(?:\d+\.?\d*|\.\d+))\s*$/;

/**
 * The prompt with another weight of the marked words; without a mark, of the tag, brackets or word at the cursor.
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @param {1|-1} direction
 * @returns {Edit|null} null where there is nothing that has a weight
 */
export function changedWeight(text, start, end, direction) {
  const tag = tagsIn(text).find((one) => one.start <= start && end <= one.end && (start < end || (one.start < start && end < one.end)));
  if (tag) {
    const changed = withWeight(text, tag, (tag.weight ?? 1) + direction * TAG_STEP);
    return { text: changed, start: tag.start + 1, end: tag.end + changed.length - text.length - 1 };
  }
  const marked = trimmed(text, start, end);
  const group = start === end ? groupAt(text, start) : groupOf(text, ...marked);
  if (group) return regrouped(text, group, direction * STEP);
  const [from, to] = start === end ? wordAt(text, start) : marked;
  if (from === to) return null;
  return regrouped(text, { open: from, close: to, from, to, weight: 1 }, direction * STEP);
}

/**
 * The prompt with the part at the cursor, or the marked parts, moved by one place among those between commas. Inside
 * brackets the parts of these brackets move.
 * @returns {Edit|null} null where there is no place to move to
 */
export function movedPart(text, start, end, direction) {
  const [from, to] = innermost(text, start, end);
  const parts = partsOf(text, from, to);
  const first = parts.findIndex((part) => start <= part.limit);
  const last = parts.findLastIndex((part) => end >= part.begin);
  if (first < 0 || last < first || parts.slice(first, last + 1).every((part) => part.start === part.end)) return null;
  const other = direction < 0 ? first - 1 : last + 1;
  if (other < 0 || other >= parts.length) return null;
  const order = parts.map((_, index) => index);
  order.splice(first, last - first + 1);
  order.splice(direction < 0 ? other : first + 1, 0, ...Array.from({ length: last - first + 1 }, (_, index) => first + index));
  let moved = text.slice(0, parts[0].start);
  let mark = null;
  order.forEach((index, place) => {
    const begin = moved.length;
    moved += text.slice(parts[index].start, parts[index].end);
    if (index === first) mark = { start: begin + clamp(start - parts[first].start, parts[first]), end: 0 };
    if (index === last) mark.end = begin + clamp(end - parts[last].start, parts[last]);
    const next = place + 1 < parts.length ? parts[place + 1].start : text.length;
    moved += text.slice(parts[place].end, next);
  });
  return { text: moved, ...mark };
}

/**
 * Bind the keys to a box.
 * @param {HTMLTextAreaElement} box
 */
export function listen(box) {
  box.addEventListener("keydown", (event) => {
    const command = event.ctrlKey || event.metaKey;
    let edit = null;
    if (command && !event.altKey && !event.shiftKey && /^Arrow(Up|Down)$/.test(event.key)) {
      edit = changedWeight(box.value, box.selectionStart, box.selectionEnd, event.key === "ArrowUp" ? 1 : -1);
    } else if (event.altKey && !command && !event.shiftKey && /^Arrow(Left|Right)$/.test(event.key)) {
      edit = movedPart(box.value, box.selectionStart, box.selectionEnd, event.key === "ArrowLeft" ? -1 : 1);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (edit) write(box, edit);
  });
}

/** Whether a script is writing into a box now, by `write`. */
export function isWriting() {
  return writing;
}

/**
 * Put a text into a box as if it had been typed: only what differs is replaced, the browser can undo it, and Gradio
 * hears of it. The focus stays where it was.
 * @param {HTMLTextAreaElement} box
 * @param {{text: string, start?: number, end?: number}} edit  start and end are marked afterwards
 */
export function write(box, edit) {
  const old = box.value;
  if (old !== edit.text) {
    const [from, to, piece] = difference(old, edit.text);
    const focused = document.activeElement;
    const isShown = box.offsetParent !== null && !box.disabled && !box.readOnly;
    // a phone would open its keyboard at every card that is touched
    const byCommand = isShown && (focused === box || !matchMedia("(pointer: coarse)").matches);
    if (byCommand && focused !== box) box.focus({ preventScroll: true });
    if (byCommand) box.setSelectionRange(from, to);
    writing = true;
    const done = byCommand && (piece === "" ? document.execCommand("delete") : document.execCommand("insertText", false, piece));
    if (!done || box.value !== edit.text) {
      if (box.value === old) box.setRangeText(piece, from, to, "end");
      else Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, edit.text);
      box.dispatchEvent(new Event("input", { bubbles: true }));
    }
    writing = false;
    if (focused instanceof HTMLElement && focused !== box && document.activeElement === box) focused.focus({ preventScroll: true });
  }
  if (edit.start !== undefined) box.setSelectionRange(edit.start, edit.end ?? edit.start);
}

function difference(old, text) {
  const shorter = Math.min(old.length, text.length);
  let head = 0;
  while (head < shorter && old[head] === text[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && old[old.length - 1 - tail] === text[text.length - 1 - tail]) tail += 1;
  return [head, old.length - tail, text.slice(head, text.length - tail)];
}

function trimmed(text, start, end) {
  let [from, to] = [start, end];
  while (from < to && /\s/.test(text[from])) from += 1;
  while (to > from && /\s/.test(text[to - 1])) to -= 1;
  return [from, to];
}

function wordAt(text, at) {
  let [from, to] = [at, at];
  while (from > 0 && !DELIMITERS.has(text[from - 1])) from -= 1;
  while (to < text.length && !DELIMITERS.has(text[to])) to += 1;
  return [from, to];
}

// A group is a run of brackets of one kind around one text: `(x)`, `((x))`, `(x:1.2)`, `[x]`. Brackets of prompt
// editing and alternation (`[a:b:0.5]`, `[a|b]`) are none.
function groupsIn(text) {
  const groups = brackets(text).pairs
    .map((pair) => groupFrom(text, pair))
    .filter(Boolean)
    .sort((one, other) => one.close - one.open - (other.close - other.open));
  for (const group of groups) {
    for (let around = outer(text, groups, group); around; around = outer(text, groups, group)) {
      group.open = around.open;
      group.close = around.close;
      group.weight *= around.weight;
    }
  }
  return groups;
}

function groupFrom(text, { open, close, char }) {
  const inner = text.slice(open + 1, close);
  if (char === "{" || (char === "[" && /[:|]/.test(inner.replace(/<[^>]*>/g, "")))) return null;
  const weight = char === "(" ? WEIGHT.exec(inner) : null;
  const to = weight ? open + 1 + weight.index : close;
  const factor = weight ? Number(weight[1]) : char === "(" ? BRACKET : 1 / BRACKET;
  return { open, close: close + 1, from: open + 1, to, weight: factor };
}

function outer(text, groups, group) {
  return groups.find((one) => one !== group && one.from === group.open && one.to === group.close && one.open === group.open - 1);
}

function groupAt(text, at) {
  return groupsIn(text).find((group) => group.open < at && at < group.close) ?? null;
}

// What is marked is the text of a group, the whole group, or a piece of its number, which the browser marks on undo.
function groupOf(text, from, to) {
  const is = (group) => (group.from === from && group.to === to) || (group.open === from && group.close === to) || (group.to < from && to < group.close);
  return groupsIn(text).find(is) ?? null;
}

function regrouped(text, group, by) {
  let weight = Math.round((group.weight + by) * 100) / 100;
  if (Math.abs(weight - 1) < 0.015) weight = 1; // `[x]` is 0.91: one step up is no weight at all
  const inner = text.slice(group.from, group.to);
  const number = Number.isInteger(weight) ? `${written(weight)}.0` : written(weight);
  const piece = weight === 1 ? inner : `(${inner}:${number})`;
  const start = group.open + (weight === 1 ? 0 : 1);
  return { text: text.slice(0, group.open) + piece + text.slice(group.close), start, end: start + inner.length };
}

function innermost(text, start, end) {
  const inside = brackets(text).pairs.filter((pair) => pair.open < start && end <= pair.close);
  const nearest = inside.sort((one, other) => one.close - one.open - (other.close - other.open))
    .find((pair) => partsOf(text, pair.open + 1, pair.close).length > 1);
  if (!nearest) return [0, text.length];
  const weight = WEIGHT.exec(text.slice(nearest.open + 1, nearest.close));
  return [nearest.open + 1, weight ? nearest.open + 1 + weight.index : nearest.close];
}

// The parts between the commas and line ends of a piece of text that stand in no brackets of their own. `begin` and
// `limit` are those marks, `start` and `end` the words between them.
function partsOf(text, from, to) {
  const covered = [
    ...brackets(text).pairs.filter((pair) => pair.open >= from && pair.close < to).map((pair) => [pair.open, pair.close]),
    ...tagsIn(text).map((tag) => [tag.start, tag.end - 1]),
  ];
  const marks = [];
  for (let at = from; at < to; at += 1) {
    const cover = covered.find((one) => one[0] === at);
    if (cover) at = cover[1];
    else if (text[at] === "," || text[at] === "\n") marks.push(at);
  }
  return [from, ...marks.map((mark) => mark + 1)].map((begin, index) => {
    const limit = marks[index] ?? to;
    const [start, end] = trimmed(text, begin, limit);
    return { begin, limit, start, end };
  });
}

function clamp(offset, part) {
  return Math.min(Math.max(offset, 0), part.end - part.start);
}
