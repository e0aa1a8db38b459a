// The drawer beside the prompt: LoRAs, embeddings, hypernetworks, checkpoints and VAEs as cards. A click puts a network
// into the prompt or takes it out; a checkpoint or a VAE is chosen. The chips show what the prompt uses.

import { hear, say } from "./bus.js";
import { blankPicture } from "./blank_picture.js";
import { CardGrid } from "./card_grid.js";
import { showCard } from "./card_info.js";
import { Chips } from "./chips.js";
import { DockPanel } from "./dock_panel.js";
import { el, icon, iconButton, segments, t } from "./kit.js";
import { ask, send } from "./page_requests.js";
import { lastUsed, prompts, ready, setPrompt } from "./prompt_boxes.js";
import { appended, tagsIn, withWords, without, written } from "./prompt_text.js";

/**
 * @typedef {object} Card  as `api/page/network_cards.py` sends it
 * @property {string} id
 * @property {"lora"|"embedding"|"hypernetwork"|"checkpoint"|"vae"} kind
 * @property {string} name
 * @property {string} file
 * @property {string} folder
 * @property {string} text  what a click puts into the prompt
 * @property {string} tag  the name in a tag
 * @property {number} weight  that the user noted; 0: the usual one
 * @property {string} negative
 * @property {string} description
 * @property {string} base
 * @property {string} family  of the checkpoints that it fits; "" where that is not known
 * @property {{text: string, source: string}[]} words  its trigger words
 * @property {string} thumb  address; "" where there is no picture
 */

const USUAL_WEIGHT = 0.8;
const SEARCH_PAUSE = 150; // milliseconds
const SIZES = Object.freeze([88, 240, 112]); // pixels: smallest, largest, usual
const ORDERS = Object.freeze([["path", "By folder"], ["name", "By name"], ["used", "Last used first"], ["modified", "Newest first"], ["created", "Last added first"], ["size", "Largest first"]]);
const DESCENDING = ["used", "modified", "created", "size"];
const CHOSEN = ["checkpoint", "vae"]; // kinds that are chosen instead of put into the prompt
const TAGS = Object.freeze({ lora: "lora", hypernetwork: "hypernet" });

export async function mount({ element, props, trigger, watch }) {
  await ready();
  new Drawer(element, trigger);
  watch("value", () => {
    if (props.value?.problem) say("notice", { kind: "error", text: props.value.problem });
  });
}

class Drawer {
  constructor(element, trigger) {
    this.trigger = trigger;
    this.kind = "lora";
    this.folder = "";
    this.order = window.webui.kept("cards_order") ?? "path";
    this.timer = 0;
    this.family = ""; // of the checkpoint that is chosen
    this.unread = 0; // files of the kind that the server has not looked into yet
    this.isReading = false;
    this.drawn = new WeakMap(); // the card that a node shows, as JSON
    const button = el("button", { type: "button", class: "quiet drawer-button" }, icon("layers"), el("span", {}, "LoRA"));
    const chips = el("ul", { class: "chips", "aria-label": t("Networks in the prompt"), hidden: true });
    this.panel = el("div", { class: "drawer-panel" });
    element.append(button, chips, this.panel);
    this.chips = new Chips(chips);
    this.dock = new DockPanel(button, this.panel, { label: t("Networks"), shown: () => this.grid.renew(), focus: () => this.search });
    this.draw();
    hear("prompt:changed", ({ prompt }) => {
      this.chips.show(prompt);
      this.grid.redraw();
    });
    hear("checkpoint:changed", () => setTimeout(() => this.dock.isOpen && this.grid.refresh())); // once the form knows its name
    this.chips.show(prompts().prompt);
  }

