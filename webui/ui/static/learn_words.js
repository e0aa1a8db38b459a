// Words: where each word of the prompt looks, as heat over the picture of a step, and for all blocks and steps below.
import { el, t } from "./kit.js";
import { Muting, isMuted } from "./learn_muting.js";
import { cellOf, explainPoint, isLooking, offerPoints, ring } from "./learn_point.js";
import { ATTENTION, formula } from "./learn_samplers.js";
import { heading, hint, numbers, percent, sentence } from "./learn_shared.js";
import { HUES, drawHeat, hueOf, tile } from "./learn_tiles.js";

const MOST = 4; // words side by side
const POINT_HUE = 4; // of the page's hues: what is added to the words

/** @param {HTMLElement} place, @param {import("./learn_shared.js").Shared} shared */
export function mount(place, shared) {
  const view = new WordsView(place, shared);
  return { draw: () => view.draw() };
}

/** The name of a transformer, short. */
export const shortName = (name) => name.replace("down_blocks.", "down ").replace("up_blocks.", "up ").replace(/^mid_block.*/, "middle").replace(".attentions.", "·");

class WordsView {
  #drawn = ""; // what the grid and the pictures were built for
  #asked = 0;

  constructor(place, shared) {
    Object.assign(this, { place, shared, chosen: [], block: -1, run: null, isSideBySide: false, shown: [], point: null, beside: null, isBeside: false });
    this.muting = new Muting(shared);
    this.chips = el("div", { class: "learn-chips", role: "group", "aria-label": t("Words of the prompt") });
    this.pictures = el("div", { class: "learn-pictures" });
    this.grid = el("div", { class: "learn-grid" });
    this.box = el("div", { class: "learn-words" }, this.chips, this.pictures, this.grid);
  }

  draw() {
    const { run, source } = this.shared;
    this.shared.tools(...source.tools());
    if (!run || !run.words.length || !run.mapped.length) {
      this.#drawn = "";
      this.place.replaceChildren(run ? el("p", { class: "learn-empty" }, run.words.length ? t("Nothing of the attention was recorded in this run.") : t("No words: nothing to look at.")) : source.nothing());
      this.shared.explain();
      return;
    }
    if (!this.box.isConnected) this.place.replaceChildren(this.box);
    if (run !== this.run) this.#take(run);
    const key = `${run.job} ${run.count} ${this.chosen} ${this.isSideBySide} ${this.point?.x},${this.point?.y} ${this.isBeside} ${this.beside?.job}`;
    if (key === this.#drawn) this.#follow();
    else this.#build(key);
  }

  /** Look at another run: a word that it was made without is seen beside the run with it. */
  #take(run) {
    const point = isLooking(run) ? this.point : null;
    Object.assign(this, { run, point, chosen: [firstWord(run)], block: finest(point ? run.told.looking : run.told.blocks), beside: null, isBeside: isMuted(run) });
    this.muting.note(run);
    this.muting.partner(run).then((beside) => {
      if (this.run !== run || !beside) return;
      this.beside = beside;
      if (this.place.getClientRects().length) this.draw(); // else it is drawn when the view is shown again
    });
  }

