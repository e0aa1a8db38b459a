// A choice that is no option and narrows the choices of others, and numbers whose range follows from another field.

import { el, t } from "./kit.js";
import { applies, CHOICE } from "./declared_state.js";
import { slider } from "./form_ranges.js";
import { checkpoint } from "./extension_actions.js";

/** @typedef {import("./form_scope.js").Scope} Scope */

const USUAL = -1; // what stands in a number that is as usual

/** Chips of the choices; the first ones, and a button for the rest. */
export function chooser(/** @type {Scope} */ scope) {
  const about = scope.about.hints.chooser;
  const chips = el("div", { class: "f-chips", role: "radiogroup", "aria-label": about.label });
  let isWide = false;
  let asked = "";

  const ordered = () => {
    const names = Object.keys(scope.choiceLists ?? {});
    const before = (about.order ?? []).filter((/** @type {string} */ name) => names.includes(name));
    return [...before, ...names.filter((name) => !before.includes(name))];
  };
  const choose = (/** @type {string} */ name) => {
    const told = scope.choiceLists?.[name] ?? {};
    const sets = Object.entries(about.sets ?? {}).map(([field, key]) => [field, told[/** @type {string} */ (key)]]);
    scope.put({ ...usualNumbers(scope), [CHOICE]: name, ...Object.fromEntries(sets.filter(([, value]) => value !== undefined)) });
  };
  const draw = () => {
    const names = ordered();
    const first = about.first ?? 9;
    const shown = isWide || names.indexOf(scope.choice) >= first ? names : names.slice(0, first);
    const buttons = shown.map((name, at) => {
      const isChosen = name === scope.choice;
      const isReached = isChosen || (at === 0 && !shown.includes(scope.choice));
      return el("button", { type: "button", role: "radio", class: "f-chip", "aria-checked": String(isChosen), tabindex: isReached ? 0 : -1, onclick: () => choose(name) }, name);
    });
    const more = names.length > shown.length || isWide ? el("button", { type: "button", class: "f-more", "aria-expanded": String(isWide), onclick: () => { isWide = !isWide; draw(); } }, isWide ? t("Fewer") : t("{n} more", { n: names.length - shown.length })) : null;
    chips.replaceChildren(...buttons);
    rest.replaceChildren(...(more ? [more] : []));
  };
  chips.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const all = [...chips.children];
    const at = all.indexOf(/** @type {HTMLElement} */ (event.target));
    if (by === undefined || at < 0) return;
    event.preventDefault();
    const name = all[(at + by + all.length) % all.length].textContent ?? "";
    choose(name);
    /** @type {HTMLElement|undefined} */ ([...chips.children].find((one) => one.textContent === name))?.focus();
  });
  const rest = el("span", {});
  const node = el("div", { class: "f-field f-chooser" }, chips, rest);

  const load = async () => {
    const now = checkpoint();
    if (asked === now && scope.choiceLists) return;
    asked = now;
    try {
      scope.choiceLists = (await scope.list(about.action))[about.at] ?? {};
      if (!scope.choice) {
        const guessed = guess(scope);
        if (guessed) scope.values[CHOICE] = guessed;
      }
      scope.state.changed(null);
    } catch (error) {
      asked = "";
      scope.about.failed(/** @type {Error} */ (error).message);
    }
  };
  scope.state.whenUsed(load);
  return { node, show: draw };
}

/** The choice that the values came from, where they say it: the first whose lists hold what was chosen. */
function guess(/** @type {Scope} */ scope) {
  const about = scope.about.hints.chooser;
  const chosen = Object.entries(about.narrows ?? {}).filter(([name]) => scope.values[name] !== (scope.field(name)?.default ?? null));
  if (!chosen.length) return "";
  const fits = (/** @type {*} */ told) => chosen.every(([name, key]) => told[/** @type {string} */ (key)]?.includes(scope.values[name]));
  const found = Object.entries(scope.choiceLists ?? {}).filter(([, told]) => fits(told));
  // the shortest lists say most: one that lists everything says nothing
  found.sort(([, one], [, other]) => JSON.stringify(one).length - JSON.stringify(other).length);
  return found[0]?.[0] ?? "";
}

/** Numbers whose names and ranges an action knows for what is chosen in another field. */
export function describedSliders(/** @type {Scope} */ scope) {
  const about = scope.about.hints.sliders;
  const node = el("div", { class: "f-described" });
  /** @type {Record<string, *>} */
  let described = {};
  /** @type {Map<string, {node: HTMLElement, show: (value: number) => void, field: *}>} */
  let made = new Map();
  let drawnFor = null;

  const shown = (/** @type {*} */ field) => {
    const value = scope.values[field.name] ?? USUAL;
    return value < field.low || value > field.high ? field.usual : value;
  };
  const draw = (/** @type {*} */ told) => {
    made = new Map();
    for (const [at, name] of (told?.slider_fields ?? []).entries()) {
      const one = told.sliders[at];
      const field = { name, label: one.name, low: one.min, high: one.max, step: one.step, usual: one.value };
      const drawn = slider(field, shown(field), (next) => scope.put({ [name]: next === one.value ? USUAL : next }, node));
      made.set(name, { ...drawn, field });
    }
    node.replaceChildren(...[...made.values()].map((one) => one.node));
  };
  const show = (/** @type {*} */ from = null) => {
    const told = described[String(scope.values[about.of] ?? "")] ?? null;
    if (told !== drawnFor) {
      drawnFor = told;
      draw(told);
    }
    for (const [name, one] of made) {
      const field = scope.field(name);
      one.node.hidden = Boolean(field) && !applies(/** @type {*} */ (field), scope.values);
      if (from !== node) one.show(shown(one.field));
    }
  };
  scope.state.whenUsed(() => scope.list(about.action).then((data) => {
    described = data[about.at] ?? {};
    show();
  }, (error) => scope.about.failed(error.message)));
  return { node, show };
}

/** The numbers of such sliders as usual: another choice gives them another meaning. */
export function usualNumbers(/** @type {Scope} */ scope) {
  const about = scope.about.hints.sliders;
  return about ? Object.fromEntries(about.fields.map((/** @type {string} */ name) => [name, USUAL])) : {};
}
