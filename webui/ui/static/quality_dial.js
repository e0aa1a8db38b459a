// The dial from exact to fastest, among the settings of quality. Its stops, and what each gained on this machine, are told
// by an action of an extension; choosing one fills the form.

import { hear } from "./bus.js";
import { el, icon, segments, t } from "./kit.js";
import { changesFor, standing } from "./dial_choice.js";
import { percent, plot, times } from "./dial_plot.js";
import { ask, cancel, look, start } from "./extension_actions.js";

/** @typedef {import("./dial_choice.js").Stop} Stop */

const ENDED = new Set(["done", "failed", "stopped", "cancelled"]);
const SETTLED = 120; // milliseconds without a change of the form until it is compared with the stops
const FIELDS = ["prompt", "width", "height", "steps"]; // of the form, for the picture that is measured
const form = () => /** @type {*} */ (window).webui.form;

/** Draw the dial. @param {{element: HTMLElement, props: {extension: string, action: string, dial: string}}} context */
export function mount({ element, props }) {
  /** @type {?{stops: Stop[], alone: Stop[], measured: *, pictures: number, rounds: number}} */
  let told = null;
  let isStarting = false, running = "", progress = "", failed = "", isOpen = kept("dial_open") === "true", timer = 0;
  const head = el("button", { type: "button", class: "qd-head", "aria-expanded": String(isOpen), onclick: () => fold(!isOpen) }, el("span", { class: "qd-name" }, t("Exact or fast")), el("span", { class: "qd-short" }), icon("chevron"));
  const body = el("div", { class: "qd-body" });
  element.append(head, body);

  const fold = (/** @type {boolean} */ open) => {
    isOpen = open;
    /** @type {*} */ (window).webui.keep("dial_open", String(open));
    draw();
    if (open && !told) refresh();
  };
  const usual = () => Object.fromEntries(form().state.names.map((/** @type {string} */ name, /** @type {number} */ n) => [name, form().state.usual[n]]));
  const chosen = () => (told && form() ? standing(told.stops, form().values(), usual()) : "");
  const choose = (/** @type {string} */ name) => {
    const stop = told?.stops.find((one) => one.name === name);
    if (stop) form()?.take(changesFor(stop, form().values(), usual()));
  };

  const draw = () => {
    const name = chosen();
    const stop = told?.stops.find((one) => one.name === name);
    head.setAttribute("aria-expanded", String(isOpen));
    head.classList.toggle("is-on", told !== null && stop !== told.stops[0]);
    /** @type {HTMLElement} */ (head.querySelector(".qd-short")).textContent = !told ? "" : !stop ? t("your own mix") : stop.gain === null ? t(stop.title) : stop === told.stops[0] ? t("exact") : `${times(Number(stop.gain))} · ${percent(Number(stop.distance))}`;
    body.hidden = !isOpen;
    if (!isOpen) return;
    const focused = /** @type {HTMLElement|null} */ (body.contains(document.activeElement) ? document.activeElement : null)?.dataset.value;
    body.replaceChildren(...(told ? parts(told, stop, name) : [el("p", { class: "qd-say" }, failed || t("Looking what was measured …"))]));
    if (focused !== undefined) /** @type {HTMLElement|null} */ (body.querySelector(`[data-value="${CSS.escape(name)}"]`))?.focus();
  };

  const parts = (/** @type {NonNullable<typeof told>} */ { stops, alone, measured, pictures }, /** @type {Stop|undefined} */ stop, /** @type {string} */ name) => {
    const dial = segments(t("Exact or fast"), stops.map((one) => ({ value: one.name, label: t(one.title) })), name, choose);
    const those = stops.filter((one) => one.gain !== null), singles = alone.filter((one) => one.gain !== null);
    const work = isStarting || running
      ? el("div", { class: "qd-work", role: "status" }, el("span", {}, progress || t("Waiting for its turn")), el("button", { type: "button", class: "f-go second", disabled: isStarting, onclick: () => cancel(running).catch((error) => fail(error)) }, t("Stop")))
      : el("button", { type: "button", class: "f-go second qd-measure", id: "quality_dial_measure", onclick: measure }, measured ? t("Measure again ({n} pictures)", { n: pictures }) : t("Measure here ({n} pictures)", { n: pictures }));
    if (!measured) {
      return [dial, el("p", { class: "qd-say" }, t("What each stop gains, and how far its picture is from the exact one, has not been measured on this machine yet.")), ...problem(), work];
    }
    const about = t("Measured on this machine on {day}: {checkpoint}, {width} × {height}, {steps} steps", { ...measured, day: dayOf(measured.day) });
    return [dial, el("p", { class: "qd-say", "aria-live": "polite" }, sentence(stop, stops[0])), plot(those, singles, name, choose), pair(stops[0], stop), table(singles), el("p", { class: "qd-about", title: measured.machine }, about), ...problem(), work];
  };
  const problem = () => (failed ? [el("p", { class: "qd-say bad", role: "alert" }, failed)] : []);
  const fail = (/** @type {*} */ error) => {
    failed = error.message;
    draw();
  };

  const refresh = async () => {
    try {
      told = (await ask(props.extension, props.dial, {})).data;
      failed = "";
    } catch (error) {
      failed = /** @type {Error} */ (error).message;
    }
    draw();
  };
  const measure = async () => {
    const values = form()?.values() ?? {};
    const options = Object.fromEntries(FIELDS.map((name) => [name, values[name]]).filter(([, value]) => value));
    failed = progress = "";
    isStarting = true; // it is drawn as what waits, so that it is not begun twice
    draw();
    try {
      const numbers = { width: Number(options.width) || 512, height: Number(options.height) || 512, steps: Math.min(100, Math.max(2, Number(options.steps) || 20)) };
      const { id } = await start(props.extension, props.action, { ...options, ...numbers, checkpoint: form()?.checkpoint ?? "", rounds: told?.rounds ?? 1 });
      running = id;
      isStarting = false;
      draw();
      await follow(id);
    } catch (error) {
      failed = /** @type {Error} */ (error).message;
    }
    running = "";
    isStarting = false;
    if (failed) draw();
    else await refresh();
  };
  const follow = async (/** @type {string} */ id) => {
    for (let seen = ""; ;) {
      const now = await look(id, seen);
      seen = now.mark;
      if (now.result || ENDED.has(now.state)) {
        if (now.state === "failed") failed = now.error ?? t("This did not work.");
        return;
      }
      progress = now.state === "queued" || now.state === "held" ? "" : t("Measuring: {what}", { what: now.progress?.text ?? "" });
      const shown = body.querySelector(".qd-work span");
      if (shown) shown.textContent = progress || t("Waiting for its turn");
      else draw();
    }
  };

  hear("form:changed", () => {
    clearTimeout(timer);
    timer = setTimeout(() => told && draw(), SETTLED);
  });
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    if (isOpen) refresh(); // one that is folded asks the server nothing
  });
  seen.observe(element);
  draw();
}

