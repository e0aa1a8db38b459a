// What prompts are completed with: fetched once, when somebody begins to type, and searched here from then on.

import { hear, say } from "./bus.js";
import { chosen } from "./completion_wishes.js";
import { ask } from "./page_requests.js";
import { searchable, TagList } from "./tag_search.js";

/**
 * @typedef {object} Row  something that may be chosen
 * @property {"tag"|"lora"|"hypernetwork"|"embedding"|"wildcard"|"style"} kind
 * @property {string} name
 * @property {string} [alias]
 * @property {number} [category]
 * @property {number} [count]
 * @property {string} [note]
 * @property {string} [tag]  of a network: the name in its tag
 * @property {number} [weight]
 * @property {string} [words]
 */

const NOTHING = Object.freeze({ lora: [], hypernetwork: [], embedding: [], wildcard: [], style: [] });
const MOST_EMBEDDINGS = 3; // among tags
const LETTER = /[\p{L}\p{N}]/u;

class CompletionData {
  constructor() {
    this.names = NOTHING;
    this.tags = null;
    this.board = "danbooru";
    this.lists = [];
    this.coming = null;
    this.isHere = false;
    this.digest = "";
    this.round = 0; // how often lists of tags were asked for: only the answer to the last counts
  }

  /** Fetch what is not here yet; at once where it is. */
  load() {
    this.coming ??= Promise.all([this.loadNames(), this.loadTags()]).then(() => { this.isHere = true; });
    return this.coming;
  }

  /** Fetch anew: other files, another list. */
  renew() {
    if (!this.coming) return null; // nobody has typed yet
    this.coming = null;
    return this.load();
  }

  async loadNames() {
    try {
      const { problems, ...names } = await ask("prompt-words");
      this.names = { ...NOTHING, ...names };
      for (const problem of problems) say("notice", { kind: "notice", text: problem });
    } catch (error) {
      say("notice", { kind: "error", text: error.message });
    }
  }

  async loadTags() {
    const round = (this.round += 1);
    try {
      const { lists } = await ask("tags");
      if (round !== this.round) return;
      this.lists = lists;
      const list = usedList(this.lists, chosen().list);
      if (!list) {
        this.tags = null;
        this.digest = "";
      } else if (list.digest !== this.digest) {
        const file = await text(`tags/${list.digest}`);
        if (round !== this.round) return;
        this.tags = new TagList(file);
        this.digest = list.digest;
        this.board = list.board;
      }
    } catch (error) {
      if (round !== this.round) return;
      this.tags = null;
      this.digest = "";
      say("notice", { kind: "error", text: error.message });
    }
  }

  /**
   * @param {import("./completion_place.js").Place} place
   * @param {string} query
   * @param {number} most
   * @returns {Row[]}
   */
  search(place, query, most) {
    if (place.kind === "network") return place.networks.flatMap((kind) => this.named(kind, query, most)).slice(0, most);
    if (place.kind !== "tag") return this.named(place.kind, query, most);
    const embeddings = this.named("embedding", query, MOST_EMBEDDINGS, true);
    return [...embeddings, ...(this.tags?.search(query, most) ?? []).map((tag) => ({ kind: "tag", ...tag }))].slice(0, most);
  }

  named(kind, query, most, atWord = false) {
    const wanted = searchable(query.trim());
    const found = [[], []];
    for (const one of this.names[kind]) {
      const row = typeof one === "string" ? { kind, name: one } : { kind, ...one };
      const text = searchable(row.name);
      const at = text.indexOf(wanted);
      const isBegin = at === 0 || (at > 0 && !LETTER.test(text[at - 1]));
      if (at >= 0 && (isBegin || !atWord)) found[isBegin ? 0 : 1].push(row);
      if (found[0].length >= most) break;
    }
    return found.flat().slice(0, most);
  }
}

/** The list that is used: the chosen one, else danbooru's, else the first. */
export function usedList(lists, name) {
  const usable = lists.filter((one) => !one.problem);
  return usable.find((one) => one.name === name) ?? usable.find((one) => one.name === "danbooru.csv") ?? usable[0] ?? null;
}

async function text(path) {
  const answer = await fetch(`${window.webui.base}internal/page/${path}`);
  if (answer.ok) return answer.text();
  const { detail } = await answer.json().catch(() => ({}));
  throw new Error(detail ?? `The server refused (${answer.status}).`);
}

export const data = new CompletionData();
hear("files:changed", () => data.renew());
window.addEventListener("webui:completion", () => data.renew());
