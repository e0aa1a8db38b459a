// What stands at the cursor of a prompt and may be completed, and the prompt with a word put there. Pure functions of text.

import { written } from "./prompt_text.js";

/**
 * @typedef {object} Place  a piece of a prompt that may be completed
 * @property {"tag"|"network"|"wildcard"|"style"} kind
 * @property {string} query  what was typed of it
 * @property {string[]} networks  the kinds of networks that may stand there
 * @property {number} start
 * @property {number} end
 * @property {boolean} isNamed  a network's tag that is whole: only its name is replaced
 *
 * @typedef {object} Wishes  how tags are written
 * @property {boolean} spaces  blanks for underscores
 * @property {boolean} escape  a backslash before brackets
 * @property {boolean} comma  a comma behind it
 */

const NETWORKS = Object.freeze({
  "": ["lora", "hypernetwork", "embedding"],
  l: ["lora"], lora: ["lora"], lyco: ["lora"],
  h: ["hypernetwork"], hypernet: ["hypernetwork"],
  e: ["embedding"],
});
const OPENED = Object.freeze({ lora: "lora", hypernetwork: "hypernet" });
const NETWORK = /<(?:(\w*):)?([^<>:\n]*)$/;
const WILDCARD = /^(?:[^_]|_(?!_))*__(?:(?:[^_]|_(?!_))+__(?:[^_]|_(?!_))*__)*((?:[^_\s,]|_(?!_))*)$/;
const STYLE = /(?:^|[,\n])[ \t]*(\$([^\s,$(){}[\]<>|:][^,$(){}[\]<>|:\n]*|))$/;
const SEPARATOR = /(?:[,\n()[\]{}|<>:;]|\b(?:AND|BREAK)\b)/g;
const FACES = new Set(["0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||"]);
const MOST_WORDS = 4; // of a tag, before the cursor

/** The place at the cursor; null where nothing can be completed. @param {string} text @param {number} at @returns {Place|null} */
export function placeAt(text, at) {
  const before = text.slice(0, at);
  const after = text.slice(at);
  const network = NETWORK.exec(before);
  if (network) return networkAt(network, at, after);
  const line = before.slice(Math.max(before.lastIndexOf("\n"), before.lastIndexOf(",")) + 1);
  const wildcard = WILDCARD.exec(line);
  if (wildcard) {
    const rest = /^(?:[^_\s,]|_(?!_))*__/.exec(after)?.[0].length ?? 0;
    return place("wildcard", wildcard[1], at - wildcard[1].length - 2, at + rest);
  }
  const style = STYLE.exec(before);
  if (style) return place("style", style[2], at - style[1].length, at);
  if (/^[\p{L}\p{N}_]/u.test(after)) return null; // in the middle of a word
  const start = wordStart(before);
  const typed = before.slice(start);
  const query = typed.replace(/\\([()[\]])/g, "$1");
  return query ? place("tag", query, start, at) : null;
}

/**
 * What a search may look for, the longest first: a sentence may end with the beginning of a tag.
 * @param {Place} found
 * @returns {{query: string, start: number}[]}
 */
export function queries(found) {
  if (found.kind !== "tag") return [{ query: found.query, start: found.start }];
  const begins = [...found.query.matchAll(/\S+/g)].map((word) => word.index).slice(-MOST_WORDS);
  const escaped = found.end - found.start - found.query.length; // backslashes of the piece as it stands in the prompt
  return begins.filter((begin) => begin === 0 || escaped === 0)
    .map((begin) => ({ query: found.query.slice(begin), start: begin === 0 ? found.start : found.start + begin }))
    .filter(({ query }) => query.length > 1 || query.charCodeAt(0) > 127);
}

/** A tag as it is written into a prompt. @param {string} name @param {Wishes} wishes */
export function tagText(name, { spaces, escape }) {
  const spaced = spaces && !FACES.has(name) ? name.replaceAll("_", " ") : name;
  return escape ? spaced.replace(/[()]/g, "\\$&") : spaced;
}

/** What stands for a network: its tag with weight and words, or an embedding's name. */
export function networkText({ kind, tag, weight, words }, isNamed = false) {
  if (!(kind in OPENED) || isNamed) return tag;
  return `<${OPENED[kind]}:${tag}:${written(weight || 1)}>${words ? ` ${words}` : ""}`;
}

/**
 * The prompt with a text instead of a piece of it.
 * @param {string} text
 * @param {{start: number, end: number}} found
 * @param {string} piece
 * @param {boolean} comma  with a comma and a blank behind it, where none stands there
 * @returns {{text: string, start: number, end: number}} the cursor behind it
 */
export function completed(text, { start, end }, piece, comma) {
  const after = text.slice(end);
  const tail = comma && !/^[ \t]*[,)\]}|:>]/.test(after) ? ", " : "";
  const skipped = tail ? /^ */.exec(after)[0].length : 0;
  const cursor = start + piece.length + tail.length;
  return { text: text.slice(0, start) + piece + tail + after.slice(skipped), start: cursor, end: cursor };
}

function place(kind, query, start, end, more = {}) {
  return { kind, query, start, end, networks: [], isNamed: false, ...more };
}

function networkAt(found, at, after) {
  const [all, kind, name] = found;
  const networks = NETWORKS[kind ?? ""];
  if (!networks || (kind === "" && all.length === 2)) return null;
  const rest = /^[^<>:,\n]*(?=[:>])/.exec(after)?.[0].length;
  if (kind && rest !== undefined) return place("network", name, at - name.length, at + rest, { networks, isNamed: true });
  return place("network", name, at - all.length, at, { networks });
}

function wordStart(before) {
  let start = 0;
  for (const mark of before.matchAll(SEPARATOR)) {
    const isEscaped = /[()[\]]/.test(mark[0]) && before[mark.index - 1] === "\\";
    if (!isEscaped) start = mark.index + mark[0].length;
  }
  return start + /^\s*/.exec(before.slice(start))[0].length;
}
