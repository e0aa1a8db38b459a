// Numbers on a track: one handle with a number that can be typed, and two handles for what begins and ends.

import { el, t } from "./kit.js";

const plain = (/** @type {number} */ value) => String(Math.round(value * 1e4) / 1e4);

/** Names of values for a unit: a share of 1 in per cent, or the number with its unit. */
export function shownAs(/** @type {number} */ value, /** @type {string|undefined} */ unit) {
  if (unit === "%") return `${Math.round(value * 100)} %`;
  return unit ? `${plain(value)} ${unit}` : plain(value);
}

/**
 * Whether somebody types in a box of which only what is finished counts: it is not to be written meanwhile.
 * @param {HTMLInputElement} box
 * @param {() => void} renew shows the value again, where what was typed came to nothing
 * @returns {() => boolean}
 */
export function typing(box, renew) {
  let isTyped = false;
  box.addEventListener("input", () => { isTyped = true; });
  box.addEventListener("change", () => { isTyped = false; });
  box.addEventListener("blur", () => {
    if (!isTyped) return;
    isTyped = false;
    renew();
  });
  return () => isTyped && document.activeElement === box;
}

/**
 * A slider whose number can be typed, too.
 * @param {{label: string, help?: string, low: number, high: number, step?: number, whole?: boolean, id?: string}} field
 * @param {number} value
 * @param {(value: number) => void} changed
 * @returns {{node: HTMLElement, show: (value: number) => void}}
 */
export function slider(field, value, changed) {
  const { low, high, step = 1 } = field;
  const track = el("input", { type: "range", min: low, max: high, step, "aria-label": field.label });
  const number = el("input", { type: "number", step: field.whole ? 1 : "any", "aria-label": t("{name}, number", { name: field.label }) });
  const paint = () => track.style.setProperty("--range_progress", `${((Number(track.value) - Number(track.min)) / (Number(track.max) - Number(track.min) || 1)) * 100}%`);
  const show = (/** @type {number} */ next) => {
    // a value beyond the usual span widens the track: what was pasted is not cut
    track.min = String(Math.min(low, next));
    track.max = String(Math.max(high, next));
    track.value = String(next);
    if (!isTyping()) number.value = plain(next);
    paint();
  };
  const isTyping = typing(number, () => { number.value = plain(Number(track.value)); });
  track.addEventListener("input", () => {
    number.value = plain(Number(track.value));
    paint();
    changed(Number(number.value));
  });
  number.addEventListener("change", () => {
    const typed = number.value === "" ? value : Number(number.value);
    show(field.whole ? Math.round(typed) : typed);
    changed(Number(number.value));
  });
  show(value);
  const node = el("div", { class: "f-slider" }, el("div", { class: "f-line" }, el("span", { class: "f-name", "data-help": field.help }, field.label), number), track);
  return { node, show };
}

/**
 * Two handles on one track, for two numbers of which the first never passes the second.
 * @param {{label: string, help?: string, low: number, high: number, step?: number, unit?: string}} field
 * @param {[number, number]} values
 * @param {(from: number, to: number, which: 0|1) => void} changed
 * @returns {{node: HTMLElement, show: (values: [number, number]) => void}}
 */
export function range(field, values, changed) {
  const { low, high, step = 0.01 } = field;
  const make = (/** @type {string} */ name) => el("input", { type: "range", min: low, max: high, step, "aria-label": name });
  const ends = [make(t("{name}: from", { name: field.label })), make(t("{name}: to", { name: field.label }))];
  const said = el("output", {});
  const box = el("div", { class: "f-two" }, ...ends);
  const share = (/** @type {HTMLInputElement} */ end) => `${((Number(end.value) - low) / (high - low)) * 100}%`;
  const paint = () => {
    box.style.setProperty("--from", share(ends[0]));
    box.style.setProperty("--to", share(ends[1]));
    const [from, to] = ends.map((end) => Number(end.value));
    said.textContent = field.unit === "%" ? `${Math.round(from * 100)} – ${Math.round(to * 100)} %` : `${plain(from)} – ${plain(to)}`;
    for (const end of ends) end.setAttribute("aria-valuetext", shownAs(Number(end.value), field.unit));
  };
  ends.forEach((end, which) => {
    end.addEventListener("input", () => {
      const [from, to] = ends.map((one) => Number(one.value));
      if (from > to) end.value = ends[1 - which].value; // the moved handle stops at the other
      paint();
      changed(Number(ends[0].value), Number(ends[1].value), /** @type {0|1} */ (which));
    });
  });
  const show = (/** @type {[number, number]} */ [from, to]) => {
    ends[0].value = String(from);
    ends[1].value = String(to);
    paint();
  };
  show(values);
  const node = el("div", { class: "f-slider" }, el("div", { class: "f-line" }, el("span", { class: "f-name", "data-help": field.help }, field.label), said), box);
  return { node, show };
}
