// Asking the server for the Library: pages of pictures that are fetched as they come into view, and everything else.

const PAGE = 200; // rows of a page, as the server cuts them
const BASE = "internal/page/library/";

/**
 * A picture of the Library: a Picture (bus.js) with more.
 * @typedef {{id: string, number: number, job: string, index: number, url: string, thumb: string, width: number,
 *   height: number, bytes: number, seed: string, kind: string, created: number, grid: boolean, rating: number,
 *   name: string, prompt: string, checkpoint: string, program: string, fault: string, trashed: number|null,
 *   text: string}} Shown
 * @typedef {{key: string, value: string, fields: string[]}} Parameter
 * @typedef {{text: string, parameters: Parameter[], program: string, notices: string[], as_found: boolean}} Told
 * @typedef {{picture: Shown, told: Told, notes: string, tags: string[], loras: string[], place: string, folder: number}} Whole
 */

/** The address of a picture or thumbnail, wherever the page hangs. */
export const addressOf = (path) => new URL(path, window.webui.base).href;

/**
 * Ask a route of the Library.
 * @param {"GET"|"POST"|"PUT"|"DELETE"} method
 * @param {unknown} [body] JSON, or a Blob that is sent as it is
 * @throws {Error} with the server's sentence
 */
export async function ask(method, path, body) {
  const asked = { method };
  if (body instanceof Blob) Object.assign(asked, { body, headers: { "content-type": "application/octet-stream" } });
  else if (body !== undefined) Object.assign(asked, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const answer = await fetch(addressOf(BASE + path), asked);
  if (!answer.ok) throw new Error(await sentence(answer));
  return answer.json();
}

async function sentence(answer) {
  try {
    const { detail } = await answer.json();
    if (typeof detail === "string" && detail) return detail;
    if (Array.isArray(detail) && detail[0]?.msg) return `${detail[0].loc?.at(-1) ?? ""} ${detail[0].msg}`.trim();
  } catch {
    // it is no JSON: the status has to do
  }
  return `${answer.status} ${answer.statusText}`;
}

/** The pictures of one search, in order, as far as they were looked at. */
export class Found {
  #pages = new Map(); // number of a page -> its rows, or the promise of them
  #anchors = null;
  total = 0;

  /** @param {{q: string, sort: string, shelf: string}} query */
  constructor(query) {
    this.query = new URLSearchParams(query).toString();
  }

  /** Fetch the first page. @returns {Promise<Found>} */
  async begin() {
    const first = await ask("GET", `pictures?${this.query}`);
    if (first.fault) throw new Error(first.fault);
    this.total = first.total;
    this.#pages.set(0, first.rows);
    return this;
  }

  /** The picture at a place, undefined while it is not there yet. @returns {Shown|undefined} */
  at(place) {
    const page = this.#pages.get(Math.floor(place / PAGE));
    return Array.isArray(page) ? page[place % PAGE] : undefined;
  }

  /** Where a picture stands among those that were fetched; -1 if nowhere. */
  placeOf(number) {
    for (const [page, rows] of this.#pages) {
      const at = Array.isArray(rows) ? rows.findIndex((row) => row.number === number) : -1;
      if (at >= 0) return page * PAGE + at;
    }
    return -1;
  }

  /** Fetch what is missing between two places (the second left out). */
  async load(from, to) {
    const pages = [];
    for (let page = Math.floor(Math.max(0, from) / PAGE); page * PAGE < Math.min(to, this.total); page++) pages.push(this.#fetch(page));
    await Promise.all(pages);
  }

  /** Change a picture wherever it stands. */
  change(number, values) {
    const place = this.placeOf(number);
    if (place >= 0) Object.assign(this.at(place), values);
  }

  async #fetch(page) {
    if (this.#pages.has(page)) return this.#pages.get(page);
    const promise = this.#rows(page);
    this.#pages.set(page, promise);
    try {
      this.#pages.set(page, await promise);
    } catch (error) {
      this.#pages.delete(page);
      throw error;
    }
    return this.#pages.get(page);
  }

  async #rows(page) {
    this.#anchors ??= ask("GET", `anchors?${this.query}`);
    const after = (await this.#anchors)[page - 1];
    if (after === undefined) return [];
    return (await ask("GET", `pictures?${this.query}&after=${encodeURIComponent(after)}`)).rows;
  }
}

/** When a picture was made, as people read it. */
export const dateOf = (seconds) => new Date(seconds * 1000).toLocaleString(window.webui.language.replace("_", "-"), { dateStyle: "medium", timeStyle: "short" });

/** A number of bytes as people read it. */
export function sizeOf(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Words that name a picture to those who do not see it. */
export const altOf = (picture) => (picture.prompt || picture.name).slice(0, 200);
