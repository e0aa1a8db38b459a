// One axis of an X/Y/Z plot, as a card: what varies, from where to where, how many values, and each of them.
import { Unreadable, spanText, textsOf } from "./axis_grammar.js";
import { LETTERS, WIDE, grammarOf, textsIn, valuesIn, without } from "./experiment_plan.js";
import { range } from "./form_ranges.js";
import { el, icon, iconButton } from "./kit.js";
import { t } from "./language.js";
import { openPick } from "./pick_list.js";

/** @typedef {import("./experiment_plan.js").Axis} Axis */
/** @typedef {import("./experiment_plan.js").AxisKind} AxisKind */

const MOST_BY_BUTTON = 20; // values; more can be typed
const CHIPS = 24; // of the values; the rest are counted

/** What is said of an axis beside its name. @param {AxisKind} about */
export function hintOf(about) {
  if (about.load) return t("loads a model");
  if (about.id === "prompt_sr") return t("search, then replace");
  if (about.id === "steps") return t("changes the time");
  if (about.kind !== "number" || about.low === undefined || about.low === null || !(about.high - about.low <= WIDE)) return "";
  return t("{low} to {high}", { low: about.low, high: about.high });
}

/** The axes that there are, in groups. @param {AxisKind[]} axes */
export function groupsOf(axes) {
  const groups = new Map();
  for (const one of axes) {
    if (!groups.has(one.group)) groups.set(one.group, []);
    groups.get(one.group).push({ value: one.id, label: t(one.label), hint: hintOf(one) });
  }
  return [...groups].map(([title, entries]) => ({ title: t(title), entries }));
}

/**
 * @param {Axis} axis
 * @param {number} at its place: 0 is X
 * @param {AxisKind|null} about null where this program has no such axis
 * @param {{csv: boolean, kinds: () => AxisKind[], change: (next: Axis) => void, replace: (id: string) => void,
 *   swap: () => void, remove: () => void}} does `change` leaves the card as it is; the others draw all anew
 * @returns {{node: HTMLElement, show: (next: Axis, fault: string|null) => void}}
 */
export function axisCard(axis, at, about, does) {
  const letter = LETTERS[at];
  const label = about ? t(about.label) : axis.id;
  const name = el("button", { type: "button", class: "e-name", "aria-haspopup": "dialog", "aria-label": t("{letter}: {name}. Choose what varies", { letter, name: label }) }, el("span", {}, label), icon("chevron"));
  name.addEventListener("click", () => openPick(name, t("What varies"), groupsOf(does.kinds()), does.replace));
  const fault = el("p", { class: "e-fault", role: "alert", hidden: true });
  const body = about ? bodyOf(() => axis, about, does) : { node: el("div", {}), show: () => {} };
  const node = el(
    "section", { id: `experiment_axes_${at}`, class: "e-axis", "aria-label": t("Axis {letter}", { letter }) },
    el("header", {},
      el("i", { class: "e-letter", "aria-hidden": "true" }, letter), name, el("small", {}, about ? hintOf(about) : ""),
      at > 0 && iconButton("up", t("Make it {letter}", { letter: LETTERS[at - 1] }), { onclick: does.swap }),
      iconButton("close", t("Remove axis {letter}", { letter }), { onclick: does.remove })),
    body.node, fault,
  ); // prettier-ignore
  const show = (next, said) => {
    axis = next;
    fault.textContent = said ?? "";
    fault.hidden = !said;
    body.show();
  };
  show(axis, null);
  return { node, show };
}

// The values as far as they can be read.
function read(axis, about) {
  try {
    return valuesIn(axis, about);
  } catch (error) {
    if (error instanceof Unreadable) return [];
    throw error;
  }
}

function bodyOf(axis, about, does) {
  const parts = [];
  if (about.kind === "number") parts.push(numbers(axis, about, does));
  else if (about.kind === "choice" && does.csv) parts.push(textLine(axis, about, does));
  parts.push(chips(axis, about, does));
  return { node: el("div", { class: "e-body" }, ...parts.map((part) => part.node)), show: () => parts.forEach((part) => part.show()) };
}

