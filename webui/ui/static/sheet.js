// The sheet of an experiment over the stage: the plan that is built, or a plot as it is made, and later opened again.
import { hear, say } from "./bus.js";
import { nextValue } from "./experiment_plan.js";
import { action } from "./keys.js";
import { el, iconButton } from "./kit.js";
import { t } from "./language.js";
import { menu } from "./menu.js";
import { openPick } from "./pick_list.js";
import { SheetCells } from "./sheet_cells.js";
import { cellComparison } from "./sheet_compare.js";
import { cellAt, countsOf, placeOf, previewOf, seedIn, sheetOf, sizesOf, withCell } from "./sheet_data.js";
import { sheetPages } from "./sheet_pages.js";
import { askFor, download, keep, kept } from "./sheet_sources.js";
import { SheetTray } from "./sheet_tray.js";
import { EXPORTS, statusOf } from "./sheet_words.js";
import { address, commands, current, follow, send } from "./stream.js";

/** @typedef {import("./sheet_data.js").Sheet} Sheet */

const UNDER_WAY = Object.freeze(["waiting", "running"]);
const BEGINNINGS = Object.freeze({ isOpen: false, sent: "", axes: [], aspect: 1, plan: { legend: true, margin: 4 } });

class SheetPane {
  /** @type {Sheet|null} the plot that was made of `sent`, or opened */
  plot = null;
  sent = ""; // the plan that the plot was made of, as the pane sends it
  made = null; // that plan, as the server tells it
  isPinned = false; // whether the plot was opened by itself, whatever plan stands in the pane
  isCovered = false; // whether people look at a picture on the stage meanwhile
  plan = BEGINNINGS;
  z = 0;
  /** @type {number[][]} the places of A and B */
  marks = [];
  isComparing = false;
  isHeld = false; // whether the plan is changed as the plot is
  isChoosing = false; // whether the next cell becomes B
  wanted = ""; // the plot that was asked for last, in the place of the one in view
  pressed = ""; // the plan that was sent last from here
  turn = 0; // how often people have turned to something: what they asked for before may come too late
  hearing = new Set(); // lists of what is told while answers are on their way
  seen = new Set(); // plots that were begun while the page was open

  constructor(element) {
    this.element = element;
    this.cells = new SheetCells({ chosen: (at, isSecond) => this.choose(at, isSecond), extend: (axis, button) => this.extend(axis, button) });
    this.comparison = cellComparison();
    this.pages = sheetPages((z) => {
      this.z = z;
      this.draw();
    });
    this.status = el("span", { class: "s-status", role: "status" });
    const quiet = (label, does) => el("button", { type: "button", class: "s-quiet", onclick: does }, label);
    this.goOn = quiet(t("Go on"), () => this.continue());
    this.stop = quiet(t("Stop"), () => commands.cancel(this.plot.job));
    this.stop.classList.add("s-stop");
    this.again = quiet(t("Last sheet"), () => this.pin());
    this.download = iconButton("download", t("Download"), { id: "sheet_download" });
    this.close = iconButton("close", t("Close the sheet"), { onclick: () => this.leave() });
    this.tray = new SheetTray({
      use: (at) => this.use(at),
      open: (at) => this.openCell(at),
      compare: (isOn) => this.compare(isOn),
      choose: () => this.chooseSecond(),
      unmark: () => this.unmark(),
    });
    this.back = quiet(t("Back to the sheet"), () => this.uncover());
    this.back.classList.add("s-back");
    this.frame = el(
      "section", { class: "s-frame", "aria-label": t("Sheet") },
      el("div", { class: "s-bar" }, this.pages.element, el("span", { class: "s-grow" }), this.status, this.again, this.goOn, this.stop, el("span", { class: "s-menu" }, this.download), this.close),
      el("div", { class: "s-room" }, this.cells.element, this.comparison.element), this.tray.element,
    ); // prettier-ignore
    element.append(this.frame, this.back);
    menu(this.download, () => ["png", "html", "csv"].map((kind) => ({ name: kind, label: EXPORTS[kind](), run: () => download(this.plot.id, kind) })));
    this.listen();
  }

