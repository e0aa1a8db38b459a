// The pictures that a training draws on its way: a row for each prompt, a column for each step.

import { el, openDialog, t } from "./kit.js";

const NAME = /^sample_(\d+)_(\d+)$/;

/** Step and number of the prompt of a recorded picture; null for other parts. @returns {[number, number]|null} */
export function placeOf(/** @type {string} */ name) {
  const found = NAME.exec(name);
  return found ? [Number(found[1]), Number(found[2])] : null;
}

/** The table; `show` takes the addresses of pictures by their names, and the prompts. */
export function samples() {
  const node = el("div", { class: "tr-samples", tabindex: "0", role: "region", "aria-label": t("Samples"), hidden: true });
  let told = "";
  const show = (/** @type {Map<string, string>} */ pictures, /** @type {string[]} */ prompts) => {
    const places = [...pictures.keys()].map((name) => /** @type {[number, number]} */ (placeOf(name)));
    const now = JSON.stringify([[...pictures.keys()], prompts]);
    if (now === told) return;
    told = now;
    node.hidden = !places.length;
    const steps = [...new Set(places.map(([step]) => step))].sort((one, other) => one - other);
    const rows = [...new Set(places.map(([, row]) => row))].sort((one, other) => one - other);
    const wording = (/** @type {number} */ row) => prompts[row] || t("Prompt {n}", { n: row + 1 });
    const cell = (/** @type {number} */ step, /** @type {number} */ row) => {
      const address = pictures.get(`sample_${step}_${row}`);
      if (!address) return el("td", {});
      const name = t("{prompt}, step {step}", { prompt: wording(row), step });
      return el("td", {}, el("button", { type: "button", "aria-label": name, onclick: () => openDialog({ title: name, className: "tr-large" }, el("img", { src: address, alt: name })) }, el("img", { src: address, alt: "", loading: "lazy" })));
    };
    const isAtEnd = node.scrollLeft + node.clientWidth >= node.scrollWidth - 20;
    node.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("Step")), ...steps.map((step) => el("th", { scope: "col" }, String(step))))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, el("th", { scope: "row", title: wording(row) }, wording(row)), ...steps.map((step) => cell(step, row)))))));
    if (isAtEnd) node.scrollLeft = node.scrollWidth;
  };
  return { node, show };
}
