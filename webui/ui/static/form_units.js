// A list of models, one at a time: a chip for each, one to add another, and the controls of the chosen one.

import { el, iconButton, t, toggle } from "./kit.js";
import { CHOICE, firstOf, line } from "./declared_state.js";

/** @typedef {import("./declared_state.js").DrawnField} DrawnField */
/** @typedef {import("./form_scope.js").Scope} Scope */

/**
 * @param {DrawnField} field
 * @param {Scope} scope
 * @param {(place: (string|number)[], fields: DrawnField[], hints: *) => {node: HTMLElement, show: (from?: *) => void}} bodyOf
 */
export function units(field, scope, bodyOf) {
  const master = (field.fields ?? []).find((one) => one.control === "master");
  const row = el("div", { class: "f-units", role: "group", "aria-label": field.label });
  const holder = el("div", { class: "f-unit" });
  const node = el("div", { class: "f-field" }, row, holder);
  let at = 0;
  let drawn = "";
  /** @type {{node: HTMLElement, show: (from?: *) => void}|null} */
  let body = null;

  const all = () => scope.get(field) ?? [];
  const fresh = () => ({ ...firstOf(field.fields ?? []), ...(master ? { [master.name]: true } : {}) });
  const isOn = (/** @type {*} */ unit) => !master || unit[master.name] !== false;
  const use = (/** @type {*[]} */ next, /** @type {number} */ chosen) => {
    at = Math.max(0, Math.min(chosen, next.length - 1));
    drawn = "";
    scope.set(field, next);
    show(null);
  };
  const choose = (/** @type {number} */ other) => {
    at = other;
    drawn = "";
    show(null);
    /** @type {HTMLElement|null} */ (row.querySelector("[aria-pressed=true]"))?.focus();
  };
  const drawChips = () => {
    const list = all();
    const chips = list.map((unit, number) =>
      el("button", { type: "button", class: `f-unitchip${isOn(unit) ? "" : " off"}`, "aria-pressed": String(number === at), "data-place": `${field.name}.${number}`, onclick: () => choose(number) }, el("b", {}, String(number + 1)), ` ${field.form?.chooser && !unit[CHOICE] ? t("new") : line(field.chip ?? "", field.fields ?? [], unit) || t("new")}`),
    );
    const isFull = list.length >= (field.most ?? 10);
    const add = iconButton("plus", t("Another unit"), { onclick: () => use([...list, fresh()], list.length), disabled: isFull });
    const remove = list.length > 1 ? iconButton("close", t("Remove unit {n}", { n: at + 1 }), { onclick: () => use(list.filter((_, other) => other !== at), at) }) : null;
    row.replaceChildren(...chips, add, el("span", { class: "f-grow" }), ...(remove ? [remove] : []));
  };
  const drawUnit = () => {
    const list = all();
    const key = `${list.length} ${at}`;
    if (key === drawn && body) return;
    drawn = key;
    body = bodyOf([...scope.place, field.name, at], field.fields ?? [], field.form ?? {});
    // with one unit the switch of the whole form is its switch
    const own = master && list.length > 1 ? toggle(t("Use unit {n}", { n: at + 1 }), isOn(list[at]), (on) => { list[at][master.name] = on; scope.state.changed(master); }) : null;
    own?.classList.add("f-switch");
    holder.replaceChildren(...[own, body.node].filter((one) => one !== null));
  };
  const show = (/** @type {*} */ from = null) => {
    if (!all().length) scope.values[field.name] = [fresh()];
    at = Math.min(at, all().length - 1);
    if (all().length === 1 && master) all()[0][master.name] = true;
    drawUnit();
    if (!row.contains(document.activeElement) || from === null) drawChips();
    body?.show(from);
  };
  show(null);
  return { node, show };
}
