// The run of a training: how far it is, its curve, its samples; pausing, going on, and using what came of it.

import { el, t } from "./kit.js";
import { say } from "./bus.js";
import { ask, cancel, forget, look, request } from "./extension_actions.js";
import { curve, short } from "./train_curve.js";
import { placeOf, samples } from "./train_samples.js";
import { placeWords, stateWords } from "./train_words.js";

/** @typedef {import("./train_words.js").Told} Told */

const ENDED = new Set(["done", "failed", "stopped", "cancelled"]);
const EVERY = 700; // milliseconds between two looks at what is recorded
const SAMPLES_AT_ONCE = 12; // of a run on the disk

/** Where what is recorded of a job lies. */
const recorded = (/** @type {string} */ path) => `recordings/${path}`;
const address = (/** @type {string} */ path) => `${/** @type {*} */ (window).webui.base}internal/page/${recorded(path)}`;

/** The name of a file, without folder and ending. */
export const stemOf = (/** @type {string} */ path) => (path.split(/[\\/]/).at(-1) ?? path).replace(/\.(safetensors|ckpt|pt)$/, "");

/**
 * Put what was trained to use: a LoRA and a word go into the prompt.
 * @param {{output?: string, method?: string}} run
 */
export function useIt({ output = "", method = "lora" }) {
  const name = stemOf(output);
  forget("");
  say("files:changed");
  if (method === "finetune") {
    say("notice", { kind: "notice", text: t("{name} is in the list of checkpoints now.", { name }) });
    return;
  }
  say("tab:open", { tab: "txt2img" });
  say("prompt:insert", { text: method === "textual_inversion" ? name : `<lora:${name}:1>` });
}

/**
 * The view. `follow` looks at a job until it ends, `find` at the one that is under way, `open` at a run on the disk.
 * @param {{training: {extension: string, action: string, asks: Record<string, *>}, resume: (run: string) => void, began: () => void,
 *   ended: () => void, prompts: () => string[]}} about
 */
