// The list that opens at the cursor of a prompt box. The box keeps the focus; the marked row is told by
// `aria-activedescendant`.

import { el, t } from "./kit.js";
import { searchable, short } from "./tag_search.js";

const KINDS = Object.freeze({
  lora: () => "LoRA",
  hypernetwork: () => t("Hypernetwork"),
  embedding: () => t("Embedding"),
  wildcard: () => t("Wildcard"),
  style: () => t("Style"),
});
const CATEGORIES = Object.freeze({
  danbooru: { 1: () => t("Artist"), 3: () => t("Copyright"), 4: () => t("Character"), 5: () => t("Meta") },
  e621: { 1: () => t("Artist"), 3: () => t("Copyright"), 4: () => t("Character"), 5: () => t("Species"), 6: () => t("Invalid"), 7: () => t("Meta"), 8: () => t("Lore") },
  derpibooru: { 1: () => t("Artist"), 3: () => t("Copyright"), 4: () => t("Character"), 5: () => t("Species"), 6: () => t("Invalid"), 7: () => t("Meta"), 8: () => t("Lore") },
});
const NARROW = 720; // pixels of the window, below which the list is as wide as the box
const WIDTH = 360;
let made = 0;

export class CompletionList {
  /**
   * @param {HTMLTextAreaElement} box
   * @param {(row: import("./completion_data.js").Row) => void} choose
   */
  constructor(box, choose) {
    made += 1;
    Object.assign(this, { box, choose, rows: [], marked: -1 });
    this.list = el("ul", { id: `completion_${made}`, class: "completion", role: "listbox", "aria-label": t("Suggestions"), hidden: true });
    this.said = el("p", { class: "unseen", role: "status" });
    box.setAttribute("aria-autocomplete", "list");
    box.setAttribute("aria-haspopup", "listbox");
    box.setAttribute("aria-controls", this.list.id);
    box.setAttribute("autocomplete", "off");
    (document.querySelector(".gradio-container") ?? document.body).append(this.list, this.said);
    // a press must not take the focus from the box
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) choose(this.rows[Number(row.dataset.place)]);
    });
    window.addEventListener("resize", () => this.close());
  }

  get isOpen() {
    return !this.list.hidden;
  }

  /** @param {import("./completion_data.js").Row[]} rows @param {string} query @param {string} board */
  show(rows, query, board) {
    const wasOpen = this.isOpen;
    this.rows = rows;
    this.list.replaceChildren(...rows.map((row, place) => option(row, query, board, `${this.list.id}_${place}`, place)));
    this.list.hidden = false;
    this.mark(-1);
    this.put();
    if (!wasOpen) this.said.textContent = t("{n} suggestions: arrow keys to choose, Tab takes the first", { n: rows.length });
  }

  close() {
    if (!this.isOpen) return;
    this.list.hidden = true;
    this.marked = -1;
    this.said.textContent = "";
    this.box.removeAttribute("aria-activedescendant");
  }

  /** Mark the row so many further on; past an end comes the other end. */
  move(by) {
    const last = this.rows.length - 1;
    if (Math.abs(by) > 1) this.mark(Math.min(last, Math.max(0, this.marked + by)));
    else if (this.marked < 0) this.mark(by > 0 ? 0 : last);
    else this.mark((this.marked + by + this.rows.length) % this.rows.length);
  }

  mark(place) {
    this.marked = place;
    [...this.list.children].forEach((row, at) => row.setAttribute("aria-selected", String(at === place)));
    const row = this.list.children[place];
    if (row) {
      this.box.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    } else {
      this.box.removeAttribute("aria-activedescendant");
    }
  }

  // Above the line of the cursor, as the boxes stand at the lower end of the page; below it where there is more room.
  put() {
    const { left, top, line } = cursor(this.box);
    const width = innerWidth < NARROW ? innerWidth - 16 : Math.min(WIDTH, innerWidth - 16);
    const above = top - 8;
    const below = innerHeight - top - line - 8;
    const isAbove = above >= below || above >= 240;
    Object.assign(this.list.style, {
      width: `${width}px`,
      left: `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`,
      top: isAbove ? "auto" : `${top + line + 2}px`,
      bottom: isAbove ? `${innerHeight - top + 2}px` : "auto",
      maxHeight: `${Math.max(120, isAbove ? above : below)}px`,
    });
  }
}

function option(row, query, board, id, place) {
  const category = row.kind === "tag" ? CATEGORIES[board]?.[row.category]?.() ?? "" : KINDS[row.kind]();
  const colour = row.kind === "tag" ? `${board === "danbooru" ? "d" : "e"}${row.category}` : row.kind;
  const note = row.kind === "tag" ? row.note || (row.count ? short(row.count) : "") : row.base ?? "";
  return el(
    "li",
    { role: "option", id, "data-place": place, "data-category": colour, "aria-selected": "false" },
    el("span", { class: "completion-name" }, ...(row.alias ? [...matched(row.alias, query), " → ", row.name] : matched(row.name, query))),
    category && el("small", { class: "completion-kind" }, category),
    note && el("small", { class: "completion-count" }, note),
  );
}

function matched(name, query) {
  const wanted = searchable(query.trim());
  const at = searchable(name).indexOf(wanted);
  return at < 0 || wanted === "" ? [name] : [name.slice(0, at), el("b", {}, name.slice(at, at + wanted.length)), name.slice(at + wanted.length)];
}

const COPIED = ["font", "letterSpacing", "textTransform", "wordSpacing", "textIndent", "whiteSpace", "overflowWrap", "wordBreak", "lineHeight", "padding", "border", "boxSizing", "tabSize"];

// Where the cursor of a box stands in the window: a copy of the text before it is laid out like the box.
function cursor(box) {
  const style = getComputedStyle(box);
  const copy = el("div", { "aria-hidden": "true" });
  for (const name of COPIED) copy.style[name] = style[name];
  Object.assign(copy.style, { position: "fixed", visibility: "hidden", top: "0", left: "0", width: `${box.clientWidth}px`, whiteSpace: "pre-wrap", overflowWrap: "break-word" });
  const end = el("span", {}, "\u200b");
  copy.append(box.value.slice(0, box.selectionStart), end);
  document.body.append(copy);
  const place = end.getBoundingClientRect();
  copy.remove();
  const around = box.getBoundingClientRect();
  const line = place.height || 20;
  const top = Math.min(around.bottom - line, Math.max(around.top, around.top + place.top - box.scrollTop));
  return { left: around.left + place.left - 8, top, line };
}
