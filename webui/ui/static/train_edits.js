// What can be done to many captions and pictures at once. Each panel acts on those that are chosen, else on all.

import { el, t } from "./kit.js";
import { say } from "./bus.js";

/**
 * @typedef {{change: (what: Record<string, *>) => Promise<{ids: string[], undo: () => Promise<void>}>,
 *   faults: () => Promise<{broken: {id: string, reason: string}[], alike: string[][], silent: string[]}>,
 *   trash: (ids: string[]) => Promise<string>, choose: (ids: string[]|null) => void, chosen: () => string[],
 *   captions: () => Record<string, string>, count: () => number,
 *   models: () => Promise<string[]>, describe: ((ids: string[], model: string, progress: (n: number) => void, isStopped: () => boolean) => Promise<void>)|null}} Does
 */

/** @param {Does} does */
export function editPanels(does) {
  const panel = el("div", { class: "tr-panel", hidden: true });
  const said = el("p", { class: "tr-said", role: "status" });
  const names = [
    { value: "replace", label: t("Find and replace") }, { value: "tags", label: t("Tags") },
    { value: "faults", label: t("Check") }, ...(does.describe ? [{ value: "describe", label: t("Describe") }] : []),
  ];
  const whom = () => (does.chosen().length === 1 ? t("Caption of the chosen picture") : does.chosen().length ? t("Captions of the {n} chosen pictures", { n: does.chosen().length }) : t("Captions of all {n} pictures", { n: does.count() }));
  const field = (/** @type {string} */ label, /** @type {Record<string, *>} */ more = {}) => {
    const input = el("input", { type: "text", autocomplete: "off", spellcheck: "false", ...more });
    return { input, node: el("label", { class: "tr-field" }, el("span", {}, label), input) };
  };
  const act = (/** @type {string} */ label, /** @type {(button: HTMLButtonElement) => Promise<void>} */ work, /** @type {boolean} */ isQuiet = false) => {
    const button = el("button", { type: "button", class: isQuiet ? "f-quiet" : "f-quiet strong" }, label);
    button.addEventListener("click", async () => {
      button.disabled = true;
      said.textContent = "";
      try {
        await work(button);
      } catch (error) {
        said.textContent = /** @type {Error} */ (error).message;
      }
      button.disabled = false;
    });
    return button;
  };
  const changed = async (/** @type {Record<string, *>} */ what) => {
    const { ids, undo } = await does.change(what);
    said.textContent = ids.length === 1 ? t("1 caption changed.") : t("{n} captions changed.", { n: ids.length });
    if (!ids.length) return;
    say("notice", { kind: "notice", text: said.textContent, act: { label: t("Undo"), run: () => undo().catch((error) => { said.textContent = error.message; }) } });
  };
  const drawings = {
    replace: () => {
      const [find, put] = [field(t("Find")), field(t("Replace with"))];
      const whole = el("input", { type: "checkbox" });
      const run = act(t("Replace"), () => changed({ find: find.input.value, replace: put.input.value, whole_words: whole.checked }));
      return [find.node, put.node, el("label", { class: "tr-check" }, whole, t("Whole words")), run];
    },
    tags: () => {
      const tags = field(t("Tags, with commas between them"));
      const first = el("input", { type: "checkbox" });
      return [tags.node, el("label", { class: "tr-check" }, first, t("At the front")), act(t("Add"), () => changed({ add: tags.input.value, first: first.checked })), act(t("Remove"), () => changed({ remove: tags.input.value }), true)];
    },
    faults: () => {
      const found = el("div", { class: "tr-faults" });
      return [el("p", { class: "tr-hint" }, t("Looks for files that cannot be read, pictures that are there twice, and pictures without a caption.")), act(t("Look now"), async () => {
        said.textContent = t("Looking at all pictures…");
        found.replaceChildren(...faultRows(await does.faults()));
        said.textContent = "";
      }), found];
    },
    describe: () => {
      let isStopped = false;
      const stop = act(t("Stop"), async () => { isStopped = true; }, true);
      stop.hidden = true;
      const only = el("input", { type: "checkbox", checked: true });
      const model = el("select", { class: "tr-pick", "aria-label": t("Described by") });
      const run = act(t("Describe"), async () => {
        const captions = does.captions();
        const ids = (does.chosen().length ? does.chosen() : Object.keys(captions)).filter((id) => !only.checked || !captions[id]);
        [isStopped, stop.hidden] = [false, false];
        try {
          await does.describe?.(ids, model.value, (n) => { said.textContent = t("{n} of {all} described", { n, all: ids.length }); }, () => isStopped);
        } finally {
          stop.hidden = true;
        }
      });
      const rest = [model, el("label", { class: "tr-check" }, only, t("Only pictures without a caption")), run, stop];
      const hint = el("p", { class: "tr-hint" }, t("A model writes the captions. What it writes takes the place of what is there."));
      for (const one of rest) one.hidden = true;
      does.models().then((names) => {
        model.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
        for (const one of rest) one.hidden = one === stop || !names.length;
        if (!names.length) hint.textContent = t("No model that describes pictures is here yet. A tagger belongs in models/TaggerOnnx, BLIP in models/BLIP.");
      }, (error) => { hint.textContent = error.message; });
      return [hint, ...rest];
    },
  };
  const faultRows = (/** @type {{broken: {id: string, reason: string}[], alike: string[][], silent: string[]}} */ { broken, alike, silent }) => {
    const rows = [];
    const row = (/** @type {string} */ text, /** @type {string[]} */ ids, /** @type {string[]} */ away) => {
      const made = el("div", { class: "tr-fault" }, el("span", {}, text), el("button", { type: "button", class: "f-quiet", onclick: () => does.choose(ids) }, t("Choose")));
      if (away.length) {
        made.append(act(t("Move to the trash"), async () => {
          said.textContent = await does.trash(away);
          made.remove();
        }, true));
      }
      rows.push(made);
    };
    if (broken.length) row(t("Cannot be read: {names}", { names: broken.map(({ id, reason }) => `${id} (${reason})`).join(", ") }), broken.map(({ id }) => id), broken.map(({ id }) => id));
    for (const group of alike) row(t("Look the same: {names}", { names: group.join(", ") }), group.slice(1), group.slice(1));
    if (silent.length) row(t("Without a caption: {n}", { n: silent.length }), silent, []);
    if (!rows.length) rows.push(el("p", { class: "tr-hint" }, t("Nothing is wrong with these pictures.")));
    return rows;
  };
  let open = "";
  const heading = el("b", {});
  const showChosen = () => { heading.textContent = open === "faults" ? "" : whom(); };
  const show = (/** @type {string} */ which) => {
    open = which === open ? "" : which;
    panel.hidden = !open;
    said.textContent = "";
    if (open) panel.replaceChildren(heading, ...drawings[/** @type {keyof typeof drawings} */ (open)](), said);
    showChosen();
    for (const button of tabs.querySelectorAll("button")) button.setAttribute("aria-expanded", String(button.dataset.value === open));
    if (open) /** @type {HTMLElement|null} */ (panel.querySelector("input[type=text], button"))?.focus();
  };
  const tabs = el("div", { class: "tr-tools" }, ...names.map(({ value, label }) => el("button", { type: "button", class: "f-quiet", "data-value": value, "aria-expanded": "false", onclick: () => show(value) }, label)));
  return { tabs, panel, showChosen };
}
