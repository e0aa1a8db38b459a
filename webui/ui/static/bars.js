// Numbers beside each other as bars, drawn by one drag; below them a map of what they would change, and where they lie.
//
// The value is a text: the name of a preset, numbers separated by commas, or nothing for the same everywhere.

import { el, t } from "./kit.js";
import { applies } from "./declared_state.js";
import { askOnce } from "./extension_actions.js";

/** @typedef {import("./declared_state.js").DrawnField} DrawnField */
/** @typedef {import("./form_scope.js").Scope} Scope */
/** @typedef {{labels: string[], depths: number[], ends: string[], presets: Record<string, number[]>}} Columns */

const STEP = 0.05;
const rounded = (/** @type {number} */ value) => Math.round(Math.min(1, Math.max(0, value)) / STEP) * STEP;
const short = (/** @type {number} */ value) => value.toFixed(2).replace(/^0/, "");

/** The numbers that a text means; null where it is the same everywhere or cannot be read. */
export function numbersOf(/** @type {string} */ text, /** @type {Columns} */ { labels, presets }) {
  const preset = presets[text.trim().toUpperCase()];
  if (preset) return [...preset];
  const numbers = text.split(",").map(Number);
  if (!text.trim() || numbers.some((one) => !Number.isFinite(one))) return null;
  if (numbers.length === labels.length + 1) return numbers.slice(1); // the first is the number outside
  return numbers.length === labels.length ? numbers : null;
}

