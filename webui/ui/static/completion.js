// Completes what is typed in a prompt box: tags, networks, embeddings, names of files with random words, styles. Nothing is asked for a key.

import { say } from "./bus.js";
import { data } from "./completion_data.js";
import { CompletionList } from "./completion_list.js";
import { completed, networkText, placeAt, queries, tagText } from "./completion_place.js";
import { chosen } from "./completion_wishes.js";
import { box, noteChange } from "./prompt_boxes.js";
import { isWriting, write } from "./prompt_keys.js";

const PAGE = 5; // rows of PageUp and PageDown

export class Completion {
  /** @param {"prompt"|"negative"} which */
  constructor(which) {
    this.box = box(which);
    this.place = null;
    this.isAwaited = false; // the list opens once the data is here, unless something else is done before
    this.list = new CompletionList(this.box, (row) => this.choose(row));
    this.box.addEventListener("input", (event) => this.typed(event));
    this.box.addEventListener("keydown", (event) => this.pressed(event), true);
    this.box.addEventListener("blur", () => this.close());
    this.box.addEventListener("scroll", () => this.list.close());
    this.box.addEventListener("pointerdown", () => this.close());
  }

  /** Close the list, and do not open what the last letter has asked for. */
  close() {
    this.isAwaited = false;
    this.list.close();
  }

  typed(event) {
    if (isWriting() || document.activeElement !== this.box) {
      this.close();
      return;
    }
    const wishes = chosen();
    if (!wishes.on || event.isComposing) return;
    this.isAwaited = true;
    if (data.isHere) this.show();
    else data.load().then(() => this.isAwaited && this.show());
  }

  /** Show what fits at the cursor. */
  show() {
    this.isAwaited = false;
    const { value, selectionStart: at, selectionEnd: end } = this.box;
    const place = at === end ? placeAt(value, at) : null;
    const { rows } = chosen();
    for (const { query, start } of place ? queries(place) : []) {
      const found = data.search(place, query, rows);
      if (found.length === 0 || (found.length === 1 && isWhole(found[0], query))) continue;
      this.place = { ...place, start };
      this.list.show(found, query, data.board);
      return;
    }
    this.list.close();
  }

  pressed(event) {
    if (!this.list.isOpen || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) {
      if (!["Control", "Meta", "Alt", "Shift"].includes(event.key)) this.close();
      return;
    }
    const { list } = this;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE }[event.key];
    if (by !== undefined && !event.shiftKey) {
      list.move(by);
    } else if ((event.key === "Home" || event.key === "End") && list.marked >= 0 && !event.shiftKey) {
      list.mark(event.key === "Home" ? 0 : list.rows.length - 1);
    } else if (event.key === "Escape") {
      list.close();
    } else if (!event.shiftKey && ((event.key === "Enter" && list.marked >= 0) || event.key === "Tab")) {
      this.choose(list.rows[Math.max(0, list.marked)]);
    } else {
      if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) list.close();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {import("./completion_data.js").Row} row */
  choose(row) {
    const { place } = this;
    const wishes = chosen();
    this.list.close();
    if (!place || !row) return;
    if (row.kind === "style") {
      write(this.box, completed(this.box.value, place, "", false));
      say("style:choose", { name: row.name });
    } else {
      write(this.box, completed(this.box.value, place, textOf(row, place, wishes), wishes.comma && !place.isNamed));
    }
    noteChange();
  }
}

function textOf(row, place, wishes) {
  if (row.kind === "tag") return tagText(row.name, wishes);
  if (row.kind === "wildcard") return `__${row.name}__`;
  return networkText(row, place.isNamed);
}

const isWhole = (row, query) => row.name.replaceAll("_", " ") === query.trim().replaceAll("_", " ");