  listen() {
    hear("experiment:changed", (told) => this.planned(told));
    hear("plot:open", ({ id, picture = null }) => this.open(id, picture));
    for (const name of ["picture:show", "picture:compare"]) hear(name, () => this.cover());
    hear("tab:opened", () => this.turnTo());
    document.addEventListener("click", ({ target }) => target.closest?.("#txt2img_generate") && (this.pressed = this.plan.sent), true);
    const shown = (does) => () => (this.isShown ? (does(), true) : false);
    for (const [name, does] of Object.entries({ in: () => this.cells.zoomBy(1.25), out: () => this.cells.zoomBy(0.8), fit: () => this.cells.fit() })) action(name, shown(does));
    for (const [name, at] of [["newer", -1], ["older", 1]]) action(name, shown(() => this.cells.focus(this.marks[0] && !this.sheet.isWrapped ? [this.marks[0][0] + at, this.marks[0][1]] : undefined)));
    action("compare", () => this.isShown && this.marks.length === 2 && this.compare(!this.isComparing));
    action("close", () => this.isShown && (this.isComparing ? this.compare(false) : this.marks.length ? this.unmark() : false));
    follow((state, name, data) => this.heard(state, name, data));
    const { plot, sent = "" } = kept();
    if (plot) this.load(plot, sent, true);
  }

  // ---- what is shown

  get isOfPlan() {
    return this.plot !== null && this.sent !== "" && this.sent === this.plan.sent;
  }

  /** @returns {Sheet|null} */
  get sheet() {
    if (this.isPinned) return this.plot;
    if (!this.plan.isOpen) return null;
    if (this.isOfPlan) return this.plot;
    const isDrawnOn = document.documentElement.dataset.mode !== "txt2img"; // the canvas with what they start from lies there
    return this.plan.axes.length && !isDrawnOn ? previewOf(this.plan.axes, this.plan.aspect, this.plan.plan) : null;
  }

  get isShown() {
    return this.sheet !== null && !this.isCovered && this.element.getClientRects().length > 0;
  }

  planned(told) {
    const wasOpen = this.plan.isOpen;
    const isOther = told.sent !== this.plan.sent;
    this.plan = told;
    if (told.isOpen && (!wasOpen || isOther)) {
      this.isCovered = false;
      if (isOther && wasOpen && !this.isHeld) this.isPinned = false;
      if (!this.isOfPlan && !this.isPinned) this.forget();
    }
    this.draw();
  }

  /** Change the plan as the plot in view is: the plot stays. */
  hold(does) {
    this.isPinned = this.isHeld = true;
    does();
    this.isHeld = false;
    this.sent = this.plan.sent;
    keep(this.plot.id, this.sent);
  }

  forget() {
    this.marks = [];
    this.isComparing = this.isChoosing = false;
  }

  /** People turn to something. @returns {() => boolean} whether they have turned to nothing else since */
  turnTo() {
    const turn = (this.turn += 1);
    return () => turn === this.turn;
  }

  /** @param {string} id @param {object|null} picture shown instead where the plot is gone */
  async open(id, picture) {
    const isWanted = this.turnTo();
    const { sent } = this.plan;
    this.wanted = id;
    await this.load(id, "", picture !== null, isWanted);
    if (!isWanted() || this.wanted !== id) return;
    if (this.plot?.id !== id && picture) say("picture:show", { picture });
    this.isCovered = false;
    if (this.plan.isOpen && this.plan.sent === sent && this.plot?.id === id && this.made) {
      // the plan in the pane is that of the sheet in view
      this.hold(() => say("experiment:fill", { plan: this.made }));
      this.isPinned = false;
    }
    this.draw();
    say("tab:open", { tab: document.documentElement.dataset.mode ?? "txt2img" });
  }

  /** Show the plot that was made last, though the plan is another by now. */
  pin() {
    this.isPinned = true;
    this.draw();
  }

  /**
   * Ask for a plot.
   * @param {string|null} sent the plan that it was made of; null: as far as that is known
   * @param {(() => boolean)|null} isWanted asked when it comes, where people have opened it by itself
   */
  async load(id, sent, isQuiet = false, isWanted = null) {
    const isOther = this.plot?.id !== id;
    const missed = []; // what the stream tells while the answer is on its way, which may be older
    if (isOther) this.wanted = id;
    this.hearing.add(missed);
    const plot = await askFor(id, isQuiet);
    this.hearing.delete(missed);
    if (isWanted?.() === false || (isOther ? this.wanted : this.plot.id) !== id) return;
    if (isWanted || (!plot && isOther)) this.isPinned = Boolean(plot) || !isOther;
    if (!plot) return;
    if (isOther) {
      this.forget();
      this.z = 0;
      this.isCovered = false;
    }
    this.plot = missed.filter((one) => one.plot === id).reduce(withCell, sheetOf(plot));
    this.made = plot.plan;
    this.sent = sent ?? this.sent;
    if (this.sent) keep(id, this.sent);
    this.draw();
  }

