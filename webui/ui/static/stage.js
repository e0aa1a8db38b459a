// The stage: the picture, or the job that runs, with everything that belongs over it.

import { hear, say } from "./bus.js";
import { el, iconButton, segments } from "./kit.js";
import { action } from "./keys.js";
import { t } from "./language.js";
import { BatchGrid } from "./batch_grid.js";
import { remedyOf } from "./job_remedies.js";
import { notices } from "./notices.js";
import { trash } from "./picture_trash.js";
import { pillWords, spokenWords } from "./progress_words.js";
import { plotOf } from "./sheet_data.js";
import { setShown } from "./shown.js";
import { doWith, toolbar } from "./stage_actions.js";
import { StageView } from "./stage_view.js";
import { extrasOf, picturesOf, promptOf, running, runningBatch } from "./store.js";
import { address, commands, current, follow, hasOwn, linked } from "./stream.js";
import { interrupt, isUnderWay, lastUnderWay } from "./submissions.js";
import { START, afterEvent, batchToggled, followed, picked, stepped, subject } from "./subject.js";
import { tellInTitle, told } from "./tab_title.js";

/** @typedef {import("./store.js").Picture} Picture */

const RESTS = 2500; // milliseconds after which the controls of a full screen fade

// The size that a job's pictures will have stands in its facts; a preview is smaller, and is shown in that size.
const sizeOf = (job, image) => {
  const found = /(\d+)\s*×\s*(\d+)/.exec(job?.facts ?? "");
  return found ? { width: Number(found[1]), height: Number(found[2]) } : (image ?? { width: 1, height: 1 });
};

class Stage {
  gaze = START;
  /** @type {import("./picture_compare.js").CompareMode} */
  compareMode = "off";
  madeIn = ""; // the mode of the job whose result is shown
  hasMade = false; // whether this browser's jobs made a picture since the page was opened
  /** @type {Picture|null} the other picture of a comparison, where the user chose one */
  other = null;

  constructor(host) {
    this.host = host;
    this.view = new StageView({
      swiped: (direction) => this.step(direction),
      zoomed: (words) => (this.percent.textContent = words),
    });
    this.grid = new BatchGrid(this.view.batch, address, (picture) => this.pick(picture));
    this.tools = toolbar({
      run: (name, picture) => this.run(name, picture),
      isPressed: (name) => this.isPressed(name),
      picture: () => this.gaze.chosen,
      isOff: (name, picture) => this.isOff(name, picture),
    });
    this.build();
    this.notices = notices(this.sentences);
    this.register();
    follow((...event) => this.heard(...event));
    tellInTitle();
  }

  build() {
    this.facts = el("span", { class: "facts" });
    this.pill = el("button", { type: "button", class: "pill", "aria-controls": "queue_panel", hidden: true });
    this.pill.addEventListener("click", () => say("queue:open", {}));
    this.percent = el("button", { type: "button", class: "percent", "aria-label": t("Fit to the window (0)") }, t("fit"));
    this.percent.addEventListener("click", () => this.view.fit());
    const zoom = (name, label, factor) => iconButton(name, label, { onclick: () => this.view.zoomBy(factor) });
    this.sentences = el("div", {});
    this.spoken = el("div", { class: "spoken", "aria-live": "polite", role: "status" });
    this.emptyText = el("p", { class: "empty_text" }, t("The picture appears here."));
    this.empty = el(
      "div", { class: "empty" },
      el("div", { id: "first_run" }), this.emptyText, el("p", { class: "empty_keys" }, el("kbd", {}, "Ctrl"), " ", el("kbd", {}, "Enter")),
    ); // prettier-ignore
    this.text = el("pre", { tabindex: "0" });
    const copy = el("button", { type: "button", class: "quiet" }, t("Copy"));
    copy.addEventListener("click", () => this.copyText());
    const use = el("button", { type: "button", class: "quiet" }, t("Use its parameters"));
    use.addEventListener("click", () => this.run("use"));
    this.parameters = el(
      "aside", { class: "parameters", "aria-label": t("Generation parameters"), hidden: true },
      el("header", {}, el("h3", {}, t("Generation parameters")), copy, use), this.text,
    ); // prettier-ignore
    this.view.element.append(this.empty);
    const faces = [{ value: "source", label: t("Source") }, { value: "result", label: t("Result") }];
    this.faces = segments(t("What the stage shows"), faces, "source", (face) => this.turnedByUser(face));
    this.faces.classList.add("stage_faces");
    this.turn("source");
    this.frame = el(
      "div", { class: "stage_frame" },
      el("div", { class: "stage_bar" }, this.faces, this.tools.element),
      this.view.element, this.parameters,
      el("div", { class: "hud" }, this.facts, this.pill, el("span", { class: "zoom" }, zoom("minus", t("Zoom out (-)"), 0.8), this.percent, zoom("plus", t("Zoom in (+)"), 1.25))),
      this.sentences, this.spoken,
    ); // prettier-ignore
    this.host.replaceChildren(this.frame);
    this.fadeControls();
  }

