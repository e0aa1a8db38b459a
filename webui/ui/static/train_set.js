// The data set of a training: which one, its pictures and captions, and what is done to many of them at once.

import { el, openDialog, t } from "./kit.js";
import { hear } from "./bus.js";
import { ask, files } from "./extension_actions.js";
import { askForNew, chooseFiles, sendAll, sorted, takesFiles } from "./train_adding.js";
import { editPanels } from "./train_edits.js";
import { pictureGrid } from "./train_grid.js";
import { setWords } from "./train_words.js";

const KEPT = "train_set"; // in the browser: the data set that was open last
const CAPTIONER = "captioner"; // the kind of files that describe pictures
const SOON = 400; // milliseconds after which a changed setting is asked about

/**
 * @param {{training: {extension: string, asks: Record<string, string[]>}, describing: {extension: string, action: string, field: string, model: string}|null,
 *   told: (names: string[]) => Record<string, *>, changed: (name: string) => void, suggest: (values: Record<string, *>) => void}} about
 */
export function setPane({ training, describing, told, changed, suggest }) {
  const light = async (/** @type {string} */ action, /** @type {Record<string, *>} */ options = {}) => (await ask(training.extension, action, options)).data ?? {};
  const pick = el("select", { class: "tr-pick", id: "train_set", "aria-label": t("Data set") });
  const facts = el("span", { class: "tr-count", role: "status" });
  const said = el("div", { class: "tr-saying", role: "status" });
  const search = el("input", { type: "search", placeholder: t("Search captions"), "aria-label": t("Search captions"), autocomplete: "off" });
  const crops = el("button", { type: "button", class: "f-quiet", id: "train_crops", "aria-pressed": "false" }, t("Crops"));
  const all = el("button", { type: "button", class: "f-quiet", id: "train_all" }, t("Choose all"));
  const away = el("button", { type: "button", class: "f-quiet", id: "train_trash", hidden: true }, t("Move to the trash"));
  const fresh = el("button", { type: "button", class: "f-quiet", id: "train_new", onclick: () => begin([]) }, t("New data set"));
  const add = el("button", { type: "button", class: "f-quiet", id: "train_add", onclick: () => chooseFiles(addFiles) }, t("Add pictures"));
  const empty = el("div", { class: "tr-empty", hidden: true });
  const bar = el("div", { class: "tr-bar" });
  let name = "";
  /** @type {{items: *[], buckets: [number, number, number][]}} */
  let set = { items: [], buckets: [] };
  let timer = 0;

  const fail = (/** @type {*} */ error) => said.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, error.message ?? String(error)));
  const captions = () => Object.fromEntries(grid.items().map((one) => [one.id, one.caption]));
  const grid = pictureGrid({
    thumbs: (ids) => light("data_set_thumbs", { data_set: name, ids }),
    write: async (item, text) => { await light("data_set_write", { data_set: name, captions: { [item.id]: text } }); },
    chosen: () => {
      const n = grid?.chosen().length ?? 0;
      away.hidden = !n;
      all.textContent = n ? t("Choose none ({n})", { n }) : t("Choose all");
      panels?.showChosen();
    },
    open: async (item) => {
      const dialog = openDialog({ title: item.id, className: "tr-large" }, el("p", {}, item.caption || t("No caption yet")));
      try {
        const { picture } = await light("data_set_picture", { data_set: name, id: item.id });
        dialog.querySelector("p")?.before(el("img", { src: `data:image/jpeg;base64,${picture}`, alt: item.caption || item.id }));
      } catch (error) {
        fail(error);
      }
    },
  });
  const trash = async (/** @type {string[]} */ ids) => {
    const { moved, folder } = await light("data_set_trash", { data_set: name, ids });
    await list();
    return moved === 1 ? t("1 picture is in {folder} now.", { folder }) : t("{n} pictures are in {folder} now.", { n: moved, folder });
  };
  const describe = describing && (async (/** @type {string[]} */ ids, /** @type {string} */ model, /** @type {(n: number) => void} */ progress, /** @type {() => boolean} */ isStopped) => {
    const of = name;
    for (const [at, id] of ids.entries()) {
      progress(at);
      if (isStopped()) return;
      const { picture } = await light("data_set_picture", { data_set: of, id });
      const { text, data } = await ask(describing.extension, describing.action, { [describing.field]: picture, [describing.model]: model });
      const caption = String(data?.caption ?? text ?? "").trim();
      if (!caption) continue;
      await light("data_set_write", { data_set: of, captions: { [id]: caption } });
      grid.note(of, { [id]: caption });
    }
    progress(ids.length);
  });
  const panels = editPanels({
    change: async (what) => {
      const of = name; // another one may be shown by the time of the answer, or of the undo
      const { changed: now, before } = await light("data_set_change", { data_set: of, ids: grid.chosen(), ...what });
      grid.note(of, now);
      const undo = async () => {
        await light("data_set_write", { data_set: of, captions: before });
        grid.note(of, Object.fromEntries(Object.entries(before).map(([id, text]) => [id, text ?? ""])));
      };
      return { ids: Object.keys(now), undo };
    },
    faults: () => light("data_set_faults", { data_set: name }),
    trash, choose: grid.choose, chosen: grid.chosen, captions, describe,
    models: async () => (await files(CAPTIONER)).filter((/** @type {*} */ one) => one.usable).map((/** @type {*} */ one) => one.name),
    count: () => grid.items().length,
  });

  const list = async (/** @type {boolean} */ isOther = false) => {
    if (!name) return;
    const [asked, since] = [name, grid.asks(name)];
    try {
      const found = await light("data_set", { ...told(training.asks.data_set ?? []), data_set: asked });
      if (asked !== name) return; // another one was chosen meanwhile
      set = found;
      said.replaceChildren();
      const option = [...pick.options].find((one) => one.value === name);
      if (option) option.textContent = `${name} (${set.items.length})`;
      facts.textContent = setWords(set);
      facts.title = set.buckets.map(([wide, high, n]) => `${wide} × ${high}: ${n}`).join("\n");
      grid.show(name, set.items, isOther, since);
    } catch (error) {
      fail(error);
    }
  };
  const choose = async (/** @type {string} */ other) => {
    name = other;
    pick.value = other;
    if (other) /** @type {*} */ (window).webui.keep(KEPT, other);
    changed(other);
    search.value = "";
    if (grid.name() !== other) grid.show(other, [], true, grid.asks(other)); // nothing is done to pictures that are not shown
    await list(true);
  };
  const refresh = async (/** @type {string} */ wanted = name || /** @type {*} */ (window).webui.kept(KEPT) || "") => {
    try {
      const { data_sets: sets, folder } = await light("data_set_list");
      said.querySelector(".late")?.remove();
      pick.replaceChildren(...sets.map((/** @type {*} */ one) => el("option", { value: one.name }, `${one.name} (${one.pictures})`)));
      const isEmpty = !sets.length;
      empty.hidden = !isEmpty;
      for (const part of [bar, tools, grid.node]) part.hidden = isEmpty;
      if (isEmpty) showEmpty(folder);
      else {
        const other = sets.some((/** @type {*} */ one) => one.name === wanted) ? wanted : sets[0].name;
        pick.value = other;
        if (other === name) await list();
        else await choose(other);
      }
    } catch (error) {
      fail(error);
    }
  };
  const begin = (/** @type {File[]} */ files) => askForNew(files, async (wanted, chosen) => {
    await send(wanted, chosen);
    await refresh(wanted);
  });
  const send = async (/** @type {string} */ to, /** @type {File[]} */ files) => {
    const pictures = await sorted(files);
    if (!pictures.length) throw new Error(t("There is no picture among these files."));
    const refused = await sendAll(pictures, (options) => light("data_set_add", { data_set: to, ...options }), (n) => { facts.textContent = t("{n} of {all} pictures are there", { n, all: pictures.length }); });
    if (refused.length === pictures.length) throw new Error(refused[0]);
    if (refused.length) fail(refused.join("\n"));
  };
  const addFiles = async (/** @type {File[]} */ files, to = name) => {
    if (!to) {
      begin(files);
      return;
    }
    try {
      await send(to, files);
      await refresh(name);
    } catch (error) {
      fail(error);
    }
  };
  const example = async (/** @type {HTMLButtonElement} */ button) => {
    button.disabled = true;
    try {
      const { data_set: made, suggested } = await light("data_set_example");
      await refresh(made);
      if (suggested) suggest(suggested);
    } catch (error) {
      fail(error);
    }
    button.disabled = false;
  };
  const showEmpty = (/** @type {string} */ folder) => {
    const attempt = el("button", { type: "button", class: "f-go", id: "train_example", onclick: () => example(attempt) }, t("Try it with a drawn example"));
    empty.replaceChildren(
      el("h3", {}, t("Teach it something new")),
      el("p", {}, t("Training shows a model pictures with their captions, until it can paint what it did not know: a person, a thing, a style.")),
      el("p", {}, t("It needs a folder of 10 to 100 pictures in {folder}, with a text file beside each that says what is to be seen.", { folder })),
      drawnHearts(),
      el("div", { class: "tr-begin" }, training.asks.data_set_example ? attempt : "", el("button", { type: "button", class: "f-go second", onclick: () => begin([]) }, t("Use my own pictures"))),
      el("p", { class: "tr-hint" }, t("The example is 24 drawn hearts, which the bundled model does not know. It takes some minutes and downloads nothing.")));
  };

  pick.addEventListener("change", () => choose(pick.value));
  search.addEventListener("input", () => grid.search(search.value));
  crops.addEventListener("click", () => {
    const isOn = crops.getAttribute("aria-pressed") !== "true";
    crops.setAttribute("aria-pressed", String(isOn));
    grid.crops(isOn);
  });
  all.addEventListener("click", () => grid.choose(grid.chosen().length ? [] : null));
  away.addEventListener("click", () => trash(grid.chosen()).then((text) => { said.textContent = text; }, fail));
  const tools = el("div", { class: "tr-line" }, search, all, crops, panels.tabs, away);
  bar.append(pick, facts, add, fresh);
  const node = el("section", { class: "tr-set", "aria-label": t("Data set") }, bar, tools, panels.panel, said, empty, el("div", { class: "tr-scroll", tabindex: "-1" }, grid.node, grid.more));
  hear("tab:opened", ({ tab }) => tab === "train" && refresh()); // folders may have been put there meanwhile
  takesFiles(node, () => name, addFiles, (text) => fail({ message: text }));
  return {
    node,
    start: () => {
      for (const part of [bar, tools, grid.node, empty]) part.hidden = true;
      said.replaceChildren(el("p", { class: "tr-hint late" }, t("Looking for data sets …")));
      return refresh();
    },
    /** A setting changed: buckets and crops may be others. */
    settingsChanged: () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => list(), SOON);
    },
  };
}

/** A few hearts in the colours of the example. */
function drawnHearts() {
  const colours = ["#dc1e23", "#fae128", "#2846dc", "#1ea032", "#fa87c3"];
  const grounds = ["#28d7e1", "#7d2da5", "#f5f5f5", "#fa8c14", "#0f0f0f"];
  const box = el("div", { class: "tr-hearts", "aria-hidden": "true" });
  box.innerHTML = colours.map((colour, at) => `<svg viewBox="-20 -18 40 40"><rect x="-20" y="-18" width="40" height="40" fill="${grounds[at]}"/><path fill="${colour}" d="M0 12C-18 0 -13 -11 -6.500 -11C-3 -11 -.800 -9 0 -6.500C.800 -9 3 -11 6.500 -11C13 -11 18 0 0 12Z"/></svg>`).join("");
  return box;
}
