// The prompts that were sent from this browser, in a panel with a search; a click puts one back into the boxes.

import { DockPanel } from "./dock_panel.js";
import { el, icon, iconButton, t } from "./kit.js";
import { setPrompt } from "./prompt_boxes.js";

const MOST_ROWS = 100; // drawn at once

export class HistoryPanel {
  /** @param {HTMLElement} place, @param {import("./prompt_history.js").PromptHistory} history */
  constructor(place, history) {
    this.history = history;
    const button = el("button", { type: "button", class: "quiet", id: "txt2img_prompt_history" }, icon("repeat"), el("span", {}, t("History")));
    this.panel = el("div", { class: "history-panel" });
    place.append(button, this.panel);
    this.dock = new DockPanel(button, this.panel, { label: t("Prompts that were sent"), shown: () => this.show(), focus: () => this.search });
    this.search = el("input", { type: "search", placeholder: t("Search prompts"), "aria-label": t("Search prompts"), maxlength: "400" });
    this.search.addEventListener("input", () => this.show());
    this.wipe = el("button", { type: "button", class: "quiet" }, t("Forget all"));
    this.wipe.addEventListener("click", () => this.forgetAll());
    this.note = el("p", { class: "panel-empty", role: "status" });
    this.list = el("ul", { class: "style-list" });
    this.panel.append(el("div", { class: "panel-bar" }, el("label", { class: "search" }, icon("search"), this.search), this.wipe, this.dock.cross()), this.note, this.list);
  }

  show() {
    const found = this.history.search(this.search.value);
    this.wipe.disabled = this.history.entries().length === 0;
    this.wipe.textContent = t("Forget all");
    delete this.wipe.dataset.sure;
    this.note.hidden = found.length > 0;
    this.note.textContent = this.search.value.trim() ? t("Nothing fits this search.") : t("Prompts come here when you press Generate. They stay in this browser.");
    this.list.replaceChildren(...found.slice(0, MOST_ROWS).map((entry) => this.row(entry)));
  }

  row(entry) {
    const use = el("button", { type: "button", class: "style-use", title: entry.prompt, onclick: () => this.use(entry) },
      el("b", {}, entry.prompt), el("small", {}, entry.negative ? t("Negative: {text}", { text: entry.negative }) : new Date(entry.at).toLocaleString()));
    const away = iconButton("close", t("Forget this prompt"), { onclick: () => { this.history.remove(entry); this.show(); this.search.focus(); } });
    return el("li", { class: "style-row" }, use, away);
  }

  use(entry) {
    setPrompt("prompt", entry.prompt);
    setPrompt("negative", entry.negative);
    this.dock.close();
  }

  forgetAll() {
    if (!this.wipe.dataset.sure) {
      this.wipe.dataset.sure = "yes";
      this.wipe.textContent = t("Forget all? Press again");
      return;
    }
    this.history.clear();
    this.show();
    this.search.focus();
  }
}