const kept = (/** @type {string} */ name) => /** @type {*} */ (window).webui.kept(name);

function sentence(/** @type {Stop|undefined} */ stop, /** @type {Stop} */ exact) {
  if (!stop) return t("The form holds a mix of its own, which was not measured.");
  if (stop === exact) return t("Every number as the model computes it.");
  if (stop.gain === null) return t("This stop was not measured here.");
  return t("{gain} the speed, {distance} from the exact picture.", { gain: times(stop.gain), distance: percent(Number(stop.distance)) });
}

/** The exact picture beside that of the chosen stop. */
function pair(/** @type {Stop} */ exact, /** @type {Stop|undefined} */ stop) {
  const shown = [exact, ...(stop && stop !== exact ? [stop] : [])].filter((one) => one.picture);
  return el("div", { class: "qd-pair" }, ...shown.map((one) => el("figure", {}, el("img", { src: `data:image/jpeg;base64,${one.picture}`, alt: t("The measured picture: {name}", { name: t(one.title) }) }), el("figcaption", {}, t(one.title)))));
}

/** The numbers of each approximation by itself. */
function table(/** @type {Stop[]} */ alone) {
  if (!alone.length) return el("span", { hidden: true });
  const rows = alone.map((one) => el("tr", {}, el("th", { scope: "row", translate: "no" }, one.name), el("td", {}, times(Number(one.gain))), el("td", {}, percent(Number(one.distance)))));
  const names = [t("Approximation"), t("Speed"), t("Distance")].map((name) => el("th", { scope: "col" }, name));
  return el("details", { class: "qd-alone-table" }, el("summary", {}, t("Each by itself")), el("table", {}, el("thead", {}, el("tr", {}, ...names)), el("tbody", {}, ...rows)));
}

function dayOf(/** @type {string} */ day) {
  const language = document.documentElement.lang || "en";
  return new Date(`${day}T12:00:00`).toLocaleDateString(language, { dateStyle: "medium" });
}