  draw() {
    this.search = el("input", { type: "search", placeholder: t("Search networks"), "aria-label": t("Search networks"), maxlength: "400" });
    this.search.addEventListener("input", () => this.renewSoon());
    const kinds = segments(t("Kind"), [
      { value: "lora", label: "LoRA" },
      { value: "embedding", label: t("Embeddings") },
      { value: "hypernetwork", label: t("Hypernetworks") },
      { value: "checkpoint", label: t("Checkpoints") },
      { value: "vae", label: "VAE" },
    ], this.kind, (kind) => this.choose(kind));
    const order = el("select", { "aria-label": t("Order"), onchange: () => this.sort(order.value) },
      ...ORDERS.map(([value, label]) => el("option", { value, selected: value === this.order }, t(label))));
    this.base = el("select", { "aria-label": t("Made for"), onchange: () => this.grid.renew() });
    const size = el("input", { type: "range", min: String(SIZES[0]), max: String(SIZES[1]), "aria-label": t("Size of the cards") });
    size.value = window.webui.kept("cards_size") ?? String(SIZES[2]);
    const fillTrack = () => size.style.setProperty("--range_progress", `${(100 * (size.value - size.min)) / (size.max - size.min)}%`);
    fillTrack();
    size.addEventListener("input", () => {
      fillTrack();
      window.webui.keep("cards_size", size.value);
      this.grid.resize(Number(size.value));
    });
    this.count = el("span", { class: "drawer-count", role: "status" });
    const refresh = iconButton("reload", t("Look at the folders again"), { onclick: () => this.refresh() });
    const top = el("div", { class: "panel-bar" }, el("label", { class: "search" }, icon("search"), this.search), kinds, this.dock.cross());
    const more = el("div", { class: "panel-bar panel-more" }, order, this.base, el("label", { class: "card-size" }, size), this.count, refresh);
    this.tree = el("nav", { class: "folders", "aria-label": t("Folders"), hidden: true });
    this.tree.addEventListener("click", (event) => this.enter(event.target.closest("button")));
    const scroll = el("div", { class: "cards", tabindex: "-1" });
    this.nothing = el("p", { class: "panel-empty", hidden: true });
    this.panel.append(top, more, el("div", { class: "drawer-body" }, this.tree, el("div", { class: "cards-side" }, scroll, this.nothing)));
    this.grid = new CardGrid(scroll, {
      load: (offset, limit) => this.load(offset, limit),
      draw: (card, index, old) => this.card(card, index, old),
      failed: (error) => say("notice", { kind: "error", text: error.message }),
    });
    this.grid.resize(Number(size.value));
  }

  choose(kind) {
    this.kind = kind;
    this.folder = "";
    this.base.value = "";
    this.grid.renew();
  }

  sort(order) {
    this.order = order;
    window.webui.keep("cards_order", order);
    this.grid.renew();
  }

  renewSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.grid.renew(), SEARCH_PAUSE);
  }

  async refresh() {
    try {
      await send("networks/refresh");
    } catch (error) {
      say("notice", { kind: "error", text: error.message });
      return;
    }
    this.chips.forget();
    await this.grid.renew();
  }

  async load(offset, limit) {
    const wanted = this.wanted;
    const found = await ask(`networks?${wanted}&${new URLSearchParams({ offset: String(offset), limit: String(limit) })}`);
    if (wanted === this.wanted) {
      this.family = found.family;
      if (offset === 0) this.showList(found);
    }
    return { total: found.total, items: found.cards };
  }

  // What is asked for: while an answer is on its way, another kind or folder may be chosen.
  get wanted() {
    return String(new URLSearchParams({
      kind: this.kind, q: this.search.value, folder: this.folder, base: this.base.value, order: this.order,
      checkpoint: window.webui.form?.checkpoint ?? "", descending: String(DESCENDING.includes(this.order)),
    }));
  }

  showList({ total, folders, bases, unread }) {
    this.total = total;
    this.showCount(unread);
    this.readOn();
    this.nothing.hidden = total > 0;
    this.nothing.textContent = this.search.value.trim() || this.folder || this.base.value
      ? t("Nothing fits this search.")
      : t("There are no files of this kind yet. Put them into the models folder and press the arrow.");
    const base = this.base.value;
    this.base.replaceChildren(el("option", { value: "" }, t("For any checkpoint")), ...bases.map((one) => el("option", { value: one, selected: one === base }, one)));
    this.base.hidden = bases.length === 0;
    this.showFolders(folders);
  }

  showCount(unread) {
    this.unread = unread;
    const files = this.total === 1 ? t("1 file") : t("{n} files", { n: this.total });
    this.count.textContent = unread > 0 ? t("{files}, {n} still to be read", { files, n: unread }) : files;
  }

  // Headers of new files are read a second at a time, as long as somebody looks at the list.
  async readOn() {
    if (this.isReading || this.unread === 0) return;
    this.isReading = true;
    const kind = this.kind;
    try {
      while (this.unread > 0 && this.dock.isOpen && this.kind === kind) {
        const { unread } = await send(`networks/read/${kind}`);
        if (this.kind === kind) this.showCount(unread);
      }
    } catch (error) {
      say("notice", { kind: "error", text: error.message });
      this.unread = 0;
    }
    this.isReading = false;
    if (!this.dock.isOpen) return;
    if (this.kind === kind) await this.grid.refresh();
    else this.readOn();
  }

  // The uppermost folders, and those on the way to the chosen one and in it.
  showFolders(folders) {
    const focused = this.tree.contains(document.activeElement) ? document.activeElement.dataset.folder : null;
    const isShown = (folder) => {
      const parent = folder.includes("/") ? folder.slice(0, folder.lastIndexOf("/")) : "";
      return parent === "" || `${this.folder}/`.startsWith(`${parent}/`);
    };
    const rows = ["", ...folders.filter(isShown)].map((folder) => {
      const row = el("button", { type: "button", "data-folder": folder, "aria-current": folder === this.folder ? "true" : null }, folder === "" ? t("All folders") : folder.split("/").at(-1));
      row.style.paddingInlineStart = `${8 + 12 * (folder.split("/").length - 1)}px`;
      return row;
    });
    this.tree.hidden = folders.length === 0;
    this.tree.replaceChildren(...rows);
    if (focused !== null) rows.find((row) => row.dataset.folder === focused)?.focus();
  }

  enter(row) {
    if (!row) return;
    this.folder = row.dataset.folder;
    this.grid.renew();
  }

  /** @param {Card|null} card */
  card(card, index, old) {
    if (old && card && this.drawn.get(old) === JSON.stringify(card)) {
      this.mark(old, card);
      return old;
    }
    const node = old ?? el("div", { class: "card" });
    const focused = node.contains(document.activeElement);
    node.replaceChildren();
    if (!card) return node;
    this.drawn.set(node, JSON.stringify(card));
    node.dataset.id = card.id;
    const press = el("button", { type: "button", class: "card-use", onclick: () => this.use(card) },
      card.thumb ? el("img", { src: window.webui.base + card.thumb, alt: "", loading: "lazy", draggable: "false" }) : blankPicture(card.name, card.base),
      el("b", {}, card.name), el("small", {}, card.base));
    const about = iconButton("info", t("About {name}", { name: card.name }), { class: "icon-button card-about", onclick: () => this.about(card) });
    const certain = card.words.filter((word) => word.source !== "training").map((word) => word.text);
    const words = !CHOSEN.includes(card.kind) && certain.length > 0 && el("button", {
      type: "button", class: "card-words", title: certain.join(", "), "aria-label": t("Put the trigger words of {name} into the prompt", { name: card.name }),
      onclick: () => setPrompt("prompt", withWords(prompts().prompt, certain)),
    }, certain[0]);
    node.append(press, about, ...(words ? [words] : []));
    this.mark(node, card);
    if (focused) press.focus({ preventScroll: true });
    return node;
  }

  mark(node, card) {
    const press = node.querySelector(".card-use");
    const isChosen = CHOSEN.includes(card.kind);
    const isUnfit = !isChosen && card.family !== "" && this.family !== "" && card.family !== this.family;
    node.classList.toggle("unfit", isUnfit);
    const told = card.description ? `${card.file}\n${card.description}` : card.file;
    press.title = isUnfit ? `${t("Made for {one}; the checkpoint is {other}.", { one: card.family, other: this.family })}\n${told}` : told;
    if (isChosen) press.removeAttribute("aria-pressed");
    else press.setAttribute("aria-pressed", String(usesOf(card) !== null));
  }

  about(card) {
    showCard(card, { changed: () => { this.grid.renew(); this.chips.forget(); } });
  }

  /** @param {Card} card */
  use(card) {
    if (CHOSEN.includes(card.kind)) {
      this.trigger("choose", { kind: card.kind, file: card.file });
      return;
    }
    const used = usesOf(card);
    if (used) setPrompt(used.which, taken(used, card));
    else putIn(card);
  }
}

