// The plot of the dial: how much faster each stop is, against how far its picture is from the exact one.

import { t } from "./kit.js";
import { svg } from "./learn_svg.js";

/** @typedef {import("./dial_choice.js").Stop} Stop */

const WIDTH = 288, HEIGHT = 124, LEFT = 42, RIGHT = 14, TOP = 14, BOTTOM = 30;
const ROOM = 1.08; // above the largest value

export const times = (/** @type {number} */ gain) => `${gain.toFixed(gain < 9.95 ? 2 : 1)} ×`;
export const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(share < 0.0995 ? 2 : 1)} %`;

/**
 * @param {Stop[]} stops measured ones, from exact to fastest
 * @param {Stop[]} alone approximations by themselves, measured
 * @param {string} chosen the name of a stop
 * @param {(name: string) => void} choose
 */
export function plot(stops, alone, chosen, choose) {
  const all = [...stops, ...alone].map((one) => ({ ...one, gain: Number(one.gain), distance: Number(one.distance) }));
  const low = Math.min(1, ...all.map((one) => one.gain)), high = Math.max(1.2, ...all.map((one) => one.gain)) * ROOM;
  const far = Math.max(0.001, ...all.map((one) => one.distance)) * ROOM;
  const x = (/** @type {number} */ gain) => LEFT + ((WIDTH - LEFT - RIGHT) * (gain - low)) / (high - low);
  const y = (/** @type {number} */ distance) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * distance) / far;
  const points = all.slice(0, stops.length), small = all.slice(stops.length);
  const words = points.map((one) => t("{name}: {gain}, {distance} from exact", { name: t(one.title), gain: times(one.gain), distance: percent(one.distance) }));
  return svg("svg", { class: "qd-plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${t("Gain against distance")}. ${words.join("; ")}` },
    svg("path", { class: "qd-axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }),
    ...marks(low, high).map((gain) => label(x(gain), HEIGHT - BOTTOM + 13, `${gain} ×`, "middle")),
    ...[far / ROOM].map((distance) => label(LEFT - 4, y(distance) + 4, percent(distance), "end")),
    label(LEFT - 4, y(0) + 4, "0", "end"),
    label(WIDTH - RIGHT, HEIGHT - 4, t("faster →"), "end"),
    label(LEFT + 6, TOP + 2, t("↑ further from the exact picture"), "start"),
    svg("path", { class: "qd-line", d: points.map((one, n) => `${n ? "L" : "M"}${x(one.gain).toFixed(1)} ${y(one.distance).toFixed(1)}`).join("") }),
    ...small.map((one) => circle(one, x, y, { class: "qd-alone", r: 2.5 }, one.name)),
    ...points.map((one, n) => circle(one, x, y, { class: one.name === chosen ? "qd-stop chosen" : "qd-stop", r: one.name === chosen ? 6 : 4, "data-stop": one.name, onclick: () => choose(one.name) }, words[n])));
}

function circle(/** @type {{gain: number, distance: number}} */ one, /** @type {(n: number) => number} */ x, /** @type {(n: number) => number} */ y, /** @type {Record<string, *>} */ more, /** @type {string} */ text) {
  return svg("circle", { cx: x(one.gain).toFixed(1), cy: y(one.distance).toFixed(1), ...more }, svg("title", {}, text));
}

const label = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ text, /** @type {string} */ anchor) => svg("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor }, text);

/** Round numbers between two gains, a handful at most. */
export function marks(/** @type {number} */ low, /** @type {number} */ high) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((one) => (high - low) / one <= 5) ?? 1000;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, n) => Number(((first + n) * step).toFixed(1)));
}