export function runView({ training, resume, began, ended, prompts }) {
  const name = el("h2", {}, t("Run"));
  const state = el("p", { class: "tr-state", role: "status" }, t("Nothing is being trained."));
  const bar = el("div", { class: "a-bar", role: "progressbar", "aria-label": t("Training"), "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0, hidden: true });
  const facts = el("p", { class: "tr-facts" });
  const failed = el("div", { class: "f-say bad", role: "alert", hidden: true });
  const notices = el("p", { class: "tr-hint tr-notices", hidden: true });
  const pause = el("button", { type: "button", class: "f-quiet", id: "train_pause", hidden: true, onclick: () => pauseIt() }, t("Pause"));
  const goOn = el("button", { type: "button", class: "f-quiet", id: "train_resume", hidden: true, onclick: () => told?.run && resume(told.run) }, t("Resume"));
  const use = el("button", { type: "button", class: "f-quiet", id: "train_use", hidden: true, onclick: () => told && useIt(told) }, t("Use it"));
  const plot = curve();
  const shown = samples();
  const node = el("section", { class: "tr-run", "aria-label": t("Run") }, el("div", { class: "tr-head" }, name, pause, goOn, use), state, bar, facts, failed, notices, plot.node, shown.node);
  /** @type {Told|null} */
  let told = null;
  let running = "";
  let [turn, wanted] = [0, ""]; // how often something else was chosen to be shown; the run that was, until it is told
  /** @type {Map<string, string>} addresses of samples by their names */
  const pictures = new Map();
  plot.show([], 0);

  /** Something else is shown from now on. Answers to what was asked for before are of no use: their turn is not this one. */
  const nextTurn = (run = "") => {
    wanted = run;
    turn += 1;
    return turn;
  };
  const fail = (/** @type {string} */ text) => {
    failed.hidden = !text;
    failed.textContent = text;
  };
  /** What the server says beside it: that a worker ended, and that the run went on. @param {*} now */
  const note = (now) => {
    notices.textContent = (now.notices ?? []).join("\n");
    notices.hidden = !notices.textContent;
  };
  const pauseIt = async () => {
    pause.disabled = true;
    state.textContent = t("Pausing: it saves where it is");
    try {
      await cancel(running);
    } catch (error) {
      fail(/** @type {Error} */ (error).message);
    }
    pause.disabled = false;
  };
  const draw = (/** @type {string} */ words) => {
    const share = told?.steps ? told.step / told.steps : 0;
    const isOver = !running && told?.state === "done";
    name.textContent = told?.run || t("Run");
    state.textContent = words;
    bar.hidden = !running;
    bar.style.setProperty("--share", `${share * 100}%`);
    bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    const numbers = told && Number.isFinite(told.average_loss ?? told.loss) ? [t("loss {loss}", { loss: short(Number(told.average_loss ?? told.loss)) }), t("learning rate {rate}", { rate: short(Number(told.learning_rate)) })] : [];
    facts.textContent = told ? [placeWords(told), ...numbers].join(" · ") : "";
    pause.hidden = !running;
    goOn.hidden = Boolean(running) || !told?.run || isOver;
    use.hidden = !told?.output;
  };
  const read = async (/** @type {string} */ id, /** @type {number} */ own) => {
    const parts = await request(recorded(id));
    const [now, losses] = await Promise.all(["training", "losses"].map((part) => (part in parts ? request(recorded(`${id}/${part}`)) : null)));
    if (own !== turn) return;
    if (now) {
      if (told?.run && now.run !== told.run) pictures.clear();
      told = now;
    }
    if (losses) plot.show(losses, told?.steps ?? 0);
    for (const part of Object.keys(parts)) if (placeOf(part)) pictures.set(part, address(`${id}/${part}`));
    shown.show(pictures, told?.prompts ?? prompts());
  };
  const showEnd = async (/** @type {string} */ id, /** @type {*} */ now, /** @type {number} */ own) => {
    await read(id, own).catch(() => {}); // the recording of an old job may be gone
    if (own !== turn) return;
    running = "";
    note(now);
    if (!told && now.result?.data?.run) await load(now.result.data.run, own);
    if (own !== turn) return;
    const isDone = Boolean(now.result) && told?.state !== "paused" && now.result.data?.state !== "paused";
    if (told) told = { ...told, state: isDone ? "done" : "paused", output: now.result?.files?.[0] ?? told.output };
    draw(now.state === "failed" ? t("It failed") : isDone ? now.result?.text || t("Done") : t("Paused"));
    fail(now.state === "failed" ? now.error ?? t("This did not work.") : "");
  };
  const finish = async (/** @type {string} */ id, /** @type {*} */ now, /** @type {number} */ own) => {
    await showEnd(id, now, own);
    if (now.result?.files?.length) { // whether its end is shown or not
      forget("");
      say("files:changed");
    }
    ended();
  };
  const follow = async (/** @type {string} */ id) => {
    const own = nextTurn();
    running = id;
    began();
    told = told && { ...told, state: "queued" };
    fail("");
    draw(t("Waiting for its turn"));
    let [seen, last] = ["", 0];
    try {
      for (;;) {
        const now = await look(id, seen);
        if (own !== turn) return; // another one is looked at
        seen = now.mark;
        note(now);
        if (now.result || ENDED.has(now.state)) {
          await finish(id, now, own);
          await find(); // one that gives way to others goes on as another job
          return;
        }
        if (now.state !== "running") {
          draw(now.state === "held" ? t("On hold") : t("Waiting for its turn"));
          fail(now.state === "held" ? now.error ?? "" : "");
        } else {
          fail("");
          const wait = EVERY - (performance.now() - last);
          if (wait > 0) await new Promise((done) => { setTimeout(done, wait); });
          last = performance.now();
          await read(id, own);
          if (own !== turn) return;
          draw(told && told.state !== "queued" ? stateWords(told.state) : now.progress.text || t("Training"));
        }
      }
    } catch (error) {
      if (own !== turn) return;
      running = "";
      draw(t("It is not known how far it is."));
      fail(/** @type {Error} */ (error).message);
    }
  };
  /** Look at the job that is under way, or show the last one that ended. */
  const find = async () => {
    const own = turn;
    const jobs = await request(`recordings/of/${encodeURIComponent(training.extension)}/${encodeURIComponent(training.action)}`).catch(() => []);
    if (running) return; // one that was begun meanwhile is followed already
    const under = jobs.find((/** @type {*} */ job) => !ENDED.has(job.state));
    if (under) follow(under.id);
    else if (!told && jobs.length && own === turn) {
      const last = nextTurn();
      await finish(jobs[0].id, await look(jobs[0].id).catch(() => ({ state: jobs[0].state })), last);
    }
  };
  const clear = () => {
    told = null;
    pictures.clear();
    plot.show([], 0);
    shown.show(pictures, []);
    note({});
    fail("");
    draw(t("Nothing is being trained."));
  };
  /** Show a run as it lies on the disk: its curve, then its samples, some at a time. */
  const open = async (/** @type {string} */ run) => {
    if (!running && training.asks.run) await load(run, nextTurn(run));
  };
  const load = async (/** @type {string} */ run, /** @type {number} */ own) => {
    if (!training.asks.run) return;
    clear();
    try {
      const kept = (await ask(training.extension, "run", { run })).data;
      if (own !== turn) return;
      told = { ...kept.training, state: kept.training.state === "done" ? "done" : "paused" };
      plot.show(kept.losses, kept.training.steps);
      draw(stateWords(/** @type {Told} */ (told).state));
      for (let at = 0; at < kept.samples.length; at += SAMPLES_AT_ONCE) {
        const found = (await ask(training.extension, "run_samples", { run, names: kept.samples.slice(at, at + SAMPLES_AT_ONCE) })).data;
        if (own !== turn || told?.run !== run) return; // it may have been removed as well
        for (const [part, data] of Object.entries(found)) pictures.set(part, `data:image/jpeg;base64,${data}`);
        shown.show(pictures, told.prompts ?? []);
      }
    } catch (error) {
      if (own === turn) fail(/** @type {Error} */ (error).message);
    }
  };
  /** A run was removed from the disk: what is seen of it stays, but it cannot go on. */
  const gone = (/** @type {string} */ run) => {
    if (told?.run !== run) return;
    told = { ...told, run: "" };
    goOn.hidden = true;
  };
  const forgetRun = () => {
    nextTurn();
    clear();
  };
  return {
    node, follow, find, open, gone, forget: forgetRun,
    isRunning: () => Boolean(running),
    /** The run that is shown, or will be as soon as the server has told of it. */
    shown: () => told?.run ?? wanted,
    /** While a training is being started, none can go on. */
    setStarting: (/** @type {boolean} */ is) => { goOn.disabled = is; },
  };
}
