// The pictures of a data set with their captions: small pictures as they come into view, what their bucket keeps of them.

import { keyed } from "./keyed.js";
import { el, t } from "./kit.js";
import { Captions } from "./train_captions.js";

const AT_ONCE = 90; // cards drawn before "Show more"
const ASKED = 24; // small pictures in one question
const SOON = 60; // milliseconds in which those that come into view are asked for together

/**
 * A picture as the data set lists it.
 * @typedef {{id: string, caption: string, usual?: string, repeats: number, broken?: string, width?: number,
 *   height?: number, mark?: string, bucket?: [number, number], crop?: [number, number, number, number]}} Item
 */

/**
 * @param {{thumbs: (ids: string[]) => Promise<Record<string, string>>, write: (item: Item, text: string) => Promise<void>,
 *   chosen: () => void, open: (item: Item) => void}} does
 */
export function pictureGrid({ thumbs, write, chosen, open }) {
  const node = el("div", { class: "tr-grid", role: "list", "aria-label": t("Pictures of the data set") });
  const more = el("button", { type: "button", class: "f-quiet tr-more", hidden: true, onclick: () => { limit += AT_ONCE; draw(); } });
  /** @type {Item[]} */
  let items = [];
  /** @type {Item[]} those that fit the search */
  let fitting = [];
  /** @type {Set<string>} */
  let selected = new Set();
  /** @type {Map<string, string>} small pictures by id and time of the file */
  const known = new Map();
  /** @type {Map<string, HTMLElement>} */
  let cards = new Map();
  /** @type {Map<string, Captions>} of each data set that was shown */
  const kept = new Map();
  let captions = new Captions();
  /** @type {Set<string>} */
  const waiting = new Set();
  let [limit, words, showsCrop, lastPicked, timer, shown] = [AT_ONCE, "", false, "", 0, ""];

  const key = (/** @type {Item} */ item) => `${item.id} ${item.mark}`;
  const byId = (/** @type {string} */ id) => items.find((one) => one.id === id);
  const put = (/** @type {Item} */ item) => {
    const image = cards.get(item.id)?.querySelector("img");
    const data = known.get(key(item));
    if (image && data) image.src = `data:image/jpeg;base64,${data}`;
  };
  const askFor = async () => {
    timer = 0;
    while (waiting.size) {
      const ids = [...waiting].slice(0, ASKED);
      for (const id of ids) waiting.delete(id);
      const now = items;
      const found = await thumbs(ids).catch(() => ({}));
      if (now !== items) return; // another data set is shown
      for (const [id, data] of Object.entries(found)) {
        const item = byId(id);
        if (!item || !data) continue;
        known.set(key(item), /** @type {string} */ (data));
        put(item);
      }
    }
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const id = /** @type {HTMLElement} */ (entry.target).dataset.id ?? "";
      const item = byId(id);
      if (!entry.isIntersecting || !item || item.broken) continue;
      seen.unobserve(entry.target);
      if (known.has(key(item))) put(item);
      else waiting.add(id);
    }
    if (waiting.size && !timer) timer = window.setTimeout(askFor, SOON);
  }, { rootMargin: "300px" });

  const pick = (/** @type {string} */ id, /** @type {boolean} */ isOn, /** @type {boolean} */ isRange) => {
    const order = fitting.map((one) => one.id);
    const [from, to] = [order.indexOf(lastPicked), order.indexOf(id)].sort((one, other) => one - other);
    for (const one of isRange && from >= 0 ? order.slice(from, to + 1) : [id]) {
      if (isOn) selected.add(one);
      else selected.delete(one);
    }
    lastPicked = id;
    showSelection();
    chosen();
  };
  const showSelection = () => {
    for (const [id, card] of cards) {
      const isOn = selected.has(id);
      card.classList.toggle("on", isOn);
      /** @type {HTMLInputElement} */ (card.querySelector("input[type=checkbox]")).checked = isOn;
    }
  };
  const card = (/** @type {Item} */ item) => {
    const name = item.id.split("/").at(-1) ?? item.id;
    const box = el("input", { type: "checkbox", "aria-label": t("Choose {name}", { name }) });
    box.addEventListener("click", (event) => pick(item.id, box.checked, /** @type {MouseEvent} */ (event).shiftKey));
    const text = el("textarea", { rows: "3", "aria-label": t("Caption of {name}", { name }), spellcheck: "false" });
    const note = el("span", { class: "tr-note" });
    const save = async () => {
      const [now, caption] = [byId(item.id) ?? item, text.value.trim()];
      if (caption === now.caption) {
        captions.forget(item.id);
        return;
      }
      note.textContent = t("Saving…");
      try {
        const writing = captions.write(now, caption, () => write(now, caption));
        now.caption = caption;
        await writing;
        note.textContent = t("Saved");
      } catch (error) {
        const held = byId(item.id); // a list may have come meanwhile
        if (held) held.caption = captions.latest(held);
        note.textContent = /** @type {Error} */ (error).message;
      }
    };
    text.addEventListener("change", save);
    text.addEventListener("blur", save); // what could not be written is tried again
    text.addEventListener("input", () => {
      captions.type(item.id, text.value);
      note.textContent = "";
    });
    text.addEventListener("keydown", (event) => {
      const pressed = /** @type {KeyboardEvent} */ (event);
      const isNext = pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey);
      if (!isNext) return;
      pressed.preventDefault();
      pressed.stopPropagation();
      const next = made.nextElementSibling?.querySelector("textarea");
      save();
      next?.focus();
      next?.scrollIntoView({ block: "nearest" });
    });
    const made = el("div", { class: `tr-card${item.broken ? " broken" : ""}`, role: "listitem", "data-id": item.id },
      el("div", { class: "tr-frame" }, item.broken ? el("p", { class: "tr-why" }, t("This file cannot be read: {reason}", { reason: item.broken })) : framed(item, name), el("label", { class: "tr-tick" }, box)),
      text, el("div", { class: "tr-under" }, el("span", { title: item.id }, name), note));
    return made;
  };
  const framed = (/** @type {Item} */ item, /** @type {string} */ name) => {
    const [left, top, width, height] = item.crop ?? [0, 0, 1, 1];
    const window_ = el("i", { class: "tr-crop" });
    window_.style.cssText = `left:${left * 100}%;top:${top * 100}%;width:${width * 100}%;height:${height * 100}%`;
    const size = item.bucket ? `${item.bucket[0]} × ${item.bucket[1]}` : "";
    const sheet = el("button", { type: "button", class: "tr-sheet", "aria-label": t("Show {name} large", { name }), onclick: () => open(byId(item.id) ?? item) }, el("img", { alt: "" }), window_);
    const [wide, high] = [item.width ?? 1, item.height ?? 1];
    sheet.style.cssText = `aspect-ratio:${wide}/${high};${wide >= high ? "width:100%" : "height:100%"}`;
    return el("div", { class: "tr-fitted" }, sheet, el("span", { class: "tr-size" }, size));
  };
  const draw = () => {
    const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
    fitting = items.filter((item) => parts.every((part) => `${item.caption} ${item.id}`.toLowerCase().includes(part)));
    seen.disconnect();
    keyed(node, fitting.slice(0, limit), ({ caption: _, usual: __, ...facts }) => JSON.stringify([shown, facts]), card, (made, item) => {
      const box = /** @type {HTMLTextAreaElement} */ (made.querySelector("textarea"));
      box.placeholder = item.usual || t("No caption yet");
      if (box.value !== captions.shown(item)) box.value = captions.shown(item);
    });
    cards = new Map(/** @type {HTMLElement[]} */ ([...node.children]).map((one) => [one.dataset.id ?? "", one]));
    for (const one of cards.values()) seen.observe(one);
    more.hidden = fitting.length <= limit;
    more.textContent = t("Show {n} more", { n: Math.min(AT_ONCE, fitting.length - limit) });
    showSelection();
  };
  return {
    node,
    more,
    /** A list of this data set is asked for now. @returns {number} for `show` */
    asks: (/** @type {string} */ name) => {
      if (!kept.has(name)) kept.set(name, new Captions());
      return kept.get(name)?.asks() ?? 0;
    },
    /**
     * Show a data set, or the same one again.
     * @param {string} name @param {Item[]} list @param {boolean} isOther @param {number} asked when it was asked for
     */
    show: (name, list, isOther, asked) => {
      [shown, captions] = [name, kept.get(name) ?? captions];
      items = captions.joined(list, asked);
      if (isOther) [limit, selected, words] = [AT_ONCE, new Set(), ""];
      selected = new Set([...selected].filter((id) => byId(id)));
      draw();
      chosen();
    },
    /** Note captions of a data set that were changed, without drawing the cards anew. */
    note: (/** @type {string} */ name, /** @type {Record<string, string>} */ changed) => {
      for (const [id, text] of Object.entries(changed)) {
        kept.get(name)?.note(id, text);
        if (name !== shown) continue;
        const item = byId(id);
        if (item) item.caption = text;
        const box = cards.get(id)?.querySelector("textarea");
        if (box && item) box.value = captions.shown(item);
      }
    },
    search: (/** @type {string} */ text) => {
      words = text;
      draw();
    },
    crops: (/** @type {boolean} */ isOn) => {
      showsCrop = isOn;
      node.classList.toggle("crops", showsCrop);
    },
    /** Choose these; null: all that fit the search. */
    choose: (/** @type {string[]|null} */ ids) => {
      selected = new Set(ids ?? fitting.map((one) => one.id));
      showSelection();
      chosen();
    },
    /** The ids of those that are chosen. */
    chosen: () => items.filter((one) => selected.has(one.id)).map((one) => one.id),
    items: () => items,
    /** The data set that is shown. */
    name: () => shown,
  };
}