  /** Ask for the plot in view again. */
  renew(isQuiet = true) {
    return this.load(this.plot.id, null, isQuiet);
  }

  leave() {
    this.turnTo();
    if (this.isPinned && !this.isOfPlan) this.isPinned = false;
    else this.isCovered = true;
    this.draw();
  }

  cover() {
    this.turnTo();
    if (!this.isShown) return;
    this.isCovered = true;
    this.draw();
  }

  uncover() {
    this.isCovered = false;
    this.draw();
    this.cells.focus();
  }

  // ---- what the server tells

  heard(state, name, data) {
    if (name === "state") {
      for (const job of state.jobs) this.row(job);
      if (this.plot?.id && data) this.renew(); // the stream was away meanwhile
    }
    if (name === "job") this.row(data);
    if (name === "job" && data.mine && !data.plot && data.state === "running" && this.isPinned && !this.plan.isOpen) this.leave(); // a picture comes
    if (name === "cell") for (const missed of this.hearing) missed.push(data);
    if (name === "cell" && data.plot === this.plot?.id) {
      this.plot = withCell({ ...this.plot, job: data.job ?? this.plot.job }, data);
      this.later();
    }
    if (name === "progress" && data.id === this.plot?.job) this.later();
  }

  row(job) {
    if (!job.plot || !job.mine) return;
    const isUnderWay = UNDER_WAY.includes(job.state);
    if (job.plot === this.plot?.id) {
      if (isUnderWay) this.plot = { ...this.plot, job: job.id };
      else if (job.id === this.plot.job) this.renew();
      this.later();
    } else if (isUnderWay && !this.seen.has(job.plot)) {
      this.seen.add(job.plot);
      this.isPinned = !this.plan.isOpen && this.isPinned;
      this.load(job.plot, this.sentFor(job.plot), true);
    }
  }

  /** The plan that a plot was made of which is new here: the pane may hold another by now. */
  sentFor(id) {
    const { plot, sent = "" } = kept();
    if (plot === id) return sent;
    return this.plan.isOpen ? this.pressed || this.plan.sent : "";
  }

  get job() {
    const row = this.plot?.job ? current().jobs.find((one) => one.id === this.plot.job) : null;
    return row && UNDER_WAY.includes(row.state) ? row : null;
  }

  // ---- what people do

  choose(at, isSecond) {
    if (!["there", "failed"].includes(cellAt(this.sheet, at).state)) return;
    const asSecond = (isSecond || this.isChoosing) && this.marks.length && cellAt(this.sheet, at).state === "there" && cellAt(this.sheet, this.marks[0]).state === "there" && this.marks[0].join() !== at.join();
    this.marks = asSecond ? [this.marks[0], at] : [at];
    const { state, infotext } = cellAt(this.sheet, at);
    if (state === "there" && !infotext) this.renew(); // the stream tells no texts
    const wasChoosing = this.isChoosing;
    this.isChoosing = false;
    this.isComparing = false;
    this.draw();
    if (asSecond && wasChoosing) this.compare(true);
  }

  /** The next cell becomes B. */
  chooseSecond() {
    this.isChoosing = true;
    this.draw();
  }

  unmark() {
    this.forget();
    this.draw();
    this.cells.focus();
    return true;
  }

  compare(isOn) {
    this.isComparing = isOn;
    this.draw();
    if (isOn) this.comparison.element.querySelector("input").focus();
    else this.cells.focus();
    return true;
  }

  /** The text of a cell; "" where another plot is in view when it comes. */
  async textOf(at) {
    const { id } = this.plot;
    if (!cellAt(this.plot, at).infotext) await this.renew(false);
    return this.plot.id === id ? (cellAt(this.plot, at).infotext ?? "") : "";
  }

