// The steps of a run as a curve of noise levels, with a slider of the browser over it, and a button that plays them.
import { el, icon, t } from "./kit.js";
import { shown } from "./learn_shared.js";
import { drawing, path, svg } from "./learn_svg.js";

const EACH = 400; // milliseconds a step while it plays
const EDGE = 7; // pixels beside the first and the last point

export class TimeBar {
  #timer = 0;

  /** @param {import("./learn_shared.js").Shared} shared */
  constructor(shared) {
    this.shared = shared;
    this.play = el("button", { type: "button", class: "icon-button", onclick: () => this.toggle() });
    this.at = el("output", { class: "learn-at" });
    this.facts = el("output", { class: "learn-facts" });
    this.curve = el("div", { class: "learn-curve" });
    this.slider = el("input", { type: "range", min: "0", max: "0", step: "1", "aria-label": t("Step"), oninput: () => shared.go(Number(this.slider.value)) });
    this.element = el("div", { class: "learn-time", role: "group", "aria-label": t("Steps of the run") }, this.play, this.at, el("div", { class: "learn-track" }, this.curve, this.slider), this.facts);
    this.#sign();
  }

  /** Play the steps, or stop. */
  toggle() {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = this.#timer || !this.shared.run ? 0 : setInterval(() => this.#next(), EACH);
    this.#sign();
  }

  /** Do what a key means; whether it means anything here. @param {KeyboardEvent} event */
  press(event) {
    const { run, step } = this.shared;
    if (!run) return false;
    if (event.key === " ") {
      if (event.target.closest?.("button")) return false;
      this.toggle();
      return true;
    }
    const to = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: run.count - 1 }[event.key];
    if (to === undefined) return false;
    this.shared.go(to);
    return true;
  }

  draw() {
    const { run, step } = this.shared;
    this.slider.disabled = this.play.disabled = !run;
    this.at.textContent = run ? t("Step {step} of {steps}", { step: step + 1, steps: run.steps }) : "";
    if (!run) {
      this.facts.textContent = "";
      this.curve.replaceChildren();
      return;
    }
    const now = run.facts[step];
    this.facts.textContent = `σ ${shown(now.sigma)} · t ${Math.round(now.t)}`;
    Object.assign(this.slider, { max: String(run.count - 1), value: String(step) });
    this.slider.setAttribute("aria-valuetext", this.at.textContent);
    this.#chart(run, step);
  }

  #next() {
    const { run, step } = this.shared;
    if (!run || !this.element.getClientRects().length) this.toggle();
    else this.shared.go((step + 1) % run.count);
  }

  #sign() {
    this.play.replaceChildren(icon(this.#timer ? "pause" : "play"));
    this.play.setAttribute("aria-label", this.#timer ? t("Pause") : t("Play"));
  }

  /** The curve on a logarithmic scale; steps that have not come yet are hollow. */
  #chart(run, step) {
    const [width, height] = [this.curve.clientWidth, this.curve.clientHeight];
    if (!width) return;
    const levels = run.facts.map((one) => Math.log(Math.max(one.sigma, 1e-3)));
    const low = Math.min(...levels);
    const span = Math.max(...levels) - low || 1;
    const across = (at) => EDGE + ((width - 2 * EDGE) * at) / Math.max(1, run.steps - 1);
    const points = levels.map((level, at) => [across(at), EDGE + (height - 2 * EDGE) * (1 - (level - low) / span)]);
    const missing = Array.from({ length: Math.max(0, run.steps - run.count) }, (_, at) => [across(run.count + at), height - EDGE]);
    const [x, y] = points[step];
    this.curve.replaceChildren(drawing(width, height,
      svg("path", { class: "learn-area", d: `${path(points)}L${points.at(-1)[0]} ${height - 2}L${points[0][0]} ${height - 2}Z` }),
      svg("path", { class: "learn-line c1", d: path(points) }),
      svg("path", { class: "learn-drop", d: `M${x} ${y + 6}V${height - 2}` }),
      ...points.map(([left, top], at) => svg("circle", { class: at === step ? "learn-dot on" : "learn-dot", cx: left, cy: top, r: at === step ? 5 : 2.2 })),
      ...missing.map(([left, top]) => svg("circle", { class: "learn-dot hollow", cx: left, cy: top, r: 2.2 })),
    ));
  }
}
