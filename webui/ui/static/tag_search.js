// A list of tags in memory, and the search in it. All names and other names stand in one string, the most used tags
// first, so that the browser's own search finds them in order and most searches end early. Pure functions of text.

/**
 * @typedef {object} Found  a tag that fits
 * @property {string} name
 * @property {string} alias  the other name that fits; "" where the name itself does
 * @property {number} category
 * @property {number} count
 * @property {string} note  what is shown instead of the count
 */

const LETTER = /[\p{L}\p{N}]/u;
const BREAK = 10; // a line end's code

export class TagList {
  /** @param {string} text  as `library/tag_file.py` packs it: a line of JSON, then a line of names for each tag */
  constructor(text) {
    const head = text.indexOf("\n");
    const { categories, counts, notes, left_out } = JSON.parse(head < 0 ? text : text.slice(0, head));
    this.lines = head < 0 ? "" : `\n${text.slice(head + 1)}\n`;
    this.searched = searchable(this.lines);
    this.categories = Int8Array.from(categories);
    this.counts = Float64Array.from(counts);
    this.notes = notes;
    this.leftOut = left_out;
    this.starts = new Uint32Array(categories.length); // where each tag's line begins
    this.places = new Map(); // the place of each name
    for (let place = 0, at = 0; place < this.starts.length; place += 1) {
      this.starts[place] = at + 1;
      at = this.lines.indexOf("\n", at + 1);
      const name = this.searched.slice(this.starts[place], at);
      const other = name.indexOf("\t");
      this.places.set(other < 0 ? name : name.slice(0, other), place);
    }
  }

  get size() {
    return this.starts.length;
  }

  /**
   * The tags that fit a text: the one of that name, then those in which a word begins with it, then those that hold it
   * anywhere; each kind with the most used first.
   * @param {string} text
   * @param {number} most
   * @returns {Found[]}
   */
  search(text, most) {
    const wanted = searchable(text.trim());
    if (!wanted || wanted.includes("\n") || wanted.includes("\t")) return [];
    const isWord = wanted.charCodeAt(0) < 128 && LETTER.test(wanted[0]); // other scripts have no blanks between words
    const exact = this.places.get(wanted);
    const first = exact === undefined ? [] : [[exact, this.starts[exact]]];
    const later = [];
    const { searched, starts } = this;
    for (let at = searched.indexOf(wanted, 1), place = 0; at >= 0 && first.length < most; ) {
      const isBegin = !isWord || !isLetter(searched.charCodeAt(at - 1));
      if (isBegin || later.length < most) {
        place = placeOf(starts, at, place);
        if (isBegin) {
          if (place !== exact) first.push([place, at]);
          at = searched.indexOf(wanted, place + 1 < starts.length ? starts[place + 1] : searched.length);
          continue;
        }
        if (later.at(-1)?.[0] !== place) later.push([place, at]);
      }
      at = searched.indexOf(wanted, at + 1);
    }
    const taken = new Set(first.map(([place]) => place));
    return [...first, ...later.filter(([place]) => !taken.has(place))].slice(0, most).map(([place, at]) => this.found(place, at));
  }

  found(place, at) {
    const begin = this.starts[place];
    const [name, ...aliases] = this.lines.slice(begin, this.lines.indexOf("\n", begin)).split("\t");
    let alias = "";
    for (let end = begin + name.length, number = 0; end < at && number < aliases.length; number += 1) {
      alias = aliases[number];
      end += 1 + alias.length;
    }
    return { name, alias, category: this.categories[place], count: this.counts[place], note: this.notes[place] ?? "" };
  }
}

/** How a text is compared: lower case, with underscores for blanks. Its length stays, so that places do. */
export function searchable(text) {
  const lower = text.toLowerCase();
  return (lower.length === text.length ? lower : text.replace(/[A-Z]+/g, (part) => part.toLowerCase())).replaceAll(" ", "_");
}

/** A number in three digits or less: 950, 1.2k, 45k, 1.2M. */
export function short(count) {
  for (const [size, sign] of [[1e6, "M"], [1e3, "k"]]) {
    if (count >= size) return `${count < 10 * size ? Math.floor(count / (size / 10)) / 10 : Math.floor(count / size)}${sign}`;
  }
  return String(count);
}

// In which tag's line a place of the text is; it is not before that of `low`.
function placeOf(starts, at, low) {
  let high = starts.length;
  let from = low;
  while (high - from > 1) {
    const middle = (from + high) >> 1;
    if (starts[middle] <= at) from = middle;
    else high = middle;
  }
  return from;
}

function isLetter(code) {
  if (code < 128) return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
  return code !== BREAK && LETTER.test(String.fromCharCode(code));
}
