// The curve of a training: every loss faintly, their moving mean, and the learning rate below. The arithmetic is pure.

import { el, t } from "./kit.js";
import { path, svg } from "./learn_svg.js";

const HEIGHT = 150; // pixels of the losses
const RATE = 34; // of the learning rate, below them
const LEFT = 52; // of the numbers at the left
const MOST_POINTS = 2000;

/** @typedef {[number, number, number]} Point step, loss, learning rate */

/**
 * The mean of the losses around each point, of about a twentieth of all; wider where there are more.
 * @param {Point[]} points
 * @returns {number[]}
 */
export function movingMean(points) {
  const half = Math.max(2, Math.round(points.length / 40));
  let [from, to, sum] = [0, 0, 0];
  return points.map((_, at) => {
    while (to < Math.min(points.length, at + half + 1)) sum += points[to++][1];
    while (from < at - half) sum -= points[from++][1];
    return sum / (to - from);
  });
}

/** The points that numbers can be drawn of, at most so many. @param {*} told @returns {Point[]} */
export function drawable(told) {
  const points = Array.isArray(told) ? told.filter((one) => Array.isArray(one) && one.length >= 2 && one.slice(0, 2).every(Number.isFinite)) : [];
  const every = Math.ceil(points.length / MOST_POINTS);
  return every > 1 ? points.filter((_, at) => at % every === 0 || at === points.length - 1) : points;
}

/**
 * The losses between which the curve is drawn: all of them but the highest two in a hundred, which would flatten it.
 * @param {Point[]} points
 * @returns {[number, number]}
 */
export function bounds(points) {
  const sorted = points.map(([, loss]) => loss).sort((one, other) => one - other);
  const low = sorted[0] ?? 0;
  const high = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.98))] ?? 1;
  return high > low ? [low, high] : [low - Math.abs(low) * 0.1 - 1e-6, low + Math.abs(low) * 0.1 + 1e-6];
}

/** A small number in few signs: `1e-4`, `0.082`. */
export function short(/** @type {number} */ value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return Math.abs(value) < 0.001 ? value.toExponential(1).replace(".0e", "e") : value.toPrecision(3);
}

/** The drawing; `show` takes the points of a run. */
export function curve() {
  const place = el("div", { class: "tr-plot" });
  const said = el("figcaption", {});
  const node = el("figure", { class: "tr-curve" }, place, said);
  /** @type {Point[]} */
  let points = [];
  /** @type {number[]} */
  let means = [];
  let steps = 0;
  const at = () => points.length - 1;
  const say = (/** @type {number} */ which) => {
    const [step, loss, rate] = points[which] ?? [0, NaN, NaN];
    said.textContent = points.length ? t("Step {step}: loss {loss}, on average {mean}, learning rate {rate}", { step, loss: short(loss), mean: short(means[which]), rate: short(rate) }) : t("The curve begins with the first step.");
  };
  const draw = () => {
    const width = Math.max(200, place.clientWidth || 360);
    const [low, high] = bounds(points);
    const last = Math.max(steps, points.at(-1)?.[0] ?? 1, 1);
    const x = (/** @type {number} */ step) => LEFT + (step / last) * (width - LEFT - 4);
    const y = (/** @type {number} */ loss) => 6 + (1 - (Math.min(high, Math.max(low, loss)) - low) / (high - low)) * (HEIGHT - 12);
    const highest = Math.max(...points.map(([, , rate]) => rate || 0), 1e-12);
    const down = (/** @type {number} */ rate) => HEIGHT + RATE - 4 - ((rate || 0) / highest) * (RATE - 10);
    const name = points.length ? t("Loss from {first} at step {from} to {last} at step {to}", { first: short(means[0]), from: points[0][0], last: short(means[at()]), to: points[at()][0] }) : t("No loss yet");
    const lines = [low, (low + high) / 2, high].flatMap((loss) => [
      svg("line", { class: "tr-rule", x1: LEFT, x2: width - 4, y1: y(loss), y2: y(loss) }),
      svg("text", { class: "tr-number", x: LEFT - 6, y: y(loss) + 4, "text-anchor": "end" }, points.length ? short(loss) : ""),
    ]);
    const drawn = svg("svg", { class: "tr-svg", role: "img", "aria-label": name, viewBox: `0 0 ${width} ${HEIGHT + RATE + 14}`, width, height: HEIGHT + RATE + 14 },
      ...lines,
      svg("path", { class: "tr-raw", d: path(points.map(([step, loss]) => [x(step), y(loss)])) }),
      svg("path", { class: "tr-mean", d: path(points.map(([step], which) => [x(step), y(means[which])])) }),
      svg("path", { class: "tr-rate", d: path(points.map(([step, , rate]) => [x(step), down(rate)])) }),
      svg("text", { class: "tr-number", x: LEFT - 6, y: HEIGHT + RATE - 4, "text-anchor": "end" }, points.length ? short(points[at()][2]) : ""),
      svg("text", { class: "tr-number", x: LEFT, y: HEIGHT + RATE + 11 }, points.length || steps ? "0" : ""),
      svg("text", { class: "tr-number", x: width - 4, y: HEIGHT + RATE + 11, "text-anchor": "end" }, points.length || steps ? t("{n} steps", { n: last.toLocaleString("en") }) : ""));
    drawn.addEventListener("pointermove", (event) => {
      const step = ((/** @type {PointerEvent} */ (event).offsetX - LEFT) / (width - LEFT - 4)) * last;
      say(points.reduce((near, point, which) => (Math.abs(point[0] - step) < Math.abs(points[near][0] - step) ? which : near), 0));
    });
    drawn.addEventListener("pointerleave", () => say(at()));
    place.replaceChildren(drawn);
    say(at());
  };
  new ResizeObserver(() => place.isConnected && place.clientWidth && draw()).observe(place);
  const show = (/** @type {*} */ told, /** @type {number} */ all) => {
    points = drawable(told);
    means = movingMean(points);
    steps = all;
    draw();
  };
  return { node, show };
}
