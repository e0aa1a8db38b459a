// The list of all runs, as the extension tells them.

import { el, t } from "./kit.js";
import { methodWords, stateWords } from "./train_words.js";
import { useIt } from "./train_run.js";

/**
 * @param {{list: () => Promise<*[]>, resume: (run: string) => void, isBusy: () => boolean}} about
 */
export function runsList({ list, resume, isBusy }) {
  const body = el("div", { class: "tr-list" });
  const node = el("section", { class: "tr-runs", "aria-label": t("All runs"), hidden: true }, el("h2", {}, t("All runs")), body);
  const row = (/** @type {*} */ run) => {
    const act = (/** @type {string} */ label, /** @type {() => void} */ does) => el("button", { type: "button", class: "f-quiet", "aria-label": `${label}: ${run.run}`, onclick: does }, label);
    const facts = [methodWords(run.method), run.base, t("step {step} of {steps}", { step: run.step ?? 0, steps: run.steps ?? 0 }), stateWords(run.state ?? "")].filter(Boolean).join(" · ");
    return el("div", { class: "tr-row" }, el("b", {}, run.run), el("span", {}, facts),
      run.state !== "done" && !isBusy() && act(t("Resume"), () => resume(run.run)), Boolean(run.output) && act(t("Use it"), () => useIt(run)));
  };
  const refresh = async () => {
    try {
      const runs = await list();
      node.hidden = !runs.length;
      body.replaceChildren(...runs.map(row));
    } catch (error) {
      node.hidden = false;
      body.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, /** @type {Error} */ (error).message));
    }
  };
  return { node, refresh };
}
