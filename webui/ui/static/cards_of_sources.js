// Cards: model files to be chosen, with their picture and facts, and choices that need a diagram and a sentence.

import { el, openDialog, t } from "./kit.js";
import { blankPicture } from "./blank_picture.js";
import { applies, line } from "./declared_state.js";
import { files } from "./extension_actions.js";

/** @typedef {import("./declared_state.js").DrawnField} DrawnField */
/** @typedef {import("./form_scope.js").Scope} Scope */

const SVG = "http://www.w3.org/2000/svg";
const BOX = "0 0 48 30";

/** Facts of a file in one line. */
export function facts(/** @type {*} */ file) {
  return [file.family, file.size, file.numbers].filter(Boolean).join(" · ");
}

/** The picture of a file; what stands for it where there is none. */
export function pictureOfFile(/** @type {*} */ file) {
  const blank = () => (file ? blankPicture(file.stem ?? file.name, file.family ?? "", "no-picture") : el("span", { class: "no-picture" }));
  if (!file?.thumb) return blank();
  const image = el("img", { src: file.thumb, alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(blank()));
  return image;
}

/** A file as a card that opens the list of files. */
export function source(/** @type {DrawnField} */ field, /** @type {Scope} */ scope) {
  const node = el("button", { type: "button", class: "f-source", id: scope.id(field), "aria-haspopup": "dialog" });
  /** @type {*[]} */
  let there = [];
  let isRead = false; // whether `there` is known yet
  let list = /** @type {{draw: () => void, close: () => void}|null} */ (null); // the list of files, while it is open
  const fileNamed = (/** @type {*} */ name) => there.find((file) => file.name === name || file.title === name);
  const other = () => (field.fits ? fileNamed(scope.values[field.fits]) : null);
  const isFitting = (/** @type {*} */ file) => !other() || !file || !other().family || !file.family || file.family === other().family;

  const show = () => {
    const file = fileNamed(scope.get(field));
    const isIdle = !applies(field, scope.values);
    const isWrong = !isIdle && !isFitting(file);
    const small = isIdle ? t("not used by this method") : isWrong ? t("{family}, and {name} is {other}: they do not mix", { family: file.family, name: scope.field(field.fits)?.label ?? field.fits, other: other().family }) : file ? facts(file) : t("Choose a file");
    node.classList.toggle("idle", isIdle);
    node.classList.toggle("bad", isWrong);
    node.replaceChildren(pictureOfFile(file), el("span", { class: "f-said" }, el("i", { class: "f-letter" }, field.label), el("b", {}, file ? file.stem : String(scope.get(field) || t("None"))), el("small", {}, small)));
    scope.state.mark(scope.id(field), isWrong ? t("{name}: {reason}", { name: field.label, reason: small }) : !isIdle && (field.needed || Object.keys(field.when ?? {}).length) && !scope.get(field) ? t("Choose {name}.", { name: field.label }) : "");
  };
  const groupsNow = () => {
    if (!isRead) return null;
    const own = other()?.family;
    const usable = there.filter((file) => file.usable);
    const groups = new Map();
    for (const file of usable) {
      const fits = isFitting(file);
      const heading = fits || !own ? file.family || t("Other files") : t("{family}: does not fit {name}", { family: file.family, name: scope.field(field.fits)?.label ?? "" });
      groups.set(heading, [...(groups.get(heading) ?? []), file]);
    }
    return [...groups];
  };
  node.addEventListener("click", () => {
    list = pickFile(field.label, groupsNow, (file) => {
      scope.values[field.name] = file.name;
      show(); // it says first whether the form can be used now
      scope.state.changed(field);
    }, () => { list = null; }); // prettier-ignore
  });
  const load = () => files(field.model).then((found) => {
    there = found;
    isRead = true;
    list?.draw();
    show();
    scope.state.changed(field);
  }, (error) => {
    list?.close();
    scope.fail(field, error);
  });
  scope.state.whenUsed(load);
  scope.state.whenFilesChange(load);
  show();
  return { node, show };
}

/**
 * A list of files in groups, with a search over it. It opens at once; `draw` of what is returned shows other files.
 * @param {string} title
 * @param {() => [string, *[]][]|null} groupsNow null: they are still being read
 * @param {(file: *) => void} chosen
 * @param {() => void} closed
 * @returns {{draw: () => void, close: () => void}}
 */
function pickFile(title, groupsNow, chosen, closed) {
  const search = el("input", { type: "search", placeholder: t("Search"), "aria-label": t("Search") });
  const rows = el("div", { class: "f-rows" });
  const draw = () => {
    const groups = groupsNow();
    if (!groups) return rows.replaceChildren(el("p", { role: "status" }, t("Reading …")));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const drawn = groups.flatMap(([heading, all]) => {
      const fit = all.filter((file) => words.every((word) => file.name.toLowerCase().includes(word)));
      const buttons = fit.map((file) => el("button", { type: "button", class: "f-row", onclick: () => { dialog.close(); chosen(file); } }, pictureOfFile(file), el("b", {}, file.stem), el("small", {}, facts(file))));
      return buttons.length ? [el("div", { role: "group", "aria-label": heading }, el("h3", {}, heading), ...buttons)] : [];
    });
    rows.replaceChildren(...(drawn.length ? drawn : [el("p", {}, t("Nothing fits."))]));
  };
  const dialog = openDialog({ title, className: "f-pick", closed }, search, rows);
  search.addEventListener("input", draw);
  dialog.addEventListener("keydown", (event) => {
    const all = [.../** @type {NodeListOf<HTMLElement>} */ (rows.querySelectorAll(".f-row"))];
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "ArrowDown") (all[at + 1] ?? all[0])?.focus();
    else if (event.key === "ArrowUp") (all[at - 1] ?? search).focus();
    else if (event.key === "Enter" && at < 0) all[0]?.click();
    else return;
    event.preventDefault();
  });
  draw();
  search.focus();
  return { draw, close: () => dialog.close() };
}

