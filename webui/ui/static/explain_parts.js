// The drawings of the panel that explains a prompt: words with their weights as heat, chunks as boxes, texts as bars over
// the steps.

import { el, t } from "./kit.js";

const STRONGEST = 0.6; // how far from 1 a weight is that has the deepest colour

/** A weight as it is shown: at most two decimals. */
export const shownWeight = (weight) => String(Math.round(weight * 100) / 100);

/** What colours mean; the numbers under the words say the same. */
export function legend() {
  return el("span", { class: "explain-legend", "aria-hidden": "true" }, t("less"), el("i", {}), t("more"));
}

/** @param {import("./explain_panel.js").Piece[]} chunk @param {number} number from 0 @param {number} size tokens that fit */
export function chunkBox(chunk, number, size) {
  const used = chunk.reduce((sum, piece) => sum + piece.tokens, 0);
  const told = t("Chunk {n}: {used} of {size} tokens", { n: number + 1, used, size });
  const fill = el("span", { class: "explain-fill", "aria-hidden": "true" }, el("i", {}));
  fill.firstElementChild.style.width = `${Math.min(100, (100 * used) / size)}%`;
  const words = chunk.length ? el("p", { class: "explain-words" }, ...wordsOf(chunk).map(word)) : el("p", { class: "explain-note" }, t("Empty: only padding."));
  return el("div", { class: "explain-chunk" }, el("div", { class: "explain-head" }, told, fill), words);
}

// Pieces of one word stand together; so do the tokens' borders in it.
function wordsOf(chunk) {
  const words = [[]];
  for (const piece of chunk) {
    words.at(-1).push(piece);
    if (piece.ends_word) words.push([]);
  }
  return words.filter((one) => one.length);
}

function word(pieces) {
  return el("span", { class: "explain-word" }, ...pieces.map(piece));
}

/** @param {import("./explain_panel.js").Piece} one */
function piece(one) {
  const isPlain = Math.abs(one.weight - 1) < 0.005;
  const notes = [
    one.is_embedding && t("embedding, {n} tokens", { n: one.tokens }),
    !one.is_embedding && one.tokens > 1 && t("{n} tokens", { n: one.tokens }),
    !isPlain && t("weight {weight}", { weight: shownWeight(one.weight) }),
  ].filter(Boolean);
  const made = el("span", { class: `explain-piece${one.is_embedding ? " embedding" : ""}`, title: notes.join(", ") }, el("span", {}, one.text));
  if (!isPlain) {
    made.classList.add(one.weight > 1 ? "more" : "less");
    made.style.setProperty("--heat", `${Math.round(20 + 55 * Math.min(1, Math.abs(one.weight - 1) / STRONGEST))}%`);
    made.append(el("small", {}, shownWeight(one.weight)));
  }
  return made;
}

/**
 * A text of a schedule: a button with a bar at the steps at which it counts.
 * @param {import("./explain_panel.js").Text} text
 */
export function scheduleRow(text, isChosen, { calls }, steps, choose) {
  const perStep = calls / steps;
  const track = el("span", { class: "explain-track", "aria-hidden": "true" }, ...text.calls.map(([first, last]) => {
    const bar = el("i", {});
    bar.style.left = `${(100 * (first - 1)) / calls}%`;
    bar.style.width = `${(100 * (last - first + 1)) / calls}%`;
    return bar;
  }));
  const spans = text.calls.slice(0, 3).map(([first, last]) => span(Math.ceil(first / perStep), Math.ceil(last / perStep)));
  const when = t("steps {list}", { list: spans.join(", ") + (text.calls.length > 3 ? " …" : "") });
  return el("button", { type: "button", class: "explain-row", "aria-pressed": String(isChosen), title: text.text, onclick: choose },
    el("span", { class: "explain-text" }, text.text.trim() || t("(nothing)")), track, el("small", {}, when));
}

const span = (first, last) => (first === last ? String(first) : `${first}–${last}`);

/** A network's tag. @param {{kind: string, name: string, more: string[], known: boolean|null}} tag */
export function tagChip({ kind, name, more, known }) {
  const values = more.length ? [el("small", {}, more.join(" "))] : [];
  const missing = known === false ? [el("small", { class: "wrong" }, t("there is no such file"))] : [];
  return el("li", { class: known === false ? "missing" : "" }, el("b", {}, kind), " ", name, ...values, ...missing);
}
