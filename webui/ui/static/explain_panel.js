// What a prompt comes to, in a panel that the token counters open: parts between ANDs, the texts over the steps, chunks,
// tokens with their weights, networks. The server answers when the panel is opened and once typing pauses.

import { DockPanel } from "./dock_panel.js";
import { chunkBox, legend, scheduleRow, shownWeight, tagChip } from "./explain_parts.js";
import { el, segments, t } from "./kit.js";
import { send } from "./page_requests.js";

const PAUSE = 300; // milliseconds after the last change

/**
 * @typedef {{text: string, weight: number, tokens: number, ends_word: boolean, is_embedding: boolean}} Piece
 * @typedef {{text: string, calls: [number, number][], chunks: Piece[][]|null, cut: number}} Text
 * @typedef {{weight: number, texts: Text[]}} Part
 * @typedef {{fault: string, size: number, calls: number, parts: Part[], tags: object[], has_comments: boolean, left_out: number}} Told
 *   as `api/page/tokens.py` tells it
 */

export class ExplainPanel {
  /**
   * @param {HTMLElement} place
   * @param {HTMLButtonElement} button
   * @param {() => object} read  what the form holds
   */
  constructor(place, button, read) {
    Object.assign(this, { read, told: null, which: "prompt", asked: 0, timer: 0, chosen: new Map() });
    this.panel = el("div", { class: "explain-panel" });
    place.append(this.panel);
    this.dock = new DockPanel(button, this.panel, { label: t("What the prompt comes to"), shown: () => this.ask(), focus: () => this.panel.querySelector("[role=radio][tabindex='0']") });
    const boxes = [{ value: "prompt", label: t("Prompt") }, { value: "negative", label: t("Negative prompt") }];
    this.boxes = segments(t("Prompt"), boxes, this.which, (which) => this.choose(which));
    this.note = el("p", { class: "panel-empty", role: "status" });
    this.body = el("div", { class: "explain-body", tabindex: "0", role: "group", "aria-label": t("What the prompt comes to") });
    this.panel.append(el("div", { class: "panel-bar" }, this.boxes, legend(), this.dock.cross()), this.note, this.body);
  }

  /** Open it with one of the prompts. @param {"prompt"|"negative"} which */
  open(which) {
    this.choose(which);
    this.dock.open();
  }

  choose(which) {
    this.which = which;
    this.boxes.value = which;
    this.draw();
  }

  /** Something of the form has changed. */
  changed() {
    clearTimeout(this.timer);
    if (this.dock.isOpen) this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  async ask() {
    this.asked += 1;
    const mine = this.asked;
    try {
      const told = await send("explain", this.read());
      if (mine !== this.asked) return;
      this.told = told;
      this.draw();
    } catch (error) {
      if (mine !== this.asked) return;
      this.told = null;
      this.note.textContent = error.message;
      this.note.hidden = false;
      this.body.replaceChildren();
    }
  }

  draw() {
    /** @type {Told} */
    const told = this.told?.[this.which];
    if (!told) return;
    this.note.hidden = told.fault === "";
    this.note.textContent = told.fault;
    if (told.fault) {
      this.body.replaceChildren();
      return;
    }
    const tags = told.tags.length ? [el("ul", { class: "explain-tags", "aria-label": t("Networks in the prompt") }, ...told.tags.map(tagChip))] : [];
    const parts = told.parts.map((part, place) => this.part(part, place, told));
    const notes = [
      told.has_comments && t("Comments were taken out."),
      told.left_out > 0 && t("{n} more parts are not shown.", { n: told.left_out }),
    ].filter(Boolean);
    this.body.replaceChildren(...tags, ...parts, ...notes.map((note) => el("p", { class: "explain-note" }, note)));
  }

  /** @param {Part} part */
  part(part, place, told) {
    const key = `${this.which} ${place}`;
    const at = Math.min(this.chosen.get(key) ?? 0, part.texts.length - 1);
    const choose = (next) => {
      this.chosen.set(key, next);
      this.draw();
      this.body.querySelectorAll(".explain-part")[place]?.querySelectorAll(".explain-row")[next]?.focus();
    };
    const text = part.texts[at];
    const head = told.parts.length > 1 || part.weight !== 1
      ? [el("h3", {}, told.parts.length > 1 ? t("Part {n}", { n: place + 1 }) : t("The whole prompt"), el("span", { class: "explain-weight" }, t("weight {weight}", { weight: shownWeight(part.weight) })))]
      : [];
    const schedule = part.texts.length > 1
      ? [el("div", { class: "explain-schedule", role: "group", "aria-label": t("Texts over the steps") }, ...part.texts.map((one, row) => scheduleRow(one, row === at, told, this.told.steps, () => choose(row))))]
      : [];
    const chunks = text.chunks === null
      ? [el("p", { class: "explain-note" }, t("There are too many texts to explain all of them."))]
      : text.chunks.map((chunk, number) => chunkBox(chunk, number, told.size));
    const cut = text.cut ? [el("p", { class: "explain-note wrong" }, t("{n} tokens at the end are cut off.", { n: text.cut }))] : [];
    return el("section", { class: "explain-part" }, ...head, ...schedule, ...chunks, ...cut);
  }
}
