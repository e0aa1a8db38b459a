// One picture of the Library, large: what it tells, stars, tags, notes, what it was made from, and where it may go.
import { hear, say } from "./bus.js";
import { el, icon, iconButton, openDialog, t } from "./kit.js";
import { openMadeAgain } from "./library_compare.js";
import { addressOf, altOf, ask, dateOf, sizeOf } from "./library_data.js";
import { plotOf } from "./sheet_data.js";
import { copyButton, parameterTable, sendButtons } from "./library_parameters.js";

const LATER = 600; // milliseconds after the last key until notes are kept

/**
 * @typedef {{step: (by: number, from: number) => Promise<number|null>, rated: (numbers: number[], stars: number) => Promise<void>,
 *   remove: (numbers: number[]) => Promise<void>, changed: () => void, fault: (error: Error) => void,
 *   canReveal: boolean, search: (text: string) => void}} Does
 */

/** Open the dialog. @param {number} number of a picture @param {Does} does */
export function openPicture(number, does) {
  const image = el("img", { alt: "" });
  const previous = iconButton("previous", t("Picture before"), { onclick: () => inTurn(() => step(-1)) });
  const next = iconButton("next", t("Next picture"), { onclick: () => inTurn(() => step(1)) });
  const stage = el("div", { class: "picture-stage" }, image, previous, next);
  const side = el("div", { class: "picture-side" });
  const status = el("p", { class: "picture-status", role: "status" });
  let shown = null;
  let asked = number; // the picture that is shown, or would be if it could be fetched
  let line = Promise.resolve(); // keys that come while a picture is fetched wait for it
  const inTurn = (act) => { line = line.then(act).catch(does.fault); };
  let stop = () => {};
  const dialog = openDialog({ title: t("Picture"), className: "picture-dialog", closed: () => { stop(); leave(); } }, stage, el("div", { class: "picture-column" }, side, status));

  const show = async (wanted) => {
    leave();
    asked = wanted;
    try {
      shown = await ask("GET", `pictures/${wanted}`);
    } catch (error) {
      status.textContent = error.message;
      return;
    }
    stop();
    status.textContent = "";
    Object.assign(image, { src: addressOf(shown.picture.url), alt: altOf(shown.picture) });
    dialog.querySelector("h2").textContent = shown.picture.name;
    draw();
  };
  const step = async (by) => {
    const wanted = await does.step(by, asked);
    if (wanted !== null) await show(wanted);
  };
  const rate = async (stars) => {
    const mine = shown;
    await does.rated([mine.picture.number], stars);
    mine.picture.rating = stars;
    if (mine !== shown) return; // another picture came meanwhile
    const [before, now] = [side.querySelector(".stars"), starButtons(stars, rate)];
    const focused = [...before.children].indexOf(document.activeElement);
    before.replaceWith(now);
    now.children[focused]?.focus({ preventScroll: true });
  };
  let leave = () => {};

  const draw = () => {
    const mine = shown; // notes are kept after another picture is shown, too
    const { picture, told } = mine;
    const table = parameterTable(told);
    const facts = [`${picture.width} × ${picture.height}`, sizeOf(picture.bytes), picture.kind, dateOf(picture.created)];
    const notes = el("textarea", { rows: "2", "aria-label": t("Notes"), placeholder: t("Notes") });
    notes.value = mine.notes;
    let waiting = 0;
    const keep = () => {
      clearTimeout(waiting);
      if (notes.value === mine.notes) return;
      mine.notes = notes.value;
      ask("PUT", `pictures/${picture.number}/notes`, { notes: notes.value }).then(does.changed, does.fault);
    };
    notes.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(keep, LATER); });
    leave = keep;
    const tree = el("div", { class: "lineage" });
    side.replaceChildren(
      starButtons(picture.rating, rate),
      el("p", { class: "facts" }, facts.join(" · ")),
      el("p", { class: "place" }, shown.place),
      sendButtons(() => picture, told, table, () => dialog.close()),
      el("div", { class: "picture-actions" }, ...actions(picture)),
      tagList(shown, does),
      notes,
      tree,
      told.parameters.length ? table : el("p", { class: "library-hint" }, t("This picture has no generation parameters.")),
      copyButton(told.text),
    );
    ask("GET", `pictures/${picture.number}/lineage`).then((found) => drawTree(tree, found, picture.number, (wanted) => inTurn(() => show(wanted))), does.fault);
  };

  const actions = (picture) => {
    const button = (name, label, act, attributes = {}) => el("button", { type: "button", class: "small", onclick: act, ...attributes }, icon(name), label);
    const plot = plotOf(picture);
    const open = () => {
      dialog.close();
      say("plot:open", { id: plot });
    };
    return [
      plot && button("image", t("Open its sheet"), open),
      el("a", { class: "small", href: addressOf(picture.url), download: picture.name }, icon("download"), t("Download")),
      does.canReveal && button("folder", t("Open folder"), () => ask("POST", `pictures/${picture.number}/reveal`, {}).catch(does.fault)),
      button("repeat", t("Make it again"), () => again(picture), { title: t("Makes it once more and explains the difference") }),
      button("clear", t("Delete"), () => inTurn(away)),
    ];
  };
  const away = async () => {
    const gone = shown.picture.number;
    const after = await does.step(1, gone);
    await does.remove([gone]);
    if (after === null || after === gone) dialog.close();
    else await show(after);
  };

  const again = async (picture) => {
    const mine = shown;
    const isLeft = () => mine !== shown || !dialog.open;
    status.textContent = t("Waiting for its turn …");
    try {
      const { job, notices } = await ask("POST", `pictures/${picture.number}/again`, {});
      if (isLeft()) return;
      const made = await pictureOf(job, (ending) => { stop = ending; });
      const other = await ask("GET", `pictures/${made}`);
      const before = await ask("GET", `pictures/${picture.number}`);
      does.changed();
      inTurn(() => { // after a picture that is on its way
        if (isLeft()) return;
        status.textContent = "";
        openMadeAgain({ url: before.picture.url, name: t("Before"), told: before.told, isLossy: /\.(jpe?g|webp)$/i.test(before.picture.name) }, { url: other.picture.url, name: t("Again"), told: other.told, notices }, notices.join(" "));
      });
    } catch (error) {
      if (!isLeft()) status.textContent = error.message;
    }
  };

  dialog.addEventListener("keydown", (event) => {
    if (event.target.matches("textarea, input:not([type=checkbox])") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") inTurn(() => step(event.key === "ArrowRight" ? 1 : -1));
    else if (/^[0-5]$/.test(event.key)) inTurn(() => rate(Number(event.key)));
    else if (event.key === "Delete") inTurn(away);
    else return;
    event.preventDefault();
  });
  inTurn(() => show(number));
  return dialog;
}

