// Draws the controls of a model of options: pictures first, then a chooser, then the rest; what is rare under "More".

import { el, t } from "./kit.js";
import { applies, first, OWN } from "./declared_state.js";
import { Scope } from "./form_scope.js";
import { CONTROLS } from "./form_controls.js";
import { range } from "./form_ranges.js";
import { picture, pictures } from "./form_pictures.js";
import { chooser, describedSliders } from "./form_chooser.js";
import { cards, source } from "./cards_of_sources.js";
import { bars } from "./bars.js";
import { units } from "./form_units.js";

/**
 * @typedef {import("./declared_state.js").DrawnField} DrawnField
 * @typedef {{node: HTMLElement, show: (from?: *) => void, side?: HTMLElement}} Body
 */

const LARGE = new Set(["model", "cards", "bars"]); // what needs width, in a form that has it
const NOT_DRAWN = new Set(["hidden", "master"]);

/** A control for a field of any kind. */
function controlOf(/** @type {DrawnField} */ field, /** @type {Scope} */ scope) {
  const inner = (/** @type {(string|number)[]} */ place, /** @type {DrawnField[]} */ fields, /** @type {*} */ hints) =>
    bodyOf(new Scope(scope.state, place, fields, { ...scope.about, hints }));
  switch (field.control) {
    case "picture":
      return picture(field, scope);
    case "pictures":
      return pictures(field, scope);
    case "units":
      return units(field, scope, inner);
    case "part":
      return part(field, scope, inner);
    case "chips":
      return CONTROLS.segments(field, scope);
    case "cards":
      return scope.about.isWide ? cards(field, scope) : CONTROLS.choice(field, scope);
    case "bars":
      return scope.about.isWide ? bars(field, scope) : CONTROLS.text(field, scope);
    case "model":
      return scope.about.isWide ? source(field, scope) : CONTROLS.choice(field, scope);
    default:
      return (CONTROLS[field.control] ?? CONTROLS.json)(field, scope);
  }
}

function part(/** @type {DrawnField} */ field, /** @type {Scope} */ scope, /** @type {*} */ inner) {
  if (!scope.get(field)) scope.values[field.name] = first(field);
  const [head, ...rest] = field.fields ?? [];
  // a part that is switched on and off needs no heading beside its switch
  const isSwitched = head?.name === "enabled" && head.control === "switch";
  const body = inner([...scope.place, field.name], isSwitched ? [{ ...head, label: field.label, help: field.help }, ...rest] : field.fields ?? [], field.form ?? {});
  return { node: el("fieldset", isSwitched ? { class: "f-part switched", "aria-label": field.label } : { class: "f-part" }, isSwitched ? null : el("legend", {}, field.label), body.node), show: body.show };
}

/** Two numbers of one range as one control. */
function rangeOf(/** @type {DrawnField} */ from, /** @type {DrawnField} */ to, /** @type {Scope} */ scope) {
  const values = () => /** @type {[number, number]} */ ([from, to].map((field) => Number(scope.get(field) ?? field.default)));
  const made = range({ low: 0, high: 1, ...from }, values(), (low, high, which) => scope.put({ [from.name]: low, [to.name]: high }, which ? to : from));
  made.node.querySelectorAll("input").forEach((input, at) => { input.id = scope.id([from, to][at]); });
  return { node: made.node, show: () => made.show(values()) };
}

/** The controls of a scope. */
export function bodyOf(/** @type {Scope} */ scope) {
  const { hints, isWide } = scope.about;
  const described = new Set(hints.sliders?.fields ?? []);
  /** @type {{field: DrawnField|null, also: DrawnField|null, control: {node: HTMLElement, show: (from?: *) => void}, holder: HTMLElement}[]} */
  const drawn = [];
  const places = { main: [], more: [], large: [] };
  const put = (/** @type {DrawnField|null} */ field, /** @type {*} */ control, /** @type {DrawnField|null} */ also = null) => {
    const holder = el("div", { class: "f-holder", "data-field": field ? [...scope.place, field.name].join(".") : undefined }, control.node);
    if (field?.pair) holder.dataset.pair = field.pair;
    drawn.push({ field, also, control, holder });
    places[isWide && field && LARGE.has(field.control) ? "large" : field?.level === "more" ? "more" : "main"].push(holder);
  };
  const isPicture = (/** @type {DrawnField} */ field) => field.control === "picture" && field.level !== "more";
  for (const field of scope.fields.filter(isPicture)) put(field, controlOf(field, scope));
  if (hints.chooser) put(null, chooser(scope));
  let isDescribed = false;
  for (const field of scope.fields) {
    if (NOT_DRAWN.has(field.control) || isPicture(field)) continue;
    if (described.has(field.name)) {
      if (!isDescribed) put({ ...field, when: {}, name: `${OWN}sliders` }, describedSliders(scope));
      isDescribed = true;
      continue;
    }
    const pair = field.range ? scope.fields.filter((one) => one.range === field.range) : [];
    if (pair.length === 2) {
      if (pair[0] === field) put(field, rangeOf(field, pair[1], scope), pair[1]);
      continue;
    }
    put(field, controlOf(field, scope));
  }
  const more = places.more.length ? el("details", { class: "f-rest" }, el("summary", {}, t("More")), ...paired(places.more)) : null;
  const node = el("div", { class: "f-body" }, ...paired(places.main), more);
  const large = el("div", { class: "f-body f-large" }, ...paired(sources(places.large)));
  const show = (/** @type {*} */ from = null) => {
    for (const one of drawn) {
      const isSource = isWide && one.field?.control === "model";
      one.holder.hidden = one.field !== null && !isSource && !applies(one.field, scope.values);
      // a control that is being used shows its value already; writing it again would move the caret
      if (from === null || (one.field !== from && one.also !== from)) one.control.show(from);
    }
    if (more) more.hidden = places.more.every((holder) => holder.hidden);
  };
  show(null);
  return { node: isWide ? large : node, side: isWide ? node : undefined, show };
}

/** Cards of files stand in one row. */
function sources(/** @type {HTMLElement[]} */ holders) {
  const files = holders.filter((holder) => holder.firstElementChild?.classList.contains("f-source"));
  if (!files.length) return holders;
  return [el("div", { class: "f-sources" }, ...files), ...holders.filter((holder) => !files.includes(holder))];
}

/** Neighbours that belong together stand side by side. */
function paired(/** @type {HTMLElement[]} */ holders) {
  /** @type {HTMLElement[]} */
  const rows = [];
  for (const holder of holders) {
    const last = rows.at(-1);
    if (holder.dataset.pair && last?.dataset.pair === holder.dataset.pair) {
      if (last.classList.contains("f-pair")) last.append(holder);
      else rows[rows.length - 1] = el("div", { class: "f-pair", "data-pair": holder.dataset.pair }, last, holder);
    } else rows.push(holder);
  }
  return rows;
}

