// What ControlNet, T2I-Adapter, IP-Adapter and LoRA change, drawn into the parts of the map: measured where it arrives.
import { el, t } from "./kit.js";
import { heading, numbers, percent } from "./learn_shared.js";
import { svg } from "./learn_svg.js";

/** The kinds, by their names in the recording: what they are called, and whose they usually are. */
const kinds = () => [
  { kind: "skips", name: t("Added to the skip (ControlNet)") },
  { kind: "levels", name: t("Added in the level (T2I-Adapter)") },
  { kind: "attention", name: t("Changed in cross-attention (IP-Adapter)") },
  { kind: "weights", name: t("Weights changed (LoRA)") },
];
const INSIDE = 3; // pixels between the edge of a part and its bars

/** @typedef {Record<"skips"|"levels"|"attention", Record<string, number[]>> & {weights: Record<string, number>}} Adds */

export class Additions {
  #told = new Map(); // job, number of steps -> promise of what is added
  isShown = true;

  /** @returns {Promise<Adds|null>} null: nothing was measured */
  told(run) {
    const key = `${run.job} ${run.count}`;
    if (!this.#told.has(key)) this.#told.set(key, run.part("adds").catch(() => null));
    return this.#told.get(key);
  }

  /** Draw bars into the parts, as high as the share of the largest of their kind. @param {Adds|null} adds */
  draw(map, adds, step) {
    for (const bar of map.querySelectorAll(".learn-added")) bar.remove();
    if (!adds || !this.isShown) return;
    const present = kinds().filter(({ kind }) => Object.keys(adds[kind]).length);
    for (const rect of map.querySelectorAll("rect[data-part]")) {
      const found = present.map(({ kind }) => [kind, shareOf(adds, kind, rect.dataset.part, step)]).filter(([, share]) => share > 0);
      const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
      const each = (width - 2 * INSIDE) / Math.max(1, found.length);
      found.forEach(([kind, share], at) => {
        const tall = Math.max(2, ((height - 2 * INSIDE) * share) / largest(adds, kind));
        rect.after(svg("rect", { class: `learn-added ${kind}`, x: x + INSIDE + at * each, y: y + height - INSIDE - tall, width: Math.max(2, each - 1), height: tall, rx: 1 }));
      });
    }
  }

  /** Names of what is added at all, with how much at most, and a switch. @param {() => void} changed */
  legend(adds, changed) {
    const present = adds ? kinds().filter(({ kind }) => Object.keys(adds[kind]).length) : [];
    if (!present.length) return [];
    const press = el("button", { type: "button", class: "small", "aria-pressed": String(this.isShown), onclick: () => { this.isShown = !this.isShown; changed(); } }, t("Show what adds"));
    return [press, ...(this.isShown ? present.map(({ kind, name }) => el("span", {}, el("i", { class: `learn-added ${kind}` }), `${name}, ${t("up to {share}", { share: percent(largest(adds, kind)) })}`)) : [])];
  }

  /** What is added to a part, as numbers. */
  explain(adds, part, step) {
    const rows = adds ? kinds().map(({ kind, name }) => [name, shareOf(adds, kind, part.name, step)]).filter(([, share]) => share > 0) : [];
    return rows.length ? [heading(t("What others add here")), numbers(rows.map(([name, share]) => [name, percent(share)]))] : [];
  }
}

/** How much is added to a part, relative to what is there, at a step. */
function shareOf(adds, kind, name, step) {
  const found = adds[kind][name];
  return (Array.isArray(found) ? found[step] : found) ?? 0;
}

const largest = (adds, kind) => Math.max(1e-9, ...Object.values(adds[kind]).flat());