/**
 * Where a prompt uses a card.
 * @param {Card} card
 * @returns {{which: "prompt"|"negative", text: string, start: number, end: number}|null}
 */
export function usesOf(card) {
  const texts = prompts();
  if (card.kind in TAGS) {
    const tag = tagsIn(texts.prompt).find((one) => one.kind === TAGS[card.kind] && [card.tag, card.name, nameOf(card)].includes(one.name));
    return tag ? { which: "prompt", text: texts.prompt, start: tag.start, end: tag.end } : null;
  }
  for (const which of ["prompt", "negative"]) {
    const found = wordIn(texts[which], card.text);
    if (found >= 0) return { which, text: texts[which], start: found, end: found + card.text.length };
  }
  return null;
}

function putIn(card) {
  if (!(card.kind in TAGS)) {
    const which = lastUsed();
    setPrompt(which, appended(prompts()[which], card.text));
    return;
  }
  const tag = `<${TAGS[card.kind]}:${card.tag}:${written(card.weight || USUAL_WEIGHT)}>`;
  setPrompt("prompt", appended(prompts().prompt, [tag, wordsOf(card)].filter(Boolean).join(" ")));
  if (card.negative && !prompts().negative.includes(card.negative)) setPrompt("negative", appended(prompts().negative, card.negative));
}

function taken({ text, start, end }, card) {
  const words = wordsOf(card);
  const after = words && text.slice(end).startsWith(` ${words}`) ? end + 1 + words.length : end;
  return without(text, start, after);
}

/** The words that come into the prompt behind a tag. */
function wordsOf(card) {
  return card.text.includes(">") ? card.text.slice(card.text.indexOf(">") + 1).trim() : "";
}

const nameOf = (card) => card.file.slice(card.file.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");

function wordIn(text, word) {
  const isLetter = (char) => char !== undefined && /[\p{L}\p{N}_]/u.test(char);
  for (let at = text.indexOf(word); word && at >= 0; at = text.indexOf(word, at + 1)) {
    if (!isLetter(text[at - 1]) && !isLetter(text[at + word.length])) return at;
  }
  return -1;
}
