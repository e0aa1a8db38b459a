/**
 * What the server is given when a job is submitted: names of files that it has. A file is uploaded when it is first
 * needed and not again, because neither sources nor layers ever change once they are made.
 */

import { grows } from "./canvas_frame.js";
import { png } from "./canvas_png.js";

/**
 * @typedef {{path: string, url?: string, meta: {_type: string}}} Uploaded Gradio checks the path of whatever looks so
 * @typedef {object} CanvasValue
 * @property {Uploaded | {id: string}} picture
 * @property {[number, number]} size of the picture as the browser shows it
 * @property {Uploaded} [mask] of the picture's size, white is repainted
 * @property {Uploaded} [paint] of the picture's size, with opacity
 * @property {import("./canvas_frame.js").Frame} [frame]
 */

export class Uploads {
  /** @param {(file: File) => Promise<{path: string, url: string}>} upload Gradio's */
  constructor(upload) {
    this.upload = upload;
    this.sent = new WeakMap(); // by source or layer
  }

  /**
   * @param {import("./canvas_history.js").Document} document
   * @param {{mask: boolean}} wanted whether the mask is asked for
   * @returns {Promise<CanvasValue | null>} null where there is no picture
   */
  async valueOf({ source, mask, paint, frame }, wanted) {
    if (!source) return null;
    const value = { picture: await this.#picture(source), size: [source.width, source.height] };
    if (wanted.mask && !mask.isEmpty) value.mask = await this.#sent(mask, "mask.png", () => png(mask));
    if (!paint.isEmpty) value.paint = await this.#sent(paint, "paint.png", () => png(paint));
    if (grows(frame)) value.frame = frame;
    return value;
  }

  #picture(source) {
    if (source.picture) return Promise.resolve({ id: source.picture.id });
    return this.#sent(source, fileName(source.name), () => source.file);
  }

  /** The server's file of something, uploaded unless it still has it. */
  async #sent(what, name, contents) {
    const before = this.sent.get(what);
    if (before && (await isThere(before.url))) return before;
    const file = new File([await contents()], name);
    const { path, url } = await this.upload(file);
    const uploaded = { path, url, meta: { _type: "gradio.FileData" } };
    this.sent.set(what, uploaded);
    return uploaded;
  }
}

/** Whether the server still has a file: it forgets uploads after a day, and when it is started again. */
async function isThere(url) {
  if (!url) return false;
  const answer = await fetch(url, { method: "HEAD" }).catch(() => null);
  return answer?.ok ?? false;
}

/** A name with an ending, without what a server may not like in a name. */
function fileName(name) {
  const plain = name.replace(/[^\w.-]+/g, "_").slice(-80);
  return plain.includes(".") ? plain : `${plain || "picture"}.png`;
}