  register() {
    hear("picture:show", ({ picture }) => {
      this.turn("result");
      this.pick(picture);
    });
    hear("picture:send", () => this.turn("source"));
    // who comes to img2img or Inpaint from elsewhere finds what they start from, not what another mode has made
    hear("tab:opened", ({ tab }) => {
      if (["img2img", "inpaint"].includes(tab) && this.madeIn !== tab) this.turn("source");
    });
    hear("places:shown", ({ places }) => this.view.showPlaces(places));
    hear("picture:compare", ({ picture }) => this.compareWith(picture));
    const keys = {
      fit: () => this.view.fit(),
      one: () => this.view.zoomTo(this.view.full),
      in: () => this.view.zoomBy(1.25),
      out: () => this.view.zoomBy(0.8),
      newer: () => this.step(-1),
      older: () => this.step(1),
      compare: () => this.run("compare"),
      parameters: () => this.run("parameters"),
      full: () => this.run("full"),
      batch: () => this.run("batch"),
      close: () => this.closeParameters(),
      // a key that has nothing to stop says nothing
      interrupt: () => void ((hasOwn("running", "waiting") || isUnderWay()) && interrupt()),
      skip: () => void (hasOwn("running", "waiting") && commands.skip()),
    };
    for (const [name, does] of Object.entries(keys)) action(name, does);
  }

  /** img2img and Inpaint have two faces: what they start from, and what came out. @param {"source"|"result"} face */
  turn(face) {
    document.documentElement.dataset.face = face;
    if (this.faces.value !== face) this.faces.value = face;
  }

  // Who goes back to the source while a job runs is not taken from it again until the next Generate.
  turnedByUser(face) {
    this.turn(face);
    if (running(current())) this.look(face === "result" ? followed(this.gaze, current()) : { ...this.gaze, follows: false });
  }

  // ---- what happens

  heard(state, name, data, before) {
    if (name === "link") return this.draw();
    const old = this.gaze;
    this.gaze = afterEvent(this.gaze, state, name, data, before, lastUnderWay());
    if (name === "job") this.jobChanged(data, before.jobs.find((job) => job.id === data.id) ?? null);
    if (name === "state") for (const job of state.jobs) this.jobChanged(job, before.jobs.find((one) => one.id === job.id) ?? job); // prettier-ignore
    if (name === "picture" && this.gaze.mine.includes(data.job)) {
      this.hasMade = true;
      told({ kind: "picture", job: state.jobs.find((job) => job.id === data.job) ?? null });
    }
    if (this.gaze.chosen?.id !== old.chosen?.id) this.chosenChanged();
    this.draw();
  }