/** Choices with a diagram and a sentence. */
export function cards(/** @type {DrawnField} */ field, /** @type {Scope} */ scope) {
  const all = field.cards ?? [];
  const buttons = all.map((card) =>
    el("button", { type: "button", role: "radio", class: "f-card", onclick: () => choose(card.value) }, diagram(card.diagram), el("b", {}, card.title), el("small", {}, card.text)),
  );
  const group = el("div", { class: "f-cards", role: "radiogroup", "aria-label": field.label }, ...buttons);
  const show = () => {
    buttons.forEach((button, at) => {
      const isChosen = all[at].value === scope.get(field);
      button.setAttribute("aria-checked", String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    });
    if (!buttons.some((button) => button.tabIndex === 0)) buttons[0].tabIndex = 0;
  };
  const choose = (/** @type {*} */ value) => {
    scope.set(field, value);
    show();
  };
  group.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(/** @type {HTMLElement} */ (event.target));
    if (by === undefined || at < 0) return;
    event.preventDefault();
    const next = (at + by + buttons.length) % buttons.length;
    choose(all[next].value);
    buttons[next].focus();
  });
  show();
  return { node: el("div", { class: "f-field" }, el("h2", { class: "f-head", "data-help": field.help }, field.label), group), show };
}

/** What the chosen card computes, with the numbers of the form; "" where no card says it. */
export function formula(/** @type {Scope} */ scope) {
  for (const field of scope.fields) {
    const card = (field.cards ?? []).find((one) => one.value === scope.get(field));
    if (card?.formula) return line(card.formula, scope.fields, scope.values);
  }
  return "";
}

/** A drawing of `lines|points|result`. The text was checked when the extension was loaded. */
function diagram(/** @type {string|undefined} */ text) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", BOX);
  drawing.setAttribute("aria-hidden", "true");
  if (!text) return drawing;
  const [lines = "", points = "", result = ""] = text.split("|");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", lines);
  drawing.append(path);
  const dot = (/** @type {string} */ place, /** @type {string} */ name, /** @type {number} */ radius) => {
    const [x, y] = place.trim().split(" ");
    const circle = document.createElementNS(SVG, "circle");
    for (const [key, value] of Object.entries({ class: name, cx: x, cy: y, r: radius })) circle.setAttribute(key, String(value));
    drawing.append(circle);
  };
  for (const place of points.split(",").filter(Boolean)) dot(place, "point", 2.4);
  if (result) dot(result, "result", 3.6);
  return drawing;
}
