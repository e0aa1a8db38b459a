// What a part of the network made at a step of the run: some of its channels as small pictures, and real shapes.
import { el, t } from "./kit.js";
import { heading } from "./learn_shared.js";

export class Activations {
  #told = new Map(); // job, number of steps -> promise of what is told of the pictures; null: nothing was recorded
  #bytes = new Map(); // job, place -> promise of the pictures of a step

  /**
   * @param {import("./learn_record.js").Recorded} run
   * @returns {Promise<{steps: number[], places: Record<string, {at: number, size: number[], channels: number[]}>[],
   *   shapes: Record<string, {enters: number[], leaves: number[]}>}|null>}
   */
  told(run) {
    const key = `${run.job} ${run.count}`;
    if (!this.#told.has(key)) this.#told.set(key, run.part("activations").catch(() => null));
    return this.#told.get(key);
  }

  /** A place that fills with the pictures of a part. @param {import("./learn_record.js").Part} part */
  pictures(run, part, step) {
    const box = el("div", { class: "learn-cells" });
    this.#fill(box, run, part, step);
    return box;
  }

  async #fill(box, run, part, step) {
    const told = await this.told(run);
    if (!told?.steps.length) return;
    const at = told.steps.reduce((best, one, place) => (Math.abs(one - step) < Math.abs(told.steps[best] - step) ? place : best), 0);
    const place = told.places[at][part.name];
    if (!place) return;
    const key = `${run.job} ${told.steps[at]}`;
    if (!this.#bytes.has(key)) this.#bytes.set(key, run.bytes(`cells_${told.steps[at]}`));
    const bytes = await this.#bytes.get(key).catch(() => null);
    if (!bytes) return;
    const [height, width] = place.size;
    const canvases = place.channels.map((channel, number) => {
      const from = place.at + number * width * height;
      const label = t("channel {n}", { n: channel });
      const canvas = el("canvas", { role: "img", "aria-label": label, title: label });
      drawGrey(canvas, bytes.subarray(from, from + width * height), width, height);
      return canvas;
    });
    const shown = t("step {step}", { step: told.steps[at] + 1 });
    box.replaceChildren(heading(`${t("What it makes")} · ${shown}`), el("div", { style: `--ratio: ${width / height}` }, ...canvases));
  }
}

/** A shape as people write it: channels x height x width. */
export const shapeText = (shape) => shape.join(" × ");

function drawGrey(canvas, bytes, width, height) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  bytes.forEach((byte, at) => pixels.data.set([byte, byte, byte, 255], at * 4));
  context.putImageData(pixels, 0, 0);
}
