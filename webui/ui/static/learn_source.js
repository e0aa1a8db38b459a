// Which run is looked at: choosing among recordings, and having the shown picture made again with one.
import { hear } from "./bus.js";
import { el, t } from "./kit.js";
import { Recorded, recordings, takeApart } from "./learn_record.js";
import { shownPicture } from "./shown.js";
import { current } from "./stream.js";

const EXAMPLE = "example"; // the run of the miniature that ships with the page, in the place of a job
const EVERY = 600; // milliseconds between two questions while a run is being recorded

export class RunSource {
  #job = ""; // whose recording is being made
  #timer = 0;
  #note = "";
  #isLooking = true; // for a run to begin with
  #looks = Promise.resolve(); // one after the other, so that an older answer never takes the place of a newer one

  /** @param {import("./learn_shared.js").Shared} shared */
  constructor(shared) {
    this.shared = shared;
    hear("job:progress", ({ id }) => { if (id === this.#job) this.#soon(); });
    hear("jobs:changed", ({ jobs }) => this.#ended(jobs));
    hear("picture:shown", () => { if (!shared.run) shared.changed(); });
    /** Kept when there is a run to look at, or none can be had. */
    this.first = this.#newest();
  }

  /** Why there is no run to look at, or that one is waited for; "": there is one. */
  get note() {
    return this.#note;
  }

  /** Have the shown picture taken apart, or another one. @param {import("./learn_record.js").Otherwise} otherwise */
  async takeApart(otherwise = {}, picture = shownPicture()?.id) {
    try {
      if (!picture) throw new Error(t("Make a picture first, or open one of the Library."));
      const { job } = await takeApart(picture, otherwise);
      this.#job = job;
      this.#say(t("Waiting for its turn …"));
      this.#ended(current().jobs); // it may have ended before this was answered
    } catch (error) {
      this.#say(error.message);
    }
  }

  /** What stands in the head of the views of a run. */
  tools() {
    const { run } = this.shared;
    const facts = run && [run.told.prompt, run.told.sampler, run.told.scheduler, t("{n} steps", { n: run.told.total }), `CFG ${run.told.cfg_scale}`, t("seed {seed}", { seed: run.told.seed })].filter(Boolean).join(" · ");
    return [
      this.#note ? el("span", { class: "learn-note", role: "status" }, this.#note) : this.isExample ? el("span", { class: "learn-of", title: facts }, t("This is an example: {prompt}", { prompt: run.told.prompt })) : run && el("span", { class: "learn-of", translate: "no", title: facts }, facts),
      el("button", { type: "button", class: "small", id: "learn_take_apart", onclick: () => this.takeApart() }, this.isExample ? t("Take my last picture apart") : t("Take apart")),
    ];
  }

  /** What a view shows where there is no run. */
  nothing() {
    if (this.#isLooking) return el("div", { class: "learn-empty late", "aria-busy": "true" }, el("p", {}, t("Looking for a run …")));
    return el(
      "div", { class: "learn-empty" },
      el("p", {}, t("A run is not recorded unless you ask for it, so a normal picture pays nothing.")),
      el("p", {}, t("“Take apart” makes the shown picture again, with its own parameters, and records every step.")),
      el("button", { type: "button", class: "primary", onclick: () => this.takeApart() }, t("Take my last picture apart")),
      this.#note ? el("p", { role: "status" }, this.#note) : null,
    );
  }

  async #newest() {
    const [newest] = await recordings().catch(() => []);
    if (!this.shared.run) await this.#look(newest?.job ?? EXAMPLE);
    this.#isLooking = false;
    this.shared.changed();
  }

  /** Whether the run that ships with the page is looked at. */
  get isExample() {
    return this.shared.run?.job === EXAMPLE;
  }

  /** Look at the run that ships with the page. @returns {() => Promise<void>} goes back to the run before */
  async showExample() {
    const { run, step } = this.shared;
    if (!this.isExample) await this.#look(EXAMPLE);
    return async () => {
      if (!run || run.job === EXAMPLE || !this.isExample) return;
      this.shared.look(run);
      this.shared.go(step);
    };
  }

  #soon() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      if (this.#job) this.#look(this.#job); // it may have ended meanwhile, and been looked at for the last time
    }, EVERY);
  }

  #look(job) {
    this.#looks = this.#looks.then(() => this.#lookNow(job));
    return this.#looks;
  }

  async #lookNow(job) {
    try {
      const isNew = this.shared.run?.job !== job;
      const run = isNew ? new Recorded(job) : this.shared.run;
      const before = run.count;
      await run.refresh();
      const wasLast = this.shared.step >= before - 1; // by now: who has gone back meanwhile stays there
      if (!run.count) return; // nothing of it is there yet
      this.#note = run.isDone ? "" : t("Recording …");
      if (isNew || wasLast) this.shared.look(run);
      else this.shared.changed();
      if (run.isDone && this.#job === job) this.#job = "";
    } catch (error) {
      this.#say(error.message);
    }
  }

  /** The job that is waited for has ended: what was recorded is there now, or never comes. */
  #ended(jobs) {
    const row = jobs.find((one) => one.id === this.#job);
    if (!row) return;
    if (row.state === "waiting") this.#say(t("Waiting for its turn …"));
    if (row.state === "done" || row.state === "stopped") this.#look(row.id);
    if (row.state === "failed") {
      this.#job = "";
      this.#say(row.reason || t("The picture could not be made again."));
    }
  }

  #say(note) {
    if (note === this.#note) return;
    this.#note = note;
    this.shared.changed();
  }
}