function textLine(axis, about, does) {
  const box = el("input", { type: "text", class: "e-text", spellcheck: "false", autocomplete: "off", "aria-label": t("Values of {name} as text", { name: t(about.label) }) });
  const written = () => (typeof axis().values === "string" ? axis().values : axis().values.map((one) => (/[",]/.test(one) ? `"${one.replaceAll('"', '""')}"` : one)).join(", "));
  box.addEventListener("input", () => does.change({ ...axis(), values: about.kind === "number" ? box.value : textsOf(box.value) }));
  const show = () => { if (document.activeElement !== box) box.value = written(); };
  return { node: box, show, write: (text) => { box.value = text; } };
}

function numbers(axis, about, does) {
  const label = t(about.label);
  const line = textLine(axis, about, does);
  const isWhole = grammarOf(about) === "int";
  const step = about.step ?? (isWhole ? 1 : 0.05);
  const put = (from, to, count) => {
    const most = isWhole ? Math.max(1, Math.abs(to - from) + 1) : MOST_BY_BUTTON;
    const text = spanText(from, to, Math.min(count, Math.max(1, most)));
    line.write(text);
    does.change({ ...axis(), values: text });
  };
  const ends = () => {
    const all = read(axis(), about).map(Number);
    return all.length ? { from: Math.min(...all), to: Math.max(...all), count: all.length } : null;
  };
  const low = about.low ?? 0;
  const spread = about.high ?? Infinity;
  const track = spread - low <= WIDE ? range({ label, low, high: spread, step }, [low, spread], (from, to) => put(from, to, Math.max(2, ends()?.count ?? 3))) : null;
  const counted = el("b", {});
  const by = (more) => () => {
    const now = ends();
    if (!now) return;
    const to = now.from === now.to && more > 0 ? Math.min(now.from + step * 2, about.high ?? Infinity) : now.to;
    put(now.from, to, Math.max(1, Math.min(MOST_BY_BUTTON, now.count + more)));
  };
  const count = el("span", { class: "e-count", role: "group", "aria-label": t("How many values of {name}", { name: label }) },
    iconButton("minus", t("Fewer values"), { onclick: by(-1) }), counted, iconButton("plus", t("More values"), { onclick: by(1) })); // prettier-ignore
  const show = () => {
    line.show();
    const now = ends();
    counted.textContent = now ? String(now.count) : "–";
    if (now && track) track.show([Math.max(low, now.from), Math.min(spread, now.to)]);
  };
  return { node: el("div", { class: "e-numbers" }, track?.node, el("div", { class: "e-line" }, line.node, count)), show };
}

function chips(axis, about, does) {
  const label = t(about.label);
  const list = el("div", { class: "e-chips", role: "list", "aria-label": t("Values of {name}", { name: label }) });
  const node = el("div", { class: "e-values" }, list);
  const isText = about.kind === "text";
  const add = (values) => {
    does.change({ ...axis(), values: [...textsIn(axis()), ...values] });
  };
  if (about.kind === "choice") {
    const more = el("button", { type: "button", class: "e-add", "aria-haspopup": "dialog", "aria-label": t("Add a value of {name}", { name: label }) }, icon("plus"));
    more.addEventListener("click", () => {
      const left = (about.choices ?? []).filter((one) => !textsIn(axis()).includes(one));
      openPick(more, t("Add a value"), [{ title: "", entries: left.map((one) => ({ value: one, label: one })) }], (one) => add([one]));
    });
    node.append(more);
  } else if (isText) {
    const box = el("input", { type: "text", class: "e-more", placeholder: t("add"), autocomplete: "off", "aria-label": t("Add a text to {name}", { name: label }) });
    const take = () => {
      const texts = textsOf(box.value).filter(Boolean);
      box.value = "";
      if (texts.length) add(texts);
    };
    box.addEventListener("keydown", (event) => {
      const isQuoted = (box.value.match(/"/g)?.length ?? 0) % 2 === 1;
      if (event.key === "Enter" || (event.key === "," && !isQuoted)) {
        event.preventDefault();
        take();
      } else if (event.key === "Backspace" && !box.value && textsIn(axis()).length) does.change(without(axis(), about, textsIn(axis()).length - 1));
    });
    box.addEventListener("blur", take);
    node.append(box);
  }
  const show = () => {
    const shown = isText || about.kind === "choice" ? textsIn(axis()) : read(axis(), about);
    list.replaceChildren(...shown.slice(0, CHIPS).map((value, at) => el(
      "span", { class: isText && at === 0 && about.id === "prompt_sr" ? "e-chip first" : "e-chip", role: "listitem", title: value },
      el("span", {}, value),
      el("button", { type: "button", class: "chip-away", "aria-label": t("Remove {name}", { name: value }), onclick: (event) => {
        const hadFocus = list.contains(document.activeElement);
        does.change(without(axis(), about, at));
        if (hadFocus && event.detail === 0) (list.children[Math.min(at, list.children.length - 1)]?.querySelector("button") ?? node.querySelector("button, input"))?.focus();
      } }, icon("close")),
    )), ...(shown.length > CHIPS ? [el("span", { class: "e-rest", role: "listitem" }, t("and {n} more", { n: shown.length - CHIPS }))] : [])); // prettier-ignore
  };
  return { node, show };
}