export function bars(/** @type {DrawnField} */ field, /** @type {Scope} */ scope) {
  const chips = el("span", { class: "f-presets", role: "group", "aria-label": t("Presets") });
  const row = el("div", { class: "f-bars", role: "group", "aria-label": field.label });
  const heat = el("div", { class: "f-heat" });
  const depths = el("div", { class: "f-depths", "aria-hidden": "true" });
  const ends = el("div", { class: "f-ends", "aria-hidden": "true" });
  const empty = el("p", { class: "f-none" }, t("Choose the files first."));
  const board = el("div", { class: "f-board", hidden: true }, row, heat, depths, ends);
  const look = el("button", { type: "button", class: "f-quiet" }, t("Show what differs"));
  const node = el("div", { class: "f-field f-barred" }, el("div", { class: "f-headrow" }, el("h2", { class: "f-head", "data-help": field.help }, field.label), field.heat ? look : null, chips), empty, board);
  /** @type {Columns|null} */
  let columns = null;
  let askedColumns = "";
  let askedHeat = "";
  /** @type {HTMLInputElement[]} */
  let inputs = [];

  const flat = () => Number(scope.values[field.name.replace(/_?blocks$/, "")] ?? 0.5);
  const values = () => (columns && numbersOf(String(scope.get(field) ?? ""), columns)) ?? (columns?.labels ?? []).map(flat);
  const draw = (/** @type {number} */ at, /** @type {number} */ value) => {
    const cell = inputs[at].parentElement;
    inputs[at].value = String(value);
    cell?.style.setProperty("--height", `${Math.min(100, Math.max(0, value * 100))}%`);
    if (cell?.firstElementChild) cell.firstElementChild.textContent = short(value);
  };
  const write = (/** @type {number[]} */ all) => {
    scope.set(field, all.map((one) => Math.round(one * 1e4) / 1e4).join(","));
    pressed();
  };
  const change = (/** @type {number} */ at, /** @type {number} */ value) => {
    const all = values();
    if (all[at] === value && scope.get(field)) return;
    all[at] = value;
    draw(at, value);
    write(all);
  };
  const pressed = () => {
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (chip).dataset.value === String(scope.get(field) ?? "").trim().toUpperCase()));
  };

  // one drag over the row draws a curve; the row keeps the pointer, else the first slider would follow it alone
  const paint = (/** @type {PointerEvent} */ event) => {
    const box = row.getBoundingClientRect();
    const at = Math.min(inputs.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * inputs.length)));
    const track = inputs[at].getBoundingClientRect();
    change(at, rounded(1 - (event.clientY - track.top) / track.height));
  };
  row.addEventListener("mousedown", (event) => {
    event.preventDefault();
    /** @type {HTMLElement} */ (event.target).focus?.();
  });
  row.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !inputs.length) return;
    row.setPointerCapture(event.pointerId);
    paint(event);
  });
  row.addEventListener("pointermove", (event) => row.hasPointerCapture(event.pointerId) && paint(event));

  const drawColumns = () => {
    const { labels, depths: deep, ends: names, presets } = /** @type {Columns} */ (columns);
    board.style.setProperty("--columns", String(labels.length));
    inputs = labels.map((label, at) => {
      const input = el("input", { type: "range", min: 0, max: 1, step: STEP, "aria-label": `${field.label}: ${label}`, title: label });
      input.addEventListener("input", () => change(at, Number(input.value)));
      return input;
    });
    row.replaceChildren(...inputs.map((input) => el("label", { class: "f-bar" }, el("output", {}), input)));
    const deepest = Math.max(...deep);
    depths.replaceChildren(...labels.map((label, at) => {
      const mark = el("i", { class: deep[at] === deepest && label.startsWith("M") ? "middle" : "" }, label.replace(/^(IN|OUT)/, ""));
      mark.style.setProperty("--depth", String(deep[at]));
      return mark;
    }));
    ends.replaceChildren(...names.map((name) => el("span", {}, name)));
    const preset = (/** @type {string} */ name, /** @type {string} */ value) => el("button", { type: "button", "data-value": value, "aria-pressed": "false", onclick: () => { scope.set(field, value); show(); } }, name);
    chips.replaceChildren(preset(t("Same everywhere"), ""), ...Object.keys(presets).map((name) => preset(name, name)));
  };
  const told = (/** @type {string[]} */ names) => Object.fromEntries(names.map((name) => [name, scope.values[name] ?? ""]));
  const load = async () => {
    const asked = told(field.columns?.of ?? []);
    const key = JSON.stringify(asked);
    if (key === askedColumns) return;
    askedColumns = key;
    try {
      const data = Object.values(asked).every(Boolean) ? (await askOnce(scope.extension, field.columns?.action ?? "", asked)).data : null;
      if (key !== askedColumns) return; // other files were chosen meanwhile
      columns = data?.labels ? data : null;
      empty.hidden = columns !== null;
      board.hidden = chips.hidden = columns === null;
      if (columns) drawColumns();
      show();
    } catch (error) {
      askedColumns = "";
      scope.fail(field, /** @type {Error} */ (error));
    }
  };
  const heatKey = () => JSON.stringify(told(field.heat?.of ?? []));
  const compare = async () => {
    const asked = told(field.heat?.of ?? []);
    const key = heatKey();
    if (!columns || !Object.values(asked).every(Boolean)) return;
    look.disabled = true;
    look.textContent = t("Comparing …");
    try {
      const { data } = await askOnce(scope.extension, field.heat?.action ?? "", asked);
      if (key !== heatKey()) return; // other files were chosen meanwhile
      drawHeat(data ?? {});
      askedHeat = key;
    } catch (error) {
      scope.fail(field, /** @type {Error} */ (error));
    } finally {
      look.disabled = false;
      look.textContent = t("Show what differs");
      look.hidden = heatKey() === askedHeat;
    }
  };
  const drawHeat = (/** @type {Record<string, Record<string, number|null>>} */ table) => {
    const { labels } = /** @type {Columns} */ (columns);
    const kinds = [...new Set(Object.values(table).flatMap((one) => Object.keys(one)))].filter((kind) => labels.some((label) => table[label]?.[kind] != null) && kind !== "all");
    const largest = Math.max(1e-9, ...labels.flatMap((label) => kinds.map((kind) => table[label]?.[kind] ?? 0)));
    heat.replaceChildren(...kinds.flatMap((kind) => [el("span", { class: "f-kind" }, kind), ...labels.map((label) => {
      const value = table[label]?.[kind];
      const cell = el("i", { class: value == null ? "none" : "", title: value == null ? "" : `${label} ${kind}: ${value.toPrecision(3)}` });
      cell.style.setProperty("--heat", String((value ?? 0) / largest));
      return cell;
    })]));
    heat.setAttribute("role", "img");
    heat.setAttribute("aria-label", t("How much the files differ, by block and kind of layer"));
  };
  look.addEventListener("click", compare);

  const show = (/** @type {*} */ from = null) => {
    look.disabled = !columns || !Object.values(told(field.heat?.of ?? [])).every(Boolean);
    if (!applies(field, scope.values)) return;
    load();
    if (!columns || from === field) return;
    values().forEach((value, at) => draw(at, value));
    pressed();
    const key = heatKey();
    look.hidden = key === askedHeat && askedHeat !== "";
    if (key !== askedHeat) heat.replaceChildren();
  };
  show();
  return { node, show };
}
