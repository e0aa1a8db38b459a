// A place of the picture that was clicked: where it looks, by self-attention.
import { el, t } from "./kit.js";
import { otherwise } from "./learn_record.js";
import { ATTENTION, formula } from "./learn_samplers.js";
import { heading, hint, numbers, percent, sentence } from "./learn_shared.js";

/** The cell of a grid that a pointer is on. @returns {{x: number, y: number}} */
export function cellOf(event, box, grid) {
  const place = box.getBoundingClientRect();
  const at = (from, size) => Math.min(grid - 1, Math.max(0, Math.floor((from / size) * grid)));
  return { x: at(event.clientX - place.left, place.width), y: at(event.clientY - place.top, place.height) };
}

/** A ring at the place that looks. */
export function ring({ x, y }, grid) {
  return el("i", { class: "learn-point", style: `left: ${(100 * (x + 0.5)) / grid}%; top: ${(100 * (y + 0.5)) / grid}%; width: ${100 / grid}%` });
}

/** Whether it was recorded in a run where its places look. */
export const isLooking = (run) => run.pointed.length > 0;

/**
 * Explain a place.
 * @param {import("./learn_shared.js").Shared} shared
 * @param {{point: {x: number, y: number}, low: number, high: number, block: string, choose: (point: {x: number, y: number}) => void}} about
 */
export function explainPoint(shared, { point, low, high, block, choose }) {
  const { run } = shared;
  const { grid } = run.told;
  const number = (label, axis) => {
    const box = el("input", { type: "number", min: "1", max: String(grid), value: String(point[axis] + 1), "aria-label": label });
    box.addEventListener("change", () => {
      const value = Math.min(grid, Math.max(1, Math.round(Number(box.value)) || 1));
      choose({ ...point, [axis]: value - 1 });
    });
    return el("label", {}, el("span", {}, label), box);
  };
  shared.explain(
    heading(t("Where this place looks")),
    sentence(t("Before it listens to the words, each place of the picture asks all others what is there. The brighter a place, the more the ringed one takes from it.")),
    formula(ATTENTION),
    el("div", { class: "learn-place" }, number(t("Column"), "x"), number(t("Row"), "y")),
    numbers([
      [t("Block"), block],
      [t("Map"), t("{size}, mean of heads", { size: `${grid} × ${grid}` })],
      [t("Lowest to highest share"), `${percent(low)} – ${percent(high)}`],
    ]),
    hint(t("Places of one thing often look at each other: so it gets one colour and a closed outline. Query, key and value all come from the picture here. Only blocks of at most 32 × 32 cells are recorded.")),
  );
}

/** Explain that places were not recorded, and have it done. */
export function offerPoints(shared) {
  const { run } = shared;
  shared.explain(
    heading(t("Where this place looks")),
    sentence(t("Self-attention is recorded only where you ask for it: it is much more than the attention to the words.")),
    run.isDone ? el("button", { type: "button", class: "primary", onclick: () => shared.source.takeApart(otherwise(run, { self_attention: true }), `${run.job}/0`) }, t("Record where places look")) : null,
    hint(t("The run is made again with its own parameters, and takes a little longer.")),
  );
}
