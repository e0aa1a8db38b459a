// The tab Settings: groups at the left with a search field, rows at the right. Settings of the program come from the
// server; those of this browser are drawn by other modules and stand in the same groups.
import { hear } from "./bus.js";
import { el, icon, openDialog, t } from "./kit.js";
import { ask } from "./server_answers.js";
import { completionRows } from "./settings_completion.js";
import { keysRows } from "./settings_keys.js";
import { lookRows } from "./settings_look.js";
import { notificationRows } from "./settings_notifications.js";
import { presetRows } from "./settings_presets.js";
import { settingRow } from "./settings_row.js";
import { openTab } from "./tabs.js";

/**
 * What stands in a group.
 * @typedef {{element: HTMLElement, words: () => string, renew?: (setting?: Setting) => void}} Row `words`: what the search
 *   finds it by; `renew`: shows what it is now
 * @typedef {{name: string, group: string, label: string, help: string, control: string, choices: string[],
 *   low: number|null, high: number|null, whole: boolean, value: any, default: any, changed: boolean, counts: string,
 *   given_by: string, locked: string, pending: boolean, secret: boolean}} Setting
 */

const GROUPS = ["Files", "Look", "Live preview", "Generation defaults", "Memory and speed", "Paths", "Notifications", "Keys", "API and access", "Extensions"];

export function mount({ element }) {
  const page = new SettingsPage(element);
  hear("tab:opened", ({ tab }) => tab === "settings" && page.open());
  if (openTab() === "settings") page.open();
  hear("setting:changed", ({ row }) => page.body.contains(row) || page.renew());
}

class SettingsPage {
  #isOpen = false;
  /** @type {Map<string, Row[]>} */
  #rows = new Map();
  /** @type {Map<string, Row>} of the settings of the program, by their names */
  #ofProgram = new Map();

  constructor(element) {
    this.search = el("input", { type: "search", "aria-label": t("Search settings"), placeholder: t("Search settings"), oninput: () => this.find() });
    this.list = el("ul", {});
    this.body = el("div", { class: "settings-body", tabindex: "-1" });
    this.said = el("p", { class: "settings-said", role: "status" });
    this.body.addEventListener("scroll", () => this.mark(), { passive: true });
    this.none = el("p", { class: "settings-none", hidden: true }, t("No setting has these words."));
    element.append(
      el("nav", { class: "settings-groups", "aria-label": t("Groups of settings") }, el("div", { class: "settings-search" }, icon("search"), this.search), this.list, this.#tools()),
      this.body,
    );
  }

  async open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    try {
      this.show((await ask("preferences")).settings);
    } catch (error) {
      this.show([]);
      this.say(error.message, true);
      this.#isOpen = false; // the next time that the tab is opened it is tried again
    }
  }

  /** A setting was changed elsewhere: the rows show it when the tab is opened next. */
  renew() {
    this.#isOpen = false;
  }

  /** Rows that are there already stay, with what is typed in them. @param {Setting[]} settings */
  show(settings) {
    const isSame = settings.length === this.#ofProgram.size && settings.every((one) => this.#ofProgram.has(one.name));
    if (settings.length && isSame) {
      const byName = new Map(settings.map((one) => [this.#ofProgram.get(one.name), one]));
      for (const row of [...this.#rows.values()].flat()) row.renew?.(byName.get(row));
    } else this.#draw(settings);
    this.find();
  }

  #draw(settings) {
    this.#ofProgram = new Map(settings.map((one) => [one.name, settingRow(one)]));
    const own = { Look: lookRows(), Notifications: notificationRows(), Keys: keysRows(), "Generation defaults": [...completionRows(), ...presetRows((text, isError) => this.say(text, isError))] };
    this.#rows = new Map(GROUPS.map((group) => [group, [...(own[group] ?? []), ...settings.filter((one) => one.group === group).map((one) => this.#ofProgram.get(one.name))]]));
    const filled = [...this.#rows].filter(([, rows]) => rows.length);
    this.body.replaceChildren(this.said, this.none, ...filled.map(([group, rows]) => el("section", { "data-group": group, "aria-label": t(group) }, el("h2", {}, t(group)), ...rows.map((row) => row.element))));
    this.list.replaceChildren(...filled.map(([group]) => el("li", {}, el("button", { type: "button", "data-group": group, onclick: () => this.goTo(group) }, t(group)))));
  }

  /** Show the rows that have all the words of the search field in label, help, value or name. */
  find() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [group, rows] of this.#rows) {
      let isThere = false;
      for (const row of rows) {
        const text = `${t(group)} ${row.words()}`.toLowerCase();
        const isFound = words.every((word) => text.includes(word));
        row.element.hidden = !isFound;
        isThere ||= isFound;
      }
      count += isThere;
      for (const one of [this.body.querySelector(`section[data-group="${group}"]`), this.list.querySelector(`button[data-group="${group}"]`)]) {
        if (one) one.hidden = !isThere;
      }
    }
    this.none.hidden = count > 0 || !this.#rows.size;
    this.mark();
  }

  goTo(group) {
    this.body.querySelector(`section[data-group="${group}"]`)?.scrollIntoView({ block: "start" });
    this.mark(group);
  }

  /** Mark the group in view in the list. */
  mark(chosen) {
    const top = this.body.getBoundingClientRect().top + 80;
    const seen = [...this.body.querySelectorAll("section:not([hidden])")].filter((one) => one.getBoundingClientRect().top <= top).at(-1);
    const group = chosen ?? seen?.dataset.group ?? GROUPS[0];
    for (const button of this.list.querySelectorAll("button")) {
      if (button.dataset.group === group) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  say(text, isError = false) {
    this.said.textContent = text;
    this.said.classList.toggle("error", isError);
    if (text) this.said.scrollIntoView({ block: "nearest" });
  }

  #tools() {
    const file = el("input", { type: "file", accept: ".json,application/json", hidden: true, "aria-label": t("Read settings from a file"), onchange: () => this.#read(file) });
    return el(
      "div",
      { class: "settings-tools" },
      el("a", { class: "text-button", href: `${window.webui.base}internal/page/preferences/export`, download: "settings.json" }, t("Save settings as a file")),
      el("button", { type: "button", class: "text-button", onclick: () => file.click() }, t("Read settings from a file")),
      el("button", { type: "button", class: "text-button", onclick: () => this.#askForReset() }, t("Reset all settings")),
      file,
    );
  }

  async #read(file) {
    try {
      const values = JSON.parse(await file.files[0].text());
      await this.#tell(await ask("preferences", { values }));
    } catch (error) {
      this.say(error instanceof SyntaxError ? t("This is no file of settings.") : error.message, true);
    } finally {
      file.value = "";
    }
  }

  #askForReset() {
    const yes = el("button", { type: "button", class: "primary-button" }, t("Reset all settings"));
    const dialog = openDialog({ title: t("Reset all settings") }, el("p", {}, t("Every setting of the program that may be changed here gets its default. What this browser keeps stays.")), yes);
    yes.addEventListener("click", async () => {
      dialog.close();
      try {
        await this.#tell(await ask("preferences/reset", {}));
      } catch (error) {
        this.say(error.message, true);
      }
    });
  }

  async #tell({ outcomes }) {
    const all = Object.entries(outcomes);
    const refused = all.filter(([, one]) => one.state === "refused");
    this.show((await ask("preferences")).settings);
    this.say([t("{n} settings were set.", { n: all.length - refused.length }), ...refused.map(([name, one]) => `${name}: ${t(one.text)}`)].join("\n"), refused.length > 0);
  }
}
