// Learn > Scheduler: how the noise falls from step to step, several schedules over one another, and a list of one's own.
import { hear, say } from "./bus.js";
import { el, segments, t } from "./kit.js";
import { formula, signalFormula, wordsOfSchedules } from "./schedule_words.js";
import { heading, hint, numbers, sentence, shown } from "./learn_shared.js";
import { svg } from "./learn_svg.js";
import { alphaBar, fieldsOfForm, levelsOf, read, useInForm, written } from "./schedule_levels.js";
import { plot, scaleOf } from "./schedule_plot.js";

const SETTLED = 120; // milliseconds after the last move of a control until the server is asked
const MOST = 3; // schedules beside the chosen one
const HUES = ["c2", "c3", "c4"];
const FACTOR = 1.04; // an arrow key moves a level by 4 %
const KEPT = 0.999; // a level stays below the one before it by this factor

/** @param {HTMLElement} place, @param {import("./learn_shared.js").Shared} shared */
export function mount(place, shared) {
  return new Scheduler(place, shared);
}

class Scheduler {
  #form = fieldsOfForm();
  #steps = Number(this.#form.steps) || 20;
  #schedule = "Karras";
  #beside = ["Exponential", "SGM Uniform"];
  #isLog = true;
  #custom = null;
  #found = new Map(); // label -> levels, as they are drawn
  #fault = "";
  #timer = 0;
  #asked = 0;