/** Kept when the first picture of a job is in the Library: its number there. It is broken when the job fails. */
function pictureOf(job, onStop) {
  return new Promise((resolve, reject) => {
    const stops = [];
    const end = (act, value) => {
      stops.splice(0).forEach((one) => one());
      act(value);
    };
    const look = async () => {
      const row = await ask("GET", `of-job/${encodeURIComponent(job)}/0`);
      if (row) end(resolve, row.number);
    };
    const timer = setInterval(() => look().catch((error) => end(reject, error)), 1500);
    stops.push(() => clearInterval(timer));
    stops.push(hear("job:picture", ({ picture }) => { if (picture?.job === job) look().catch(() => {}); }));
    stops.push(hear("jobs:changed", ({ jobs }) => {
      const row = jobs?.find((one) => one.id === job);
      if (row && ["failed", "stopped"].includes(row.state)) end(reject, new Error(row.reason || t("The job did not come to a picture.")));
    }));
    onStop(() => end(reject, new Error("")));
  });
}

function starButtons(rating, rate) {
  const buttons = [1, 2, 3, 4, 5].map((stars) => el("button", {
    type: "button", class: stars <= rating ? "on" : "", "aria-label": t("{n} of 5 stars", { n: stars }), "aria-pressed": String(stars === rating),
    onclick: () => rate(stars === rating ? 0 : stars),
  }, icon("star")));
  return el("div", { class: "stars", role: "group", "aria-label": t("Stars") }, ...buttons);
}

/** The tags of a picture, each with a cross, and a field for more. */
function tagList(shown, does) {
  const { number } = shown.picture;
  const made = el("div", { class: "tags" });
  const field = el("input", { type: "text", "aria-label": t("Add a tag"), placeholder: t("Add a tag"), maxlength: "80" });
  let asked = 0;
  const change = (add, remove) => ask("POST", "tags", { ids: [number], add, remove }).then(async () => {
    does.changed();
    const turn = ++asked;
    const { tags } = await ask("GET", `pictures/${number}`);
    if (turn !== asked) return; // they were changed again meanwhile
    shown.tags = tags;
    draw();
  }, does.fault);
  const draw = () => {
    while (made.firstChild !== field) made.firstChild.remove(); // the field stays: something may be typed in it
    field.before(...shown.tags.map((tag) => el("span", { class: "chip" },
      el("button", { type: "button", class: "chip-value", onclick: () => does.search(`tag:="${tag}"`) }, tag),
      el("button", { type: "button", class: "chip-away", "aria-label": t("Remove {name}", { name: tag }), onclick: () => change([], [tag]) }, icon("close")))));
  };
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== ",") return;
    event.preventDefault();
    const tag = field.value.trim();
    field.value = "";
    if (tag) change([tag], []);
  });
  made.append(field);
  draw();
  return made;
}

/** What was made from what, as a small tree; a picture alone is no tree. */
function drawTree(place, { nodes, whole }, current, show) {
  if (nodes.length < 2) return;
  const below = (parent) => nodes.filter((node) => node.made_from === parent).map(({ picture }) => {
    const button = el("button", {
      type: "button", class: "tree-picture", "aria-current": picture.number === current ? "true" : undefined,
      "aria-label": `${picture.kind}, ${altOf(picture)}`, onclick: () => show(picture.number),
    }, el("img", { src: addressOf(picture.thumb), alt: "" }), el("small", {}, picture.kind));
    const children = below(picture.number);
    return el("li", {}, button, children.length ? el("ul", {}, ...children) : null);
  });
  place.replaceChildren(el("h3", {}, t("Made from, made into")), el("ul", { class: "tree" }, ...below(null)), whole ? "" : el("p", { class: "library-hint" }, t("There are more than are shown.")));
}

/** Tell everybody what went wrong. */
export const complain = (error) => say("notice", { kind: "error", text: error.message });
