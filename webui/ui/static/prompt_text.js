// What can be read in a prompt without asking the server: tags of networks, brackets. Pure functions of text.

/**
 * @typedef {object} Tag  a `<lora:name:weight>` in a prompt
 * @property {"lora"|"hypernet"} kind  `lyco` counts as `lora`
 * @property {string} name
 * @property {number|null} weight  of its first plain number; null where it has none
 * @property {number} start  where it stands in the text
 * @property {number} end
 */

const TAG = /<(lora|lyco|hypernet):([^:<>]+)((?::[^:<>]*)*)>/g;
const ANY_TAG = /<\w+:[^>]+>/g;
const PAIRS = { "(": ")", "[": "]", "{": "}" };
const NUMBER = /^\s*-?(?:\d+\.?\d*|\.\d+)\s*$/;

/** The tags of networks in a prompt, in their order. @param {string} text @returns {Tag[]} */
export function tagsIn(text) {
  return [...text.matchAll(TAG)].map((found) => {
    const first = found[3].split(":")[1];
    return {
      kind: found[1] === "hypernet" ? "hypernet" : "lora",
      name: found[2].trim(),
      weight: first !== undefined && NUMBER.test(first) ? Number(first) : null,
      start: found.index,
      end: found.index + found[0].length,
    };
  });
}

/** The text that a tokenizer sees: without tags. Two prompts with the same answer have the same count. */
export function outsideTags(text) {
  return text.replace(ANY_TAG, "").trim();
}

/** A weight as it is written: at most two decimals. */
export function written(weight) {
  const rounded = Math.round(weight * 100) / 100;
  return String(Object.is(rounded, -0) ? 0 : rounded);
}

/** The prompt with another weight in one of its tags; further arguments of the tag stay. */
export function withWeight(text, tag, weight) {
  const [opening, name, first, ...others] = text.slice(tag.start + 1, tag.end - 1).split(":");
  const kept = tag.weight === null && first !== undefined ? [first, ...others] : others;
  const changed = `<${[opening, name, written(weight), ...kept].join(":")}>`;
  return text.slice(0, tag.start) + changed + text.slice(tag.end);
}

/** The prompt without a piece of it, and without the blank or the comma that would be left over. */
export function without(text, start, end) {
  const before = text.slice(0, start);
  const after = text.slice(end);
  const joined = /[\s,]$/.test(before) || before === "" ? after.replace(/^ ?,? ?/, "") : after;
  return (before + joined).replace(/[ ,]+$/, (tail) => (after.trim() === "" ? "" : tail));
}

/** The prompt with a text at its end, a blank between them. */
export function appended(text, addition) {
  return text.trim() === "" ? addition : `${text.trimEnd()} ${addition}`;
}

/** The prompt with further words at its end, set off by commas; those that stand there already are left out. */
export function withWords(text, words) {
  const there = new Set(text.toLowerCase().replace(ANY_TAG, ",").split(",").map((word) => word.trim()));
  const fresh = words.filter((word) => !there.has(word.toLowerCase()));
  if (fresh.length === 0) return text;
  const before = text.trimEnd();
  const joint = before === "" ? "" : /(?:,|<\w+:[^<>]+>)$/.test(before) ? " " : ", ";
  return `${before}${joint}${fresh.join(", ")}`;
}

/**
 * The prompt with a text at its beginning.
 * @param {string} before the prefix that it has so far, which goes if it still stands there
 */
export function withPrefix(text, before, prefix) {
  const rest = before && text.startsWith(before) ? text.slice(before.length).replace(/^[\s,]+/, "") : text;
  if (!prefix || rest.startsWith(prefix)) return rest;
  if (rest.trim() === "") return prefix;
  return /[,\s]$/.test(prefix) ? `${prefix.trimEnd()} ${rest}` : `${prefix}, ${rest}`;
}

/**
 * Bracket pairs; tags and escaped brackets are text.
 * @param {string} text
 * @returns {{pairs: {open: number, close: number, char: string}[], alone: {at: number, char: string}[]}}
 */
export function brackets(text) {
  const inTags = tagSpans(text);
  const open = [];
  const pairs = [];
  const alone = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    const span = inTags.find((one) => one[0] === at);
    if (span) {
      at = span[1] - 1;
    } else if (char === "\\") {
      at += 1;
    } else if (char in PAIRS) {
      open.push({ at, char });
    } else if (Object.values(PAIRS).includes(char)) {
      const place = open.findLastIndex((one) => PAIRS[one.char] === char);
      if (place < 0) {
        alone.push({ at, char });
      } else {
        alone.push(...open.splice(place + 1));
        const one = open.pop();
        pairs.push({ open: one.at, close: at, char: one.char });
      }
    }
  }
  alone.push(...open);
  return { pairs, alone: alone.sort((one, other) => one.at - other.at) };
}

/** The words around a place, for a sentence that names it. */
export function around(text, at, length = 16) {
  const start = Math.max(0, at - length / 2);
  const piece = text.slice(start, start + length).replace(/\s+/g, " ").trim();
  return `${start > 0 ? "…" : ""}${piece}${start + length < text.length ? "…" : ""}`;
}

/** Whether a text is the whole text of a picture's generation parameters, as A1111 writes it. */
export function isInfotext(text) {
  return /(^|\n)\s*Steps: \d+\s*,\s*[A-Z][\w .]*: /.test(text);
}

function tagSpans(text) {
  return [...text.matchAll(ANY_TAG)].map((found) => [found.index, found.index + found[0].length]);
}