  /** What the maps are of: words, or a place. */
  get #rows() {
    const { run, point } = this;
    return point ? { blocks: run.told.looking, steps: run.pointed } : { blocks: run.told.blocks, steps: run.mapped };
  }

  async #build(key) {
    this.#drawn = key;
    const { run } = this;
    this.#drawChips();
    this.#asked += 1;
    const mine = this.#asked;
    try {
      const heats = await Promise.all(this.point ? [run.lookOf(this.point)] : this.chosen.map((word) => run.heat(word)));
      if (mine !== this.#asked) return;
      this.heats = heats;
    } catch (error) {
      if (mine === this.#asked) this.pictures.replaceChildren(el("p", { class: "learn-empty", role: "alert" }, error.message));
      return;
    }
    const titles = this.point ? [t("Place {x}, {y}", { x: this.point.x + 1, y: this.point.y + 1 })] : this.chosen.map((word) => run.words[word].text);
    this.shown = titles.map((title, at) => {
      const made = tile({ title });
      const over = el("canvas", { class: "over" });
      made.box.append(over);
      if (this.point) made.box.append(ring(this.point, run.told.grid));
      made.box.addEventListener("click", (event) => this.#ask(cellOf(event, made.box, run.told.grid)));
      made.element.style.setProperty("--hue", `var(--c${this.point ? POINT_HUE : at + 1})`);
      return { ...made, over };
    });
    if (this.isBeside && this.beside) {
      this.pictures.dataset.count = "3";
      this.pictures.classList.add("plain");
      this.pictures.style.setProperty("--ratio", String(run.told.width / run.told.height));
      this.pictures.replaceChildren(...this.muting.elements);
      this.#drawGrid();
      this.#follow();
      return;
    }
    this.pictures.classList.remove("plain");
    this.pictures.dataset.count = String(this.shown.length);
    this.pictures.style.setProperty("--ratio", String(run.told.width / run.told.height));
    this.pictures.replaceChildren(...this.shown.map((one) => one.element));
    this.#drawGrid();
    this.#follow();
  }

  #drawChips() {
    const chips = this.run.words.map((word, at) => {
      if (word.is_sign) return el("span", { class: "learn-sign" }, word.text);
      const place = this.point || (this.isBeside && this.beside) ? -1 : this.chosen.indexOf(at);
      const weight = word.weight === 1 ? null : el("small", {}, String(Number(word.weight.toFixed(2))));
      return el("button", { type: "button", class: "learn-chip", translate: "no", "aria-pressed": String(place >= 0), style: place >= 0 ? `--hue: var(--c${place + 1})` : null, onclick: (event) => this.#choose(at, event.shiftKey || event.ctrlKey || event.metaKey) }, word.text, weight);
    });
    const press = (label, isOn, act, kind = "") => el("button", { type: "button", class: `small ${kind}`, "aria-pressed": String(isOn), onclick: act }, label);
    const { grid } = this.run.told;
    this.chips.replaceChildren(
      ...chips,
      press(t("A place"), Boolean(this.point), () => (this.point ? this.#leavePoint(true) : this.#ask({ x: grid >> 1, y: grid >> 1 })), "learn-beside"),
      ...(this.beside ? [press(t("Muted"), this.isBeside, () => { this.isBeside = !this.isBeside; this.draw(); })] : []),
      press(t("Side by side"), this.isSideBySide, () => { this.isSideBySide = !this.isSideBySide; this.draw(); }),
    );
  }

  /** Ask a place where it looks. */
  #ask(point) {
    if (!isLooking(this.run)) {
      offerPoints(this.shared);
      return;
    }
    if (!this.point) this.block = finest(this.run.told.looking);
    Object.assign(this, { point, isBeside: false });
    this.draw();
  }

  #leavePoint(isAlone = false) {
    if (this.point) this.block = finest(this.run.told.blocks);
    this.point = null;
    if (isAlone) this.draw();
  }

  #choose(word, isMore) {
    const isChosen = this.chosen.includes(word);
    this.#leavePoint();
    this.isBeside = false;
    if (!isMore && !this.isSideBySide) this.chosen = [word];
    else if (isChosen && this.chosen.length > 1) this.chosen = this.chosen.filter((one) => one !== word);
    else if (!isChosen) this.chosen = [...this.chosen, word].slice(-MOST);
    const focus = [...this.chips.children].indexOf(document.activeElement);
    this.draw();
    this.chips.children[focus]?.focus();
  }

  /** Rows are blocks, columns are steps, of the word that was chosen last. */
  #drawGrid() {
    const { blocks, steps } = this.#rows;
    const heat = this.heats.at(-1);
    const hue = hueOf(this.point ? POINT_HUE : this.chosen.length);
    this.grid.style.setProperty("--steps", String(heat.steps));
    this.grid.replaceChildren(...blocks.flatMap((name, block) => [
      el("span", { class: "learn-label" }, shortName(name)),
      ...steps.map((step, column) => {
        const canvas = el("canvas", {});
        drawHeat(canvas, heat.at(block, column), heat.grid, hue, 18);
        return el("button", { type: "button", tabindex: "-1", "data-at": `${block}.${step}`, "aria-label": t("{block}, step {step}", { block: shortName(name), step: step + 1 }), onclick: () => this.#go(block, step) }, canvas);
      }),
    ]));
  }

  #go(block, step) {
    this.block = block;
    if (step === this.shared.step) this.#follow();
    else this.shared.go(step);
  }

  #follow() {
    const { run, block, heats } = this;
    if (!this.shown.length || this.shown.length !== heats.length || !this.box.getClientRects().length) return;
    const { step } = this.shared;
    const { blocks, steps } = this.#rows;
    const column = nearest(steps, step);
    const name = shortName(blocks[block]);
    for (const button of this.grid.querySelectorAll("button")) button.toggleAttribute("aria-current", button.dataset.at === `${block}.${steps[column]}`);
    if (this.isBeside && this.beside) {
      this.muting.draw(run, this.beside, step);
      return;
    }
    this.shown.forEach((one, at) => {
      run.drawClean(one.canvas, step);
      drawHeat(one.over, heats[at].at(block, column), heats[at].grid, HUES[this.point ? POINT_HUE - 1 : at]);
      one.say(t("step {step}, {block}", { step: steps[column] + 1, block: name }));
    });
    const [low, high] = heats.at(-1).scales[block];
    if (this.point) {
      explainPoint(this.shared, { point: this.point, low, high, block: name, choose: (point) => this.#ask(point) });
      return;
    }
    const widths = run.told.text_widths ?? [];
    const word = run.words[this.chosen.at(-1)];
    this.shared.explain(
      heading(`“${word.text}”`),
      sentence(t("The brighter a place, the more of its attention goes to this word rather than to another one of the prompt.")),
      formula(ATTENTION),
      numbers([
        [t("Block"), name],
        [t("Map"), t("{size}, mean of heads", { size: `${run.told.grid} × ${run.told.grid}` })],
        [t("Tokens"), String(word.tokens.length)],
        ...(widths.length > 1 ? [[t("Text encoders"), widths.join(" + ")]] : []),
        [t("Lowest to highest share"), `${percent(low)} – ${percent(high)}`],
      ]),
      widths.length > 1 && sentence(t("Two text encoders read the same tokens. What they say of a token stands behind each other, {all} numbers in all, so there is one map for both.", { all: widths.reduce((sum, one) => sum + one, 0) })),
      ...this.muting.controls(run, word),
      hint(t("Blocks with large maps follow outlines; those in the middle tell rough places. Early steps look everywhere. Words like “a” and “on” take what is left over, so their maps mean little.")),
    );
  }
}

/** The first word of three letters or more, else the first one. */
const firstWord = (run) => Math.max(0, run.words.findIndex((word) => !word.is_sign && (word.text.length > 2 || /[^\u0000-\u024f]/.test(word.text))));

/** The last block: its map is the finest, and red lies on what is red. */
const finest = (blocks) => blocks.length - 1;

const nearest = (steps, step) => steps.reduce((best, one, at) => (Math.abs(one - step) < Math.abs(steps[best] - step) ? at : best), 0);
