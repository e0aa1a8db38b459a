/**
 * Keeps the document of each browser tab in IndexedDB, so that a reload finds it again. A new tab starts with what was
 * kept last.
 */

import { packed, unpacked } from "./canvas_tiles.js";

const DATABASE = "webui_canvas";
const STORE = "documents";
const TAB = "webui_canvas_tab"; // where the session storage has this tab's key
const MOST_DOCUMENTS = 4;
export const MOST_BYTES = 64 * 1024 * 1024; // of the layers, or of the file, of one document

/** @typedef {{source: {file: Blob, name: string} | {picture: object} | null, mask: object, paint: object, frame: object}} Kept */

const REST = 700; // milliseconds without a change after which a document is kept

/**
 * Keeps the document in view, some time after its last change or when the page is hidden. Nothing is kept before `begin`,
 * so that the blank document of a page that opens slowly does not take the place of the one that was kept.
 */
export class Keeper {
  /** @param {(reason: "size" | "refused") => void} failed called once for each reason */
  constructor(failed) {
    [this.failed, this.timer, this.waiting, this.told, this.hasBegun] = [failed, 0, null, new Set(), false];
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
  }

  /** What was kept has been read. */
  begin() {
    this.hasBegun = true;
    if (this.waiting) this.later(this.waiting);
  }

  later(changed) {
    this.waiting = changed;
    if (!this.hasBegun) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), REST);
  }

  async flush() {
    clearTimeout(this.timer);
    const changed = this.waiting;
    if (!changed || !this.hasBegun) return;
    this.waiting = null;
    try {
      if (!(await keep(changed))) this.#tell("size");
    } catch (error) {
      console.warn("the canvas is not kept:", error);
      this.#tell("refused");
    }
  }

  #tell(reason) {
    if (!this.told.has(reason)) this.failed(reason);
    this.told.add(reason);
  }
}

/**
 * @param {import("./canvas_history.js").Document} document
 * @returns {Promise<boolean>} false where it is too large to be kept
 */
export async function keep(document) {
  const { source, mask, paint, frame } = document;
  const bytes = [...new Set([...mask.tiles.values(), ...paint.tiles.values()])].reduce((sum, one) => sum + one.length, 0);
  if (bytes > MOST_BYTES || (source?.file?.size ?? 0) > MOST_BYTES) return false;
  const from = source && (source.picture ? { picture: source.picture } : { file: source.file, name: source.name });
  const kept = { source: from, mask: packed(mask), paint: packed(paint), frame, saved: Date.now() };
  await inStore("readwrite", (store) => {
    store.put(kept, key());
    const all = store.getAll();
    const keys = store.getAllKeys();
    keys.onsuccess = () => oldest(keys.result, all.result).forEach((one) => store.delete(one));
    return keys;
  });
  return true;
}

/** @returns {Promise<Kept | null>} */
export async function kept() {
  const own = sessionStorage.getItem(TAB);
  const all = await inStore("readonly", (store) => store.getAll());
  const mine = own && (await inStore("readonly", (store) => store.get(own)));
  const found = mine || all.sort((one, other) => other.saved - one.saved)[0];
  if (!found) return null;
  return { source: found.source, mask: unpacked(found.mask), paint: unpacked(found.paint), frame: found.frame };
}

function key() {
  let own = sessionStorage.getItem(TAB);
  if (!own) sessionStorage.setItem(TAB, (own = Math.random().toString(36).slice(2)));
  return own;
}

/** The keys of the documents beyond the number that is kept. */
function oldest(keys, all) {
  const byAge = keys.map((one, number) => [all[number].saved, one]).sort(([one], [other]) => other - one);
  return byAge.slice(MOST_DOCUMENTS).map(([, one]) => one);
}

async function inStore(mode, ask) {
  const database = await opened();
  try {
    return await answer(ask(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function opened() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return answer(request);
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