  jobChanged(job, before) {
    if (!job.mine || job.state === before?.state) return;
    if (!before && job.state !== "failed") this.notices.clearErrors(); // an error stays until something new is started
    if (job.state === "running" && this.gaze.follows && job.kind !== "batch") {
      this.madeIn = job.kind;
      this.turn("result");
    }
    if (job.state === "failed") this.notices.say("error", job.reason || t("{title}: this job failed.", { title: job.title }));
    if (job.state === "held") {
      const open = { label: t("Open the queue"), run: () => say("queue:open", { id: job.id }) };
      this.notices.say("error", `${t("Held, the queue has it: {reason}", { reason: job.reason })} ${remedyOf(job)}`, { act: open });
    }
    if (job.state === "stopped") this.notices.say("notice", t("Stopped."));
    if (job.state === "done" && job.notices?.length) this.notices.say("notice", job.notices.join("\n"));
    if (["done", "failed", "held", "stopped"].includes(job.state)) told({ kind: job.state, job });
  }

  chosenChanged() {
    this.other = null;
    setShown(this.gaze.chosen);
  }

  look(gaze) {
    const isOther = gaze.chosen?.id !== this.gaze.chosen?.id;
    this.gaze = gaze;
    if (isOther) this.chosenChanged();
    this.draw();
  }

  pick(picture) {
    this.look(picked(this.gaze, current(), picture, lastUnderWay()));
  }

  followJob() {
    this.look(followed(this.gaze, current()));
  }

  step(by) {
    this.look(stepped(this.gaze, current(), by, lastUnderWay()));
  }

  compareWith(picture) {
    this.other = picture;
    if (this.compareMode === "off") this.compareMode = "slider";
    this.draw();
  }

  // ---- what the user does with it

  isPressed(name) {
    if (name === "compare") return this.compareMode === "slider";
    if (name === "difference") return this.compareMode === "difference";
    if (name === "batch") return this.gaze.batch !== null;
    return name === "parameters" && !this.parameters.hidden;
  }

  isOff(name, picture = this.gaze.chosen) {
    if (name === "batch") {
      const job = this.gaze.chosen?.job ?? "";
      return picturesOf(current(), job).length + extrasOf(current(), job).length < 2;
    }
    if (["compare", "difference"].includes(name)) return !this.partner();
    if (name === "sheet") return !plotOf(picture);
    if (name === "seed") return picture?.seed === null;
    return name === "full" && !document.fullscreenEnabled;
  }

  /** @param {string} name @param {Picture|null} picture what it is done with; a switch is about what is in view */
  run(name, picture = this.gaze.chosen) {
    if (name === "full") this.toggleFullScreen();
    else if (!picture || this.isOff(name, picture)) return;
    else if (name === "compare" || name === "difference") {
      const mode = name === "compare" ? "slider" : "difference";
      this.compareMode = this.compareMode === mode ? "off" : mode;
    } else if (name === "batch") this.look(batchToggled(this.gaze, current()));
    else if (name === "parameters") this.parameters.hidden = !this.parameters.hidden;
    else if (name === "delete") trash(picture);
    else doWith(name, picture);
    this.draw();
  }

  /** @returns {boolean} whether they were open */
  closeParameters() {
    if (this.parameters.hidden) return false;
    this.parameters.hidden = true;
    this.tools.draw();
    return true;
  }

  // The picture to compare with: the one that was chosen for it, else the one that was made before.
  partner() {
    if (this.other) return this.other;
    const { history } = current();
    const at = history.findIndex((one) => one.id === this.gaze.chosen?.id);
    return history[at + 1] ?? (at > 0 ? history[at - 1] : null);
  }

  async copyText() {
    try {
      await navigator.clipboard.writeText(this.text.textContent);
      say("notice", { kind: "notice", text: t("Copied.") });
    } catch {
      window.getSelection()?.selectAllChildren(this.text); // without https a page may only mark the text
      say("notice", { kind: "notice", text: t("Press Ctrl+C to copy the marked text.") });
    }
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else (this.host.closest("#stage") ?? this.host).requestFullscreen().catch((error) => say("notice", { kind: "error", text: error.message }));
  }

