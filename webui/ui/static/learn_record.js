// Recordings of runs, as the server tells them: numbers, pictures of the steps, maps of the words, parts of the network.
import { ask, send } from "./page_requests.js";

const BASE = "learn/";
const ROWS = Object.freeze({ noisy: 0, noise: 1, guidance: 2 });

/**
 * @typedef {{index: number, sigma: number, next: number, t: number, abar: number, push: number, moved: number,
 *   top: number, maps: boolean, decoded: boolean}} Step
 * @typedef {{text: string, weight: number, tokens: number[], is_sign: boolean}} Word
 * @typedef {{name: string, kind: string, side: string, level: number, enters: number, leaves: number,
 *   parameters: number, depth: number, heads: number, context: number}} Part
 */

/** The recordings that there are, the newest first. */
export const recordings = () => ask(`${BASE}runs`);

/**
 * What a picture is made again with, beside its own parameters.
 * @typedef {{blocks?: Record<string, number>, muted?: {words: string[], tokens: number[]}, self_attention?: boolean}} Otherwise
 */

/** Have a picture made again with a recording. @param {Otherwise} otherwise @returns {Promise<{job: string}>} */
export const takeApart = (picture, otherwise = {}) => send(`${BASE}runs`, { picture, ...otherwise });

/** With what a run was made beside its parameters, some of it changed. @param {Recorded} run @param {Otherwise} changes */
export function otherwise(run, changes = {}) {
  const { scales = {}, muted, looking = [] } = run.told;
  const isMuted = Boolean(muted?.words.length || muted?.tokens.length);
  return { blocks: scales, ...(isMuted ? { muted } : {}), ...(looking.length ? { self_attention: true } : {}), ...changes };
}

export class Recorded {
  #words = new Map(); // what was asked -> promise of its maps
  #parts = null;

  constructor(job) {
    this.job = job;
    /** @type {Step[]} */
    this.facts = [];
    this.told = {};
  }

  /** How many steps are recorded by now. */
  get count() {
    return this.facts.length;
  }

  /** How many steps of the run are recorded in the end. */
  get steps() {
    return this.told.is_done ? this.count : Math.max(this.count, Math.ceil(this.told.total / this.told.every));
  }

  get isDone() {
    return Boolean(this.told.is_done);
  }

  /** @returns {Word[]} */
  get words() {
    return this.told.words ?? [];
  }

  /** The steps that have maps, by their places among all. */
  get mapped() {
    return this.facts.flatMap((one, at) => (one.maps ? [at] : []));
  }

  /** The steps of which it is known where places look. */
  get pointed() {
    return this.facts.flatMap((one, at) => (one.points ? [at] : []));
  }

  /** Ask for what is there by now. @throws {Error} with the server's sentence */
  async refresh() {
    const told = await ask(`${BASE}${this.job}/run`);
    const count = told.steps.length;
    if (!count) return this;
    const [latents, clean] = await Promise.all(["latents", "clean"].map((rows) => picture(`${this.job}/${rows}.webp?count=${count}`)));
    Object.assign(this, { told, facts: told.steps, latents, clean });
    return this;
  }

  /** The maps of a word at all steps that have them. @returns {Promise<Heat>} */
  heat(word) {
    const count = this.mapped.length;
    return this.#heat(`words/${word}?count=${count}`, this.told.blocks.length, count);
  }

  /** Where a cell of the grid looks, at all steps of which that is known. @returns {Promise<Heat>} */
  lookOf({ x, y }) {
    const count = this.pointed.length;
    return this.#heat(`point?x=${x}&y=${y}&count=${count}`, this.told.looking.length, count);
  }

  /** A part of the recording as it is. @returns {Promise<any>} JSON */
  part(name) {
    return ask(`${BASE}${this.job}/part/${name}`);
  }

  /** A part of the recording, as bytes. @returns {Promise<Uint8Array>} */
  async bytes(name) {
    const answer = await fetch(`${window.webui.base}internal/page/${BASE}${this.job}/part/${name}`);
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? String(answer.status));
    return new Uint8Array(await answer.arrayBuffer());
  }

  #heat(key, blocks, count) {
    if (!this.#words.has(key)) {
      const asked = fetch(`${window.webui.base}internal/page/${BASE}${this.job}/${key}`).then(async (answer) => {
        if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? String(answer.status));
        return new Heat(await answer.arrayBuffer(), blocks, count, this.told.grid);
      });
      asked.catch(() => this.#words.delete(key));
      this.#words.set(key, asked);
    }
    return this.#words.get(key);
  }

  /** The parts of the network. @returns {Promise<Part[]>} */
  parts() {
    this.#parts ??= this.part("parts");
    return this.#parts;
  }

  /** Draw a square of latents. @param {"noisy"|"noise"|"guidance"} what @param {HTMLCanvasElement} canvas */
  drawLatents(canvas, what, step) {
    this.#draw(canvas, this.latents, this.told.atlas.latents, 3, ROWS[what], step);
  }

  /** Draw the clean estimate of a step. */
  drawClean(canvas, step) {
    this.#draw(canvas, this.clean, this.told.atlas.clean, 1, 0, step);
  }

  /** Pictures of steps stand in columns; bands of rows follow each other where one band would be too wide. */
  #draw(canvas, image, { width, height, columns }, rows, row, step) {
    Object.assign(canvas, { width, height });
    const [left, top] = [(step % columns) * width, (Math.floor(step / columns) * rows + row) * height];
    canvas.getContext("2d", { willReadFrequently: rows > 1 }).drawImage(image, left, top, width, height, 0, 0, width, height);
  }
}

/** The maps of one word, scaled for each block from its lowest to its highest share. */
class Heat {
  constructor(buffer, blocks, steps, grid) {
    const head = new DataView(buffer, 0, blocks * 8);
    this.scales = Array.from({ length: blocks }, (_, at) => [head.getFloat32(at * 8, true), head.getFloat32(at * 8 + 4, true)]);
    this.bytes = new Uint8Array(buffer, blocks * 8);
    Object.assign(this, { steps, grid });
  }

  /** grid x grid bytes. @param {number} step among those that have maps */
  at(block, step) {
    const size = this.grid * this.grid;
    const from = (block * this.steps + step) * size;
    return this.bytes.subarray(from, from + size);
  }
}

function picture(path) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => failed(new Error(`the pictures of the steps cannot be read: ${path}`));
    image.src = `${window.webui.base}internal/page/${BASE}${path}`;
  });
}
