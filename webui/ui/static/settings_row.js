// One setting of the program: its words, its control, its mark when it is not as usual, and what became of a change.
import { say } from "./bus.js";
import { el, iconButton, pickList, segments, t, toggle } from "./kit.js";
import { ask } from "./server_answers.js";

const COUNTS = { now: "", "next job": "Counts from the next job on.", "next start": "Counts from the next start on." };
const EXAMPLE_AFTER = 250; // milliseconds without a key

/** @param {import("./settings.js").Setting} setting @returns {import("./settings.js").Row} */
export function settingRow(setting) {
  const row = new SettingRow(setting);
  return { element: row.element, words: () => row.words, renew: (now) => row.renew(now) };
}

class SettingRow {
  #sent = 0; // how often something was sent: only the answer to the last is shown
  #drawn; // the text that its box was drawn with

  constructor(setting) {
    const id = `setting_row_${setting.name}`;
    this.reset = iconButton("undo", t("Reset {name}", { name: t(setting.label) }), { class: "icon-button setting-reset", onclick: () => this.#send("preferences/reset", { names: [setting.name] }) });
    this.help = el("p", { class: "setting-help", id: `${id}_help` }, t(setting.help));
    this.mark = el("span", { class: "setting-mark" }, t("changed"));
    this.note = el("p", { class: "setting-note", role: "status" });
    this.example = setting.control === "pattern" ? el("p", { class: "setting-example", translate: "no" }) : null;
    this.id = id;
    this.place = el("div", { class: "setting-control" });
    const isSwitch = setting.control === "switch" || setting.secret;
    this.head = el("div", { class: "setting-head" }, isSwitch ? null : el("label", { for: id, id: `${id}_label` }, t(setting.label)), this.mark, this.reset);
    this.element = el("div", { class: `setting${isSwitch ? " of-switch" : ""}`, "data-setting": setting.name }, this.head, this.help, this.place, this.example, this.note);
    this.show(setting);
  }

  get words() {
    const { name, label, help, value } = this.setting;
    return [name, label, help, t(label), t(help), Array.isArray(value) ? value.join(" ") : typeof value === "string" ? value : ""].join(" ");
  }

  /**
   * Show it as the server has it.
   * @param {boolean} isTyped its control holds what was typed meanwhile, and stays
   */
  show(setting, isTyped = false) {
    this.setting = setting;
    this.mark.hidden = !setting.changed || setting.secret;
    this.reset.hidden = !setting.changed || Boolean(setting.locked);
    if (!isTyped) {
      this.place.replaceChildren(this.#control());
      this.#drawn = this.#text;
    }
    for (const one of this.place.querySelectorAll("input, textarea, button")) {
      one.disabled = Boolean(setting.locked);
      if (!one.hasAttribute("aria-describedby")) one.setAttribute("aria-describedby", this.help.id);
    }
    const given = setting.given_by && t("It was given by {name} when the program was started, which counts over what is set here.", { name: setting.given_by });
    this.#say(given || t(setting.locked) || (setting.pending ? t(COUNTS["next start"]) : ""));
    if (this.example) this.#showExample();
  }

  /** Show it as the server has it by now; what is typed in its box stays. */
  renew(setting) {
    if (JSON.stringify(setting) !== JSON.stringify(this.setting)) this.show(setting, this.#text !== this.#drawn);
  }

  #control() {
    const { control, label, value, choices, low, high, whole, secret } = this.setting;
    if (secret) return el("div", { class: "setting-secret" }, el("span", {}, t(label)), el("span", {}, value ? t("set") : t("not set")));
    if (control === "switch") return toggle(t(label), value, (isOn) => this.#change(isOn));
    if (control === "choice") {
      const offered = choices.map((one) => ({ value: one, label: t(one) }));
      const made = choices.length <= 4 ? segments(t(label), offered, value, (one) => this.#change(one)) : pickList(t(label), offered, value, (one) => this.#change(one));
      made.id = this.id;
      return made;
    }
    if (control === "list") {
      const box = el("textarea", { id: this.id, rows: Math.max(2, value.length), spellcheck: "false" });
      box.value = value.join("\n");
      box.addEventListener("change", () => this.#change(box.value.split("\n").map((one) => one.trim()).filter(Boolean)));
      return box;
    }
    if (control === "number") {
      const box = el("input", { type: "number", id: this.id, min: low, max: high, step: whole ? 1 : "any" });
      box.value = String(value);
      box.addEventListener("change", () => this.#change(box.value === "" ? null : Number(box.value)));
      return box;
    }
    const box = el("input", { type: "text", id: this.id, spellcheck: "false", autocomplete: "off" });
    box.value = value ?? "";
    box.addEventListener("change", () => this.#change(box.value));
    if (control === "pattern") box.addEventListener("input", () => this.#showExample(EXAMPLE_AFTER));
    return box;
  }

  #change(value) {
    return this.#send("preferences", { values: { [this.setting.name]: value } });
  }

  async #send(path, body) {
    const { name } = this.setting;
    const [turn, text] = [(this.#sent += 1), this.#text];
    try {
      const answer = await ask(path, body);
      if (turn !== this.#sent) return;
      const { state, text: reason } = answer.outcomes[name];
      if (state === "refused") {
        this.#say(t(reason), true);
        return;
      }
      const hadFocus = this.element.contains(document.activeElement);
      const isTyped = this.#text !== text;
      this.show(answer.settings[0], isTyped);
      say("setting:changed", { setting: answer.settings[0], row: this.element });
      if (hadFocus && !isTyped) this.place.querySelector("input, textarea, button")?.focus({ preventScroll: true });
      this.#say(t(COUNTS[state] || "Saved."));
    } catch (error) {
      if (turn === this.#sent) this.#say(error.message, true);
    }
  }

  // what is typed in its box; nothing where it has none
  get #text() {
    return this.place.querySelector("input:not([type=checkbox]), textarea")?.value;
  }

  #say(text, isError = false) {
    this.note.textContent = text;
    this.note.classList.toggle("error", isError);
  }

  /** What a picture would be called: of the patterns as they stand in both boxes now. */
  #showExample(after = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      const pattern = (name) => document.getElementById(`setting_row_${name}`)?.value;
      const format = document.getElementById("setting_row_image_format")?.value ?? "png";
      const patterns = { filename_pattern: pattern("filename_pattern") ?? "", folder_pattern: pattern("folder_pattern") ?? "", image_format: format };
      try {
        const { name } = await ask("preferences/example", patterns);
        for (const one of document.querySelectorAll(".setting-example")) one.textContent = name;
      } catch (error) {
        this.example.textContent = error.message;
      }
    }, after);
  }
}