  constructor(place, shared) {
    this.shared = shared;
    this.words = wordsOfSchedules();
    const own = this.#form.scheduler;
    if (own && own !== "Automatic" && this.words[own]) this.#schedule = own;
    this.#beside = this.#beside.filter((label) => label !== this.#schedule);
    this.chips = el("div", { class: "schedule-chips", role: "group", "aria-label": t("Beside it") });
    this.plots = el("div", { class: "schedule-plots" });
    this.field = el("input", { type: "text", id: "schedule_list", spellcheck: "false", autocomplete: "off", "aria-label": t("Sigmas, one after the other"), oninput: () => this.#typed() });
    this.wrong = el("p", { class: "schedule-wrong", role: "status" });
    place.classList.add("schedule-view");
    place.append(this.chips, this.plots, el("div", { class: "schedule-own" },
      el("label", { for: "schedule_list" }, t("Sigmas")), this.field,
      el("button", { type: "button", class: "small", onclick: () => this.#copy() }, t("Copy")),
      el("button", { type: "button", class: "primary", id: "schedule_use", onclick: () => this.#use() }, t("Use in txt2img")),
    ), this.wrong);
    hear("checkpoint:changed", () => this.#ask());
    this.#ask();
  }

  draw() {
    this.#tools();
    this.#chips();
    this.#plots();
    this.#explain();
  }

  // ---- what is asked

  #ask(wait = 0) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(), wait);
  }

  async #fetch() {
    const asked = ++this.#asked;
    const { checkpoint = "", sampler = "Euler" } = fieldsOfForm();
    const one = async (label) => {
      const fields = { scheduler: label, steps: this.#steps, ...(checkpoint && { checkpoint }) };
      const own = await levelsOf({ ...fields, sampler });
      return own.schedule ? own : levelsOf({ ...fields, sampler: "Euler" }); // this sampler follows no schedule
    };
    const labels = [this.#schedule, ...this.#beside];
    const answers = await Promise.allSettled(labels.map(one));
    if (asked !== this.#asked) return;
    this.#found = new Map(answers.flatMap((answer, at) => (answer.status === "fulfilled" ? [[labels[at], answer.value]] : [])));
    this.#fault = answers.find((answer) => answer.status === "rejected")?.reason.message ?? "";
    if (!this.#custom) this.#say(this.#found.get(this.#schedule)?.sigmas ?? []);
    this.wrong.textContent = this.#fault;
    if (this.plots.getClientRects().length) this.draw(); // else it is drawn when the view is shown again
  }

  // ---- what is drawn

  #tools() {
    if (!this.select) {
      this.select = el("select", { id: "schedule_choice", "aria-label": t("Schedule"), onchange: () => this.#choose(this.select.value) },
        ...Object.keys(this.words).filter((label) => label !== "Automatic").map((label) => el("option", { value: label }, label)));
      this.count = el("b", {});
      this.slider = el("input", { type: "range", min: "1", max: "60", id: "schedule_steps", "aria-label": t("Steps"), oninput: () => this.#stepped() });
      this.scale = segments(t("Scale"), [{ value: "log", label: "log σ" }, { value: "linear", label: "σ" }], "log", (value) => { this.#isLog = value === "log"; this.#plots(); });
      this.tools = [this.select, el("label", { class: "schedule-steps" }, t("Steps"), this.slider, this.count), this.scale];
    }
    this.select.value = this.#schedule;
    this.slider.value = String(this.#steps);
    this.slider.style.setProperty("--range_progress", `${((this.#steps - 1) / 59) * 100}%`);
    this.count.textContent = String(this.#steps);
    if (this.select.parentElement === null) this.shared.tools(...this.tools);
  }

  #chips() {
    const others = Object.keys(this.words).filter((label) => label !== "Automatic" && label !== this.#schedule);
    const focused = document.activeElement?.dataset?.schedule;
    this.chips.replaceChildren(el("span", {}, t("Beside it")), ...others.map((label) => {
      const at = this.#beside.indexOf(label);
      return el("button", { type: "button", class: `schedule-chip ${at >= 0 ? HUES[at] : ""}`, "data-schedule": label, "aria-pressed": String(at >= 0), onclick: () => this.#toggle(label) }, label);
    }));
    if (focused) this.chips.querySelector(`[data-schedule="${CSS.escape(focused)}"]`)?.focus();
  }

  #main() {
    return this.#custom ?? this.#found.get(this.#schedule)?.sigmas ?? [];
  }

  #curves() {
    const main = { name: this.#custom ? t("Your list") : this.#schedule, values: this.#main(), hue: "c1" };
    const own = this.#custom && this.#found.get(this.#schedule);
    const others = this.#beside.flatMap((label, at) => (this.#found.has(label) ? [{ name: label, values: this.#found.get(label).sigmas, hue: HUES[at] }] : []));
    return [main, ...(own ? [{ name: this.#schedule, values: own.sigmas, hue: "schedule-before" }] : []), ...others];
  }

  #plots() {
    const curves = this.#curves();
    const width = this.plots.clientWidth;
    if (!curves[0].values.length || !width) return;
    const room = Math.max(240, this.plots.clientHeight);
    const wanted = { width, height: Math.round(room * 0.64), title: t("σ, noise for each part of signal"), curves, isLog: this.#isLog };
    const small = { width, height: room - wanted.height - 4, title: t("ᾱ, share of the signal in %"), isShare: true, curves: curves.map((curve) => ({ ...curve, values: curve.values.map(alphaBar) })) };
    const large = plot(wanted);
    const focused = document.activeElement?.dataset?.level;
    this.#points(large, wanted);
    this.plots.replaceChildren(large, plot(small));
    if (focused) this.plots.querySelector(`[data-level="${focused}"]`)?.focus();
  }

  #points(drawing, wanted) {
    const scale = scaleOf(wanted);
    this.#main().forEach((level, at, all) => {
      if (level <= 0) return;
      const point = svg("circle", {
        class: "schedule-point", cx: scale.x(at), cy: scale.y(level), r: all.length > 40 ? 3.5 : 5.5, tabindex: 0, role: "slider", "data-level": at,
        "aria-label": t("Sigma of step {n}", { n: at + 1 }), "aria-valuenow": plain(level), "aria-valuemin": plain(all[at + 1] ?? 0), "aria-valuemax": plain(all[at - 1] ?? 10000),
        onkeydown: (event) => this.#pressed(event, at), onpointerdown: (event) => this.#dragged(event, at, drawing, scale),
      }, svg("title", {}, t("step {n}: σ {level}, ᾱ {share} %", { n: at + 1, level: shown(level), share: (100 * alphaBar(level)).toFixed(1) })));
      drawing.append(point);
    });
  }

  #explain() {
    const levels = this.#main();
    const label = this.#custom ? t("Your list") : this.#schedule;
    if (!levels.length) return this.shared.explain(heading(label), sentence(this.#fault || t("Waiting for the noise levels …")));
    const starts = levels.slice(0, -1);
    const above = starts.filter((level) => level >= 1).length;
    const jumps = starts.map((level, at) => (levels[at + 1] > 0 ? Math.log(level / levels[at + 1]) : 0));
    const largest = jumps.indexOf(Math.max(...jumps)) + 1;
    const words = this.words[this.#schedule];
    this.shared.explain(
      heading(label),
      sentence(this.#custom ? t("A list of your own. Each σ stays below the one before it: a run that goes up again would have to add noise.") : words.sentence),
      formula(!this.#custom && words.formula ? words.formula : signalFormula),
      numbers([
        [t("Steps"), String(starts.length)],
        [t("Highest σ"), shown(levels[0])],
        [t("Lowest σ above 0"), shown(levels.filter((level) => level > 0).at(-1) ?? 0)],
        [t("Steps from σ 1 up"), t("{n} of {all}: layout", { n: above, all: starts.length })],
        [t("Steps below σ 1"), t("{n}: detail", { n: starts.length - above })],
        [t("Largest jump"), t("step {n}", { n: largest })],
      ]),
      hint(t("σ is the noise for each part of signal: at 14 next to nothing of the picture is left, at 1 as much as noise. Drag a point, or focus it and press ↑ ↓. “Use in txt2img” sends the list below instead of a schedule.")),
    );
  }

  // ---- what a person does

  #choose(label) {
    this.#schedule = label;
    this.#custom = null;
    this.#beside = this.#beside.filter((one) => one !== label);
    this.draw();
    this.#ask();
  }

  #stepped() {
    this.#steps = Number(this.slider.value);
    this.#custom = null;
    this.#tools();
    this.#ask(SETTLED);
  }

  #toggle(label) {
    const isOn = this.#beside.includes(label);
    this.#beside = isOn ? this.#beside.filter((one) => one !== label) : [...this.#beside, label].slice(-MOST);
    this.#chips();
    this.#ask();
  }

  #set(at, level) {
    const levels = [...this.#main()];
    const high = at > 0 ? levels[at - 1] * KEPT : 10000;
    const low = (levels[at + 1] ?? 0) > 0 ? levels[at + 1] / KEPT : 0.0001;
    levels[at] = Number(Math.min(high, Math.max(low, level)).toPrecision(6));
    this.#custom = levels;
    this.#say(levels);
    this.wrong.textContent = "";
    this.#plots();
    this.#explain();
  }

  #pressed(event, at) {
    const by = { ArrowUp: FACTOR, ArrowRight: FACTOR, ArrowDown: 1 / FACTOR, ArrowLeft: 1 / FACTOR }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    this.#set(at, this.#main()[at] * by);
  }

  #dragged(event, at, drawing, scale) {
    event.preventDefault();
    const box = drawing.getBoundingClientRect();
    const move = (moved) => this.#set(at, scale.value(moved.clientY - box.top));
    const end = () => { window.removeEventListener("pointermove", move); window.removeEventListener("pointerup", end); window.removeEventListener("pointercancel", end); };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  #typed() {
    const found = read(this.field.value);
    const isGood = Boolean(found.levels);
    this.field.toggleAttribute("aria-invalid", !isGood);
    this.wrong.textContent = isGood ? "" : whyNot(found);
    if (!isGood) return; // the curve keeps the last good list
    this.#custom = found.levels;
    this.#plots();
    this.#explain();
  }

  #say(levels) {
    this.field.value = written(levels);
    this.field.removeAttribute("aria-invalid");
  }

  #copy() {
    navigator.clipboard?.writeText(this.field.value).then(() => say("notice", { kind: "notice", text: t("Copied.") }), () => {});
  }

  #use() {
    const found = read(this.field.value);
    if (!found.levels) {
      this.wrong.textContent = whyNot(found);
      return;
    }
    useInForm(found.levels);
    say("tab:open", { tab: "txt2img" });
    say("notice", { kind: "notice", text: t("Your list of {n} steps is in the form, under Noise and sampler.", { n: found.levels.length - 1 }) });
  }
}

const plain = (level) => Number(level.toPrecision(5));

function whyNot({ place, why }) {
  if (why === "number") return t("Entry {n} is no number.", { n: place });
  if (why === "few") return t("Give two levels or more: a run goes from one to another.");
  if (why === "range") return t("Entry {n} lies outside 0 to 10000.", { n: place });
  return t("Entry {n} must be below the one before it.", { n: place });
}