  fadeControls() {
    let rest = 0;
    const wake = () => {
      this.frame.classList.remove("resting");
      clearTimeout(rest);
      if (document.fullscreenElement?.contains(this.frame))
        rest = window.setTimeout(() => this.frame.classList.add("resting"), RESTS);
    };
    for (const name of ["pointermove", "pointerdown", "keydown"]) this.frame.addEventListener(name, wake);
    document.addEventListener("fullscreenchange", wake);
  }

  // ---- drawing

  draw() {
    const state = current();
    const shown = subject(this.gaze, state);
    const job = running(state);
    this.drawPicture(shown, state);
    this.view.progress(job && this.gaze.follows ? (state.progress[job.id]?.fraction ?? 0) : null);
    const words = pillWords(state, linked());
    this.pill.hidden = !words;
    if (this.pill.textContent !== words) this.pill.textContent = words;
    this.pill.classList.toggle("bad", linked() === "lost");
    const spoken = spokenWords(state) || (this.hasMade ? t("The picture is finished") : "");
    if (this.spoken.textContent !== spoken) this.spoken.textContent = spoken;
    this.empty.hidden = shown.kind !== "empty" || job !== null;
    const picture = this.gaze.chosen;
    this.facts.textContent = shown.kind === "picture" ? factsOf(picture) : "";
    const text = picture?.text ?? "";
    if (this.text.textContent !== text) this.text.textContent = text;
    if (!picture) this.parameters.hidden = true;
    this.tools.draw();
    const root = document.documentElement;
    root.dataset.link = linked();
    root.dataset.mine = job || runningBatch(state) ? "running" : state.jobs.some((one) => one.mine && one.state === "waiting") ? "waiting" : "";
  }

  drawPicture(shown, state) {
    const isBatch = shown.kind === "batch";
    if (this.view.batch.hidden === isBatch) this.view.batch.hidden = !isBatch;
    this.view.element.classList.toggle("shows_batch", isBatch);
    const mode = shown.kind === "picture" ? this.compareMode : "off";
    const partner = mode === "off" ? null : this.partner();
    this.view.compare.set(mode, partner ? address(partner.url) : "", promptOf(partner?.text ?? ""));
    if (isBatch) {
      const first = shown.cells.find((cell) => cell.picture)?.picture;
      const row = state.jobs.find((one) => one.id === shown.job);
      const size = first?.width ? first : sizeOf(row, null);
      this.grid.draw(shown.cells, size.width / size.height, this.gaze.chosen?.id ?? null);
      this.view.draw();
    } else if (shown.kind === "live") this.view.show(address(shown.preview), sizeOf(shown.job, shown.picture), t("Preview of the picture that is made"), true);
    else if (shown.kind === "picture") this.view.show(address(shown.picture.url), shown.picture, promptOf(shown.picture.text));
    else this.view.show("", { width: 1, height: 1 }, ""); // prettier-ignore
  }
}

const factsOf = ({ width, height, seed }) => {
  const parts = width ? [`${width} × ${height}`] : [];
  if (seed !== null) parts.push(t("seed {seed}", { seed }));
  return parts.join(" · ");
};

/** @param {{element: HTMLElement, props: any, watch: (name: string, heard: () => void) => void}} context */
export const mount = ({ element, props, watch }) => {
  const stage = new Stage(element);
  hear("job:follow", () => stage.followJob());
  // The server's word about an empty stage, such as a folder without checkpoints.
  const tellEmpty = () => {
    stage.emptyText.textContent = props.value?.missing || t("The picture appears here.");
    stage.empty.classList.toggle("missing", Boolean(props.value?.missing));
  };
  tellEmpty();
  watch("value", tellEmpty);
  if (props.value?.first_run) import("./first_run.js").then(({ fill }) => fill(stage.empty.querySelector("#first_run")));
};
