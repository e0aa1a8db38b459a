// The list of all runs, as the extension tells them.

import { el, openDialog, t } from "./kit.js";
import { methodWords, stateWords } from "./train_words.js";
import { useIt } from "./train_run.js";

/**
 * @param {{list: () => Promise<*[]>, resume: (run: string) => void, isBusy: () => boolean, shown: () => string,
 *   open: ((run: string) => Promise<void>)|null, remove: ((run: string) => Promise<*>)|null}} about
 *   `open` is null where a run cannot be looked at again, `remove` where runs stay
 */
export function runsList({ list, resume, isBusy, shown, open, remove }) {
  const body = el("div", { class: "tr-list" });
  const node = el("section", { class: "tr-runs", "aria-label": t("All runs"), hidden: true }, el("h2", {}, t("All runs")), body);
  /** @type {*[]} */
  let told = [];
  const row = (/** @type {*} */ run) => {
    const act = (/** @type {string} */ label, /** @type {() => void} */ does) => el("button", { type: "button", class: "f-quiet", "aria-label": `${label}: ${run.run}`, onclick: does }, label);
    const facts = [methodWords(run.method), run.base, t("step {step} of {steps}", { step: run.step ?? 0, steps: run.steps ?? 0 }), stateWords(run.state !== "done" && !isBusy() ? "paused" : run.state ?? "")].filter(Boolean).join(" · ");
    const look = Boolean(open) && act(t("Show"), () => open?.(run.run).then(mark));
    return el("div", { class: "tr-row", "data-run": run.run }, el("b", {}, run.run), el("span", {}, facts), look,
      run.state !== "done" && !isBusy() && act(t("Resume"), () => resume(run.run)), Boolean(run.output) && act(t("Use it"), () => useIt(run)),
      Boolean(remove) && !isBusy() && act(t("Remove"), () => askFirst(run.run)));
  };
  const askFirst = (/** @type {string} */ run) => {
    const said = el("p", { role: "alert" });
    const go = el("button", { type: "button", class: "primary" }, t("Remove"));
    const dialog = openDialog({ title: run }, el("p", {}, t("Its checkpoints go, so it cannot go on. The file that it made stays.")), said, el("div", { class: "form-buttons" }, go));
    go.addEventListener("click", async () => {
      try {
        await remove?.(run);
        dialog.close();
        await refresh();
      } catch (error) {
        said.textContent = /** @type {Error} */ (error).message;
      }
    });
  };
  /** Mark the run that is looked at. */
  const mark = () => {
    for (const one of body.children) {
      const isShown = /** @type {HTMLElement} */ (one).dataset.run === shown();
      one.classList.toggle("on", isShown);
      one.setAttribute("aria-current", String(isShown));
    }
  };
  /** Draw it again, as what can be done with a run depends on whether one is under way. */
  const redraw = () => {
    if (!told.length) return; // the list is empty, or it is said why there is none
    body.replaceChildren(...told.map(row));
    mark();
  };
  /** Ask for the list, and give it back. @returns {Promise<*[]>} */
  const refresh = async () => {
    try {
      told = await list();
      node.hidden = !told.length;
      redraw();
      return told;
    } catch (error) {
      told = [];
      node.hidden = false;
      body.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, /** @type {Error} */ (error).message));
      return [];
    }
  };
  return { node, refresh, redraw };
}
