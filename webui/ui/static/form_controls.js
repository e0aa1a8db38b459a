// The plain controls of a declared form: each is made for a field in a scope, and shows its value when told to.

import { el, segments, t, toggle } from "./kit.js";
import { slider, typing } from "./form_ranges.js";
import { files } from "./extension_actions.js";

/** @typedef {import("./declared_state.js").DrawnField} DrawnField */
/** @typedef {{node: HTMLElement, show: () => void}} Control what is drawn, and what makes it show the present value */
/** @typedef {import("./form_scope.js").Scope} Scope */

const NOTHING = "";

/** A name above a control. */
export function named(/** @type {DrawnField} */ field, /** @type {HTMLElement} */ control) {
  return el("label", { class: "f-field" }, el("span", { class: "f-name", "data-help": field.help }, field.label), control);
}

/** @type {Record<string, (field: DrawnField, scope: Scope) => Control>} */
export const CONTROLS = Object.freeze({ switch: onOff, segments: few, choice, slider: onTrack, number, text, lines, words, numbers, json });

function onOff(field, scope) {
  const node = toggle(field.label, Boolean(scope.get(field)), (isOn) => scope.set(field, isOn));
  node.querySelector("span").dataset.help = field.help ?? "";
  node.classList.add("f-switch");
  return { node, show: () => { node.checked = Boolean(scope.get(field)); } };
}

function few(field, scope) {
  const choices = (field.choices ?? []).map(([value, label], at) => ({ value: String(at), label: String(label) }));
  const at = () => String((field.choices ?? []).findIndex(([value]) => value === scope.get(field)));
  const group = segments(field.label, choices, at(), (chosen) => scope.set(field, field.choices[Number(chosen)][0]));
  const node = el("div", { class: "f-field" }, el("span", { class: "f-name", "data-help": field.help }, field.label), group);
  return { node, show: () => { group.value = at(); } };
}

function choice(field, scope) {
  const select = el("select", { id: scope.id(field) });
  /** @type {[*, string][]} */
  let known = [];
  const show = () => {
    const value = scope.get(field) ?? NOTHING;
    const narrowed = scope.narrowed(field);
    const all = [...(field.optional ? [[NOTHING, t("Not set")]] : []), ...(narrowed ?? [...(field.choices ?? []), ...known])];
    if (field.model && !narrowed && !field.needed && !all.some(([one]) => one === NOTHING || one === "None")) all.unshift([field.default ?? NOTHING, t("None")]);
    if (!all.some(([one]) => one === value)) all.unshift([value, value === NOTHING ? t("Choose") : String(value)]);
    const drawn = JSON.stringify(all);
    if (select.dataset.drawn !== drawn) {
      select.dataset.drawn = drawn;
      select.replaceChildren(...all.map(([, label], at) => el("option", { value: at }, String(label))));
    }
    select.value = String(all.findIndex(([one]) => one === value));
    select.onchange = () => {
      const chosen = all[Number(select.value)][0];
      scope.set(field, field.optional && chosen === NOTHING ? null : chosen);
    };
  };
  show();
  const load = () => files(field.model).then((there) => {
    known = there.filter((file) => file.usable).map((file) => [file.name, file.title]);
    show();
  }, (error) => scope.fail(field, error));
  if (field.model) {
    scope.state.whenUsed(load);
    scope.state.whenFilesChange(load);
  }
  return { node: named(field, select), show };
}

function onTrack(field, scope) {
  const made = slider({ low: 0, high: 1, ...field }, Number(scope.get(field) ?? 0), (value) => scope.set(field, value));
  made.node.querySelector("input[type=range]").id = scope.id(field);
  return { node: made.node, show: () => made.show(Number(scope.get(field) ?? 0)) };
}

function number(field, scope) {
  const box = el("input", { type: "number", id: scope.id(field), step: field.whole ? 1 : "any", min: field.low, max: field.high, placeholder: field.optional ? t("Not set") : undefined });
  /** @type {*} what the box says while somebody types in it: "0." is written as it is, and not as 0 */
  let said;
  const show = () => {
    const value = scope.get(field);
    if (document.activeElement === box && said !== undefined && value === said) return;
    box.value = value == null ? "" : String(value);
  };
  box.addEventListener("input", () => {
    said = box.value === "" ? (field.optional ? null : field.default) : field.whole ? Math.round(Number(box.value)) : Number(box.value);
    scope.set(field, said);
  });
  box.addEventListener("blur", () => { said = undefined; });
  show();
  return { node: named(field, box), show };
}

function text(field, scope) {
  const box = el("input", { type: "text", id: scope.id(field), placeholder: (field.choices ?? []).find(([value]) => value === "")?.[1], autocomplete: "off" });
  const show = () => { box.value = String(scope.get(field) ?? ""); };
  box.addEventListener("input", () => scope.set(field, box.value === "" && field.optional ? null : box.value));
  show();
  return { node: named(field, box), show };
}

function lines(field, scope) {
  const box = el("textarea", { id: scope.id(field), rows: 4, spellcheck: "false" });
  const show = () => { box.value = String(scope.get(field) ?? ""); };
  box.addEventListener("input", () => scope.set(field, box.value));
  show();
  return { node: named(field, box), show };
}

function parsed(field, scope, read, written) {
  const box = el("input", { type: "text", id: scope.id(field), autocomplete: "off" });
  const show = () => { if (!isTyping()) box.value = written(scope.get(field)); };
  const isTyping = typing(box, () => show());
  box.addEventListener("change", () => {
    const value = read(box.value);
    box.toggleAttribute("aria-invalid", value === undefined);
    if (value === undefined) scope.fail(field, new Error(t("{name}: this cannot be read.", { name: field.label })));
    else scope.set(field, value);
  });
  show();
  return { node: named(field, box), show };
}

const parts = (/** @type {string} */ value) => value.split(",").map((one) => one.trim()).filter(Boolean);

function words(field, scope) {
  return parsed(field, scope, parts, (value) => (value ?? []).join(", "));
}

function numbers(field, scope) {
  const read = (/** @type {string} */ value) => {
    const all = parts(value).map(Number);
    if (all.some((one) => !Number.isFinite(one))) return undefined;
    return all.length || !field.optional ? all : null;
  };
  return parsed(field, scope, read, (value) => (value ?? []).join(", "));
}

function json(field, scope) {
  const read = (/** @type {string} */ value) => {
    if (!value.trim()) return field.default ?? null;
    try {
      return JSON.parse(value);
    } catch {
      return undefined;
    }
  };
  return parsed(field, scope, read, (value) => (value == null ? "" : JSON.stringify(value)));
}