  async use(at) {
    const text = await this.textOf(at);
    if (!text) return;
    say("experiment:turn", { isOpen: false });
    say("form:fill", { text });
  }

  async openCell(at) {
    const isWanted = this.turnTo();
    const cell = cellAt(this.plot, at);
    const job = this.plot.job ?? "";
    const known = current().history.find((one) => one.url === cell.picture);
    const text = known ? known.text : await this.textOf(at);
    if (!isWanted()) return;
    const made = { id: cell.picture, job, index: 0, url: cell.picture, thumb: cell.thumb ?? cell.picture, width: 0, height: 0, seed: seedIn(text), text, kind: "txt2img", created: 0, grid: false };
    say("picture:show", { picture: known ?? made });
  }

  async continue() {
    this.seen.add(this.plot.id);
    const answer = await send(`plots/${encodeURIComponent(this.plot.id)}/go_on`, {});
    if (answer) await this.renew(false);
  }

  extend(axis, button) {
    const { values, about = null, label } = this.sheet.axes[axis];
    const kind = about ?? this.plan.axes[axis]?.about ?? (values.every((one) => one !== "" && Number.isFinite(Number(one))) ? { kind: "number" } : null);
    const next = nextValue(values, kind);
    if (next !== null) return this.addValue(axis, next);
    const left = (kind?.choices ?? []).filter((one) => !values.includes(one));
    return openPick(button, t("Add a value"), [{ title: t(label), entries: left.map((one) => ({ value: one, label: one })) }], (value) => this.addValue(axis, value), kind?.kind !== "choice");
  }

  async addValue(axis, value) {
    const { id } = this.sheet;
    if (id === null) return say("experiment:add", { at: axis, value });
    this.seen.add(id);
    if (!(await send(`plots/${encodeURIComponent(id)}/extend`, { axis, values: [value] }))) return;
    if (this.plot.id !== id) return;
    const { isPinned } = this;
    if (this.isOfPlan) this.hold(() => say("experiment:add", { at: axis, value })); // else the plan is another by now
    this.isPinned = isPinned;
    await this.renew(false);
    this.draw();
  }

  // ---- drawing

  later() {
    cancelAnimationFrame(this.waiting ?? 0);
    this.waiting = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { sheet } = this;
    this.element.dataset.shows = !sheet ? "nothing" : this.isCovered ? "back" : "sheet";
    document.documentElement.toggleAttribute("data-sheet", Boolean(sheet) && !this.isCovered);
    if (!sheet || this.isCovered) return;
    const sizes = sizesOf(sheet);
    this.z = Math.min(this.z, sizes[2] - 1);
    this.marks = this.marks.filter((at) => at.every((one, axis) => one < sizes[axis]));
    const progress = sheet.job ? current().progress[sheet.job] : undefined;
    const step = progress?.steps ? `${progress.step}/${progress.steps}` : "";
    const share = progress?.steps ? progress.step / progress.steps : 0;
    this.pages.show(sheet.axes[2], this.z);
    this.drawBar(sheet, progress);
    const isComparing = this.isComparing && this.marks.length === 2;
    this.cells.element.inert = isComparing;
    this.comparison.element.hidden = !isComparing;
    this.cells.show(sheet, { z: this.z, marks: this.marks, step, share, canExtend: !this.job });
    if (isComparing) {
      const [a, b] = this.marks.map((at) => ({ url: address(cellAt(sheet, at).picture), name: placeOf(sheet, at) }));
      this.comparison.show(a, b);
    }
    this.tray.show(sheet, this.marks, isComparing, this.isChoosing);
  }

  drawBar(sheet, progress) {
    const counts = countsOf(sheet);
    const row = sheet.id ? this.job : null;
    const words = statusOf(counts, sheet.id !== null, row, progress);
    if (this.status.textContent !== words) this.status.textContent = words;
    this.status.dataset.state = counts.failed && !row ? "failed" : "";
    this.stop.hidden = !row;
    this.goOn.hidden = sheet.id === null || Boolean(row) || counts.there >= counts.all;
    this.again.hidden = sheet.id !== null || this.plot === null;
    this.download.parentElement.hidden = sheet.id === null || counts.there === 0;
  }
}

/** @param {{element: HTMLElement}} context */
export function mount({ element }) {
  new SheetPane(element);
}
