// A word that is muted: having the run made again without it, and both pictures beside each other with the difference.
import { el, t } from "./kit.js";
import { Recorded, otherwise, recordings } from "./learn_record.js";
import { heading, hint, numbers, percent, sentence } from "./learn_shared.js";
import { tile } from "./learn_tiles.js";

const AMPLIFIED = 3; // times, so that small differences are seen

/** Whether a run was made without some word. @param {Recorded} run */
export const isMuted = (run) => Boolean(run.told.muted?.words.length || run.told.muted?.tokens.length);

export class Muting {
  #partners = new Map(); // job of a run that was made without a word -> promise of the run with it
  #looked = null; // the run that was looked at last

  /** @param {import("./learn_shared.js").Shared} shared */
  constructor(shared) {
    this.shared = shared;
    this.tiles = [tile({ title: "" }), tile({ title: "" }), tile({ title: "" })];
    this.elements = this.tiles.map((one) => one.element);
  }

  /** What the explanation of a word ends with. @param {Recorded} run, @param {import("./learn_record.js").Word} word */
  controls(run, word) {
    if (!run.isDone) return [];
    const again = (muted, label) => el("button", { type: "button", class: "small", onclick: () => this.shared.source.takeApart(otherwise(run, { muted }), `${run.job}/0`) }, label);
    return [
      heading(t("Without this word")),
      el("div", { class: "learn-row" }, again({ words: [word.text], tokens: [] }, t("Without the word")), again({ words: [], tokens: word.tokens }, t("Its own tokens alone"))),
    ];
  }

  /** The run that this one is compared with: the same one, without anything muted. @returns {Promise<Recorded|null>} */
  partner(run) {
    if (!isMuted(run)) return Promise.resolve(null);
    if (this.#looked && this.#looked !== run && isSame(this.#looked, run)) this.#partners.set(run.job, Promise.resolve(this.#looked));
    if (!this.#partners.has(run.job)) this.#partners.set(run.job, this.#find(run).catch(() => null));
    return this.#partners.get(run.job);
  }

  /** Remember what is looked at: a run without it is made from it. */
  note(run) {
    if (!isMuted(run)) this.#looked = run;
  }

  async #find(run) {
    for (const row of await recordings()) {
      if (row.job === run.job || row.prompt !== run.told.prompt || !row.is_done) continue;
      const other = await new Recorded(row.job).refresh();
      if (isSame(other, run)) return other;
    }
    return null;
  }

  /** Draw both pictures and the difference of a step, and explain. @param {Recorded} run, @param {Recorded} whole */
  draw(run, whole, step) {
    const { words, tokens } = run.told.muted;
    const name = words.length ? words.join(", ") : run.words.filter((word) => word.tokens.some((token) => tokens.includes(token))).map((word) => word.text).join(", ");
    const [before, after, apart] = this.tiles;
    const at = Math.min(step, whole.count - 1);
    whole.drawClean(before.canvas, at);
    run.drawClean(after.canvas, step);
    const changed = difference(before.canvas, after.canvas, apart.canvas);
    before.retitle(t("With “{word}”", { word: name }));
    after.retitle(t("Without “{word}”", { word: name }));
    apart.retitle(t("Difference"));
    for (const one of [before, after]) one.say(t("clean estimate, step {step}", { step: step + 1 }));
    apart.say(`× ${AMPLIFIED}`);
    this.shared.explain(
      heading(t("Without “{word}”", { word: name })),
      words.length
        ? sentence(t("The text encoder did not read the word, and no place of the picture could listen to it. The noise, the seed and all else are the same."))
        : sentence(t("Only the word's own tokens were taken out of cross-attention, before the softmax: their share went to the other tokens. The text encoder had read the word, so the tokens behind it and the end of the text still tell of it.")),
      numbers([
        [t("Muted"), words.length ? t("the word") : t("{n} tokens", { n: tokens.length })],
        [t("Pixels that differ"), percent(changed.share)],
        [t("Mean difference"), `${changed.mean.toFixed(1)} / 255`],
      ]),
      hint(words.length
        ? t("Move the steps: the layout is often the same at first, and what the word stands for comes apart later.")
        : t("If hardly anything changes, the other tokens say the word as well. Mute the word itself to see what it does.")),
    );
  }
}

/** Whether two runs are the same but for what is muted in the second. */
function isSame(whole, run) {
  const of = ({ told }) => [told.prompt, told.seed, told.sampler, told.scheduler, told.total, told.cfg_scale, told.width, told.height, told.checkpoint, JSON.stringify(told.scales ?? {})].join("\n");
  return !isMuted(whole) && of(whole) === of(run);
}

/** Draw |a - b|, amplified. @returns {{share: number, mean: number}} pixels that differ visibly, and by how much in all */
function difference(a, b, onto) {
  const { width, height } = b;
  Object.assign(onto, { width, height });
  const onto2d = onto.getContext("2d", { willReadFrequently: true });
  onto2d.drawImage(a, 0, 0, width, height);
  const pixels = onto2d.getImageData(0, 0, width, height);
  const others = b.getContext("2d").getImageData(0, 0, width, height).data;
  let [seen, sum] = [0, 0];
  for (let at = 0; at < others.length; at += 4) {
    const apart = [0, 1, 2].map((channel) => Math.abs(pixels.data[at + channel] - others[at + channel]));
    const mean = (apart[0] + apart[1] + apart[2]) / 3;
    sum += mean;
    if (mean > 8) seen += 1;
    pixels.data.set(apart.map((one) => Math.min(255, one * AMPLIFIED)), at);
  }
  onto2d.putImageData(pixels, 0, 0);
  return { share: seen / (width * height), mean: sum / (width * height) };
}
