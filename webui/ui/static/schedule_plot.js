// Curves of noise levels over the steps of a run, as SVG.
import { path, svg } from "./learn_svg.js";

const PAD = { left: 44, right: 14, top: 22, bottom: 20 };
const LOG_TICKS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000];

/**
 * @typedef {{name: string, values: number[], hue: string}} Curve
 * @typedef {{width: number, height: number, title: string, curves: Curve[], isLog?: boolean, isShare?: boolean}} Wanted
 */

/** The scale of a plot: pixels of a place in the run and of a value, and the value at a pixel. @param {Wanted} wanted */
export function scaleOf({ width, height, curves, isLog, isShare }) {
  const longest = Math.max(2, ...curves.map((curve) => curve.values.length));
  const positive = curves.flatMap((curve) => curve.values).filter((value) => value > 0);
  const top = isShare ? 1 : Math.max(...positive, 0.01);
  const bottom = isShare || !isLog ? 0 : Math.min(...positive, top / 2);
  const change = isLog ? Math.log : (value) => value;
  const back = isLog ? Math.exp : (value) => value;
  const [low, high] = [change(bottom), change(top)];
  const room = height - PAD.top - PAD.bottom;
  return {
    longest, top, bottom,
    x: (at) => PAD.left + ((width - PAD.left - PAD.right) * at) / (longest - 1),
    y: (value) => PAD.top + room * (1 - (change(Math.max(value, isLog ? bottom : 0)) - low) / (high - low || 1)),
    value: (y) => back(low + (high - low) * (1 - (y - PAD.top) / room)),
  };
}

/** The plot without points that can be moved. @param {Wanted} wanted */
export function plot(wanted) {
  const { width, height, title, curves, isLog, isShare } = wanted;
  const scale = scaleOf(wanted);
  const ticks = isShare ? [0, 0.5, 1] : isLog ? LOG_TICKS.filter((tick) => tick >= scale.bottom * 0.99 && tick <= scale.top) : evenly(scale.top);
  const every = Math.max(1, Math.ceil((scale.longest * 30) / (width - PAD.left - PAD.right)));
  const steps = Array.from({ length: scale.longest }, (_, at) => at).filter((at) => at % every === 0 && at < scale.longest - 1); // where the run ends is no step
  return svg("svg", { class: "learn-drawing schedule-plot", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": title },
    svg("text", { class: "schedule-title", x: PAD.left, y: 12 }, title),
    ...ticks.flatMap((tick) => [
      svg("line", { class: "schedule-grid", x1: PAD.left, x2: width - PAD.right, y1: scale.y(tick), y2: scale.y(tick) }),
      svg("text", { class: "schedule-tick", x: PAD.left - 8, y: scale.y(tick) + 4, "text-anchor": "end" }, isShare ? String(tick * 100) : String(tick)),
    ]),
    ...steps.map((at) => svg("text", { class: "schedule-tick", x: scale.x(at), y: height - 4, "text-anchor": "middle" }, String(at + 1))),
    ...[...curves].reverse().map((curve) => {
      const shown = isLog ? curve.values.filter((value) => value > 0) : curve.values;
      return svg("path", { class: `learn-line ${curve.hue}`, d: path(shown.map((value, at) => [scale.x(at), scale.y(value)])) });
    }));
}

function evenly(top) {
  const step = 10 ** Math.floor(Math.log10(top)) / (top / 10 ** Math.floor(Math.log10(top)) < 4 ? 2 : 1);
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, at) => Number((at * step).toPrecision(6)));
}
