// Models > Browse: every model file as a card, by kind; its facts and problems, and what can be done with it.

import { el, icon, iconButton, openDialog, segments, t } from "./kit.js";
import { hear, say } from "./bus.js";
import { showCard } from "./card_info.js";
import { files, forget, request } from "./extension_actions.js";
import { facts, pictureOfFile } from "./cards_of_sources.js";

const SHOWN = 120; // cards drawn at once; a search finds the others

/** Draw the browser. @param {{element: HTMLElement, props: *, trigger: (name: string) => void}} context */
export function mount({ element, props, trigger }) {
  const kinds = props.kinds;
  const search = el("input", { type: "search", id: "models_search", placeholder: t("Search models"), "aria-label": t("Search models"), autocomplete: "off" });
  const again = iconButton("reload", t("Look at the folders again"), { id: "models_refresh" });
  const grid = el("div", { class: "m-grid" });
  const count = el("p", { class: "m-count", role: "status" });
  let kind = kinds[0][0];
  /** @type {*[]} */
  let all = [];
  let folder = "";

  const chosen = segments(t("Kind"), kinds.map(([value, label]) => ({ value, label: t(label) })), kind, (value) => {
    kind = value;
    load();
  });
  const load = async () => {
    const asked = kind;
    try {
      const found = await files(asked);
      if (asked !== kind) return; // another kind was chosen meanwhile
      all = found;
      folder = kinds.find(([value]) => value === kind)?.[2] ?? "";
      draw();
    } catch (error) {
      grid.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, /** @type {Error} */ (error).message));
    }
  };
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fit = all.filter((file) => words.every((word) => `${file.name} ${file.family}`.toLowerCase().includes(word)));
    grid.replaceChildren(...fit.slice(0, SHOWN).map(card));
    if (!all.length) count.textContent = t("Nothing is here yet. Put files into {folder} and look again.", { folder });
    else if (!fit.length) count.textContent = t("Nothing fits.");
    else if (fit.length > SHOWN) count.textContent = t("{shown} of {n} files. Search to see the others.", { shown: SHOWN, n: fit.length });
    else count.textContent = "";
  };
  const card = (/** @type {*} */ file) =>
    el("button", { type: "button", class: `m-card${file.usable ? "" : " bad"}`, onclick: () => open(file) }, pictureOfFile(file), el("b", {}, file.stem), el("small", {}, file.usable ? facts(file) : t("cannot be used")));
  const open = (/** @type {*} */ file) => {
    const fact = (/** @type {string} */ name, /** @type {string} */ value) => (value ? [el("dt", {}, name), el("dd", {}, value)] : []);
    const list = el("dl", {}, ...fact(t("File"), file.name), ...fact(t("Family"), file.family), ...fact(t("Prediction"), file.prediction), ...fact(t("Numbers"), file.numbers), ...fact(t("Size"), file.size), ...fact(t("Hash"), file.hash || (file.kind === "checkpoint" ? t("known once it was used") : "")));
    const problems = [...(file.reason ? [file.reason] : []), ...file.notes].map((one) => el("div", { class: `f-say ${file.usable ? "warn" : "bad"}` }, one));
    const acts = el("div", { class: "a-go" });
    const act = (/** @type {string} */ label, /** @type {() => void} */ press, second = false) => acts.append(el("button", { type: "button", class: `f-go${second ? " second" : ""}`, onclick: () => { dialog.close(); press(); } }, label));
    if (file.usable && file.kind === "checkpoint") {
      if (props.mixes) act(t("Merge it"), () => mix(file), true);
      act(t("Use it"), () => say("checkpoint:use", { name: file.name }));
    }
    if (file.usable && file.kind === "lora") act(t("Put it into the prompt"), () => insert(`<lora:${file.stem}:1>`));
    if (file.usable && file.kind === "embedding") act(t("Put it into the prompt"), () => insert(file.stem));
    if (file.card) act(t("About it"), () => showCard({ kind: file.kind, id: file.card, name: file.stem }, { changed: () => { forget(""); say("files:changed"); } }), true);
    const dialog = openDialog({ title: file.stem, className: "m-details" }, pictureOfFile(file), list, ...problems, acts);
  };
  const mix = (/** @type {*} */ file) => {
    document.getElementById(`${props.mixes.tab}-button`)?.click();
    say("action:with", { form: props.mixes.form, name: file.name });
  };
  const insert = (/** @type {string} */ text) => {
    say("tab:open", { tab: "txt2img" });
    say("prompt:insert", { text });
  };
  again.addEventListener("click", async () => {
    again.disabled = true;
    try {
      await request("files/refresh", {});
      forget("");
      say("files:changed");
    } catch (error) {
      say("notice", { kind: "error", text: /** @type {Error} */ (error).message });
    } finally {
      again.disabled = false;
    }
  });
  search.addEventListener("input", draw);
  hear("files:changed", load);
  hear("checkpoint:use", ({ name }) => {
    props.value = { name, press: Date.now() };
    trigger("use");
    say("notice", { kind: "notice", text: t("The next pictures are made with {name}.", { name }) });
  });
  element.replaceChildren(el("div", { class: "m-head" }, el("label", { class: "x-search" }, icon("search"), search), chosen, again), count, grid);
  load();
}
