// A run taken along: a strip, an animation or a film of one of its four pictures.
import { el, t } from "./kit.js";

const KINDS = Object.freeze({ png: () => t("Strip (PNG)"), gif: () => t("Animation (GIF)"), mp4: () => t("Film (MP4)") });
const ROWS = Object.freeze({ noisy: () => t("Noisy latent"), noise: () => t("Predicted noise"), clean: () => t("Clean estimate"), guidance: () => t("Guidance") });

export class RunExport {
  /** @param {import("./learn_shared.js").Shared} shared */
  constructor(shared) {
    this.shared = shared;
    this.row = el("select", { "aria-label": t("What is exported"), id: "learn_export_row" }, ...Object.entries(ROWS).map(([name, title]) => el("option", { value: name }, title())));
    this.row.value = "clean";
    this.buttons = Object.entries(KINDS).map(([kind, title]) => el("button", { type: "button", class: "small", onclick: () => this.#take(kind) }, title()));
    this.note = el("p", { class: "learn-hint", role: "status" });
    this.element = el("div", { class: "learn-export" }, this.row, ...this.buttons);
  }

  /** What stands in the explanation. @returns {Node[]} */
  parts() {
    return [el("h2", {}, t("Take it along")), this.element, this.note];
  }

  async #take(kind) {
    const { run } = this.shared;
    if (!run) return;
    this.#able(false);
    this.note.textContent = t("Making the file …");
    try {
      const answer = await fetch(`${window.webui.base}internal/page/learn/${run.job}/film/${this.row.value}.${kind}`);
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? String(answer.status));
      const address = URL.createObjectURL(await answer.blob());
      const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))?.[1] ?? `run.${kind}`;
      el("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      this.note.textContent = "";
    } catch (error) {
      this.note.textContent = error.message;
    } finally {
      this.#able(true);
    }
  }

  #able(isAble) {
    for (const button of this.buttons) button.disabled = !isAble;
  }
}
