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
const MOST_WHOLE = 32; // searches that are remembered

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
    this.whole = new Map(); // the places of everything that holds a text, for the last few that were searched to the end
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
    const found = { first: exact === undefined ? [] : [[exact, this.starts[exact]]], later: [], exact };
    const known = [...this.whole.keys()].find((text_) => wanted.includes(text_));
    if (known === undefined) this.searchAll(wanted, isWord, most, found);
    else for (const place of this.whole.get(known)) this.searchLine(wanted, isWord, place, found);
    const taken = new Set(found.first.map(([place]) => place));
    return [...found.first, ...found.later.filter(([place]) => !taken.has(place))].slice(0, most).map(([place, at]) => this.found(place, at));
  }

  searchAll(wanted, isWord, most, { first, later, exact }) {
    const { searched, starts } = this;
    let at = searched.indexOf(wanted, 1);
    for (let place = 0; at >= 0 && first.length < most; ) {
      const isBegin = !isWord || !isLetter(searched.charCodeAt(at - 1));
      if (isBegin || later.length < most) {
        place = placeOf(starts, at, place);
        if (isBegin) {
          if (place !== exact) first.push([place, at]);
          at = searched.indexOf(wanted, this.endOf(place));
          continue;
        }
        if (later.at(-1)?.[0] !== place) later.push([place, at]);
      }
      at = searched.indexOf(wanted, at + 1);
    }
    if (at >= 0 || later.length >= most) return;
    // what holds a longer text is among these: the next letters need no search through everything
    this.whole.set(wanted, [...new Set([...first, ...later].map(([place]) => place))].sort((one, other) => one - other));
    if (this.whole.size > MOST_WHOLE) this.whole.delete(this.whole.keys().next().value);
  }

  searchLine(wanted, isWord, place, { first, later, exact }) {
    const begin = this.starts[place];
    const line = `\n${this.searched.slice(begin, this.endOf(place))}`;
    let other = -1;
    for (let at = line.indexOf(wanted, 1); at >= 0; at = line.indexOf(wanted, at + 1)) {
      if (!isWord || !isLetter(line.charCodeAt(at - 1))) {
        if (place !== exact) first.push([place, begin + at - 1]);
        return;
      }
      if (other < 0) other = begin + at - 1;
    }
    if (other >= 0) later.push([place, other]);
  }

  endOf(place) {
    return place + 1 < this.starts.length ? this.starts[place + 1] : this.searched.length;
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
