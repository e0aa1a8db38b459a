// What is in a model file: kind, formats of numbers, blocks, shapes, training, recipe. Asked for when it is opened.

import { el, t } from "./kit.js";
import { bytesInWords } from "./file_size.js";
import { ask } from "./page_requests.js";

/** @param {string} address of the card's route @returns {HTMLElement} */
export function inside(address) {
  const body = el("div", { class: "inside" });
  const made = el("details", {}, el("summary", {}, t("What is in this file")), body);
  made.addEventListener("toggle", async () => {
    if (!made.open || body.childElementCount > 0) return;
    body.replaceChildren(el("p", { role: "status" }, t("Reading the file …")));
    try {
      body.replaceChildren(...parts(await ask(`${address}/inside`)));
    } catch (error) {
      body.replaceChildren(el("p", { class: "fault", role: "alert" }, error.message));
    }
  });
  return made;
}

function parts(found) {
  const numbers = found.numbers.toLocaleString();
  return [
    el("p", {}, [found.kind, t("{n} tensors with {numbers} numbers", { n: found.tensors, numbers })].filter(Boolean).join(" · ")),
    bars(t("Formats"), found.formats),
    bars(t("Blocks"), found.blocks),
    found.strengths.length > 0 && strengths(found.strengths),
    found.training.length > 0 && table(t("Training"), found.training.map(([name, value]) => [t(name), value])),
    found.recipe && el("details", {}, el("summary", {}, t("Recipe")), el("pre", {}, found.recipe)),
    shapes(found),
  ].filter(Boolean);
}

// how strongly a LoRA acts in each block, beside the others
function strengths(all) {
  const most = Math.max(...all.map((one) => one.strength)) || 1;
  const rows = all.map((one) => {
    const bar = el("i", { class: "bar" });
    bar.style.width = `${(100 * one.strength) / most}%`;
    return el("tr", {}, el("th", { scope: "row" }, t(one.name)), el("td", { class: "number" }, `${Math.round((100 * one.strength) / most)} %`), el("td", { class: "bar-cell" }, bar), el("td", { class: "number" }, t("{n} layers", { n: one.layers })));
  });
  const title = t("Strength by block, beside the strongest");
  return el("table", { class: "metadata parts", "aria-label": title }, el("caption", {}, title), el("tbody", {}, ...rows));
}

// a row for each part, with a bar for its share of the bytes
function bars(title, all) {
  const most = Math.max(1, ...all.map((part) => part.bytes));
  const rows = all.map((part) => {
    const bar = el("i", { class: "bar" });
    bar.style.width = `${(100 * part.bytes) / most}%`;
    return el("tr", {}, el("th", { scope: "row" }, t(part.name)), el("td", { class: "number" }, bytesInWords(part.bytes)), el("td", { class: "bar-cell" }, bar), el("td", { class: "number" }, t("{n} tensors", { n: part.tensors })));
  });
  return el("table", { class: "metadata parts", "aria-label": title }, el("caption", {}, title), el("tbody", {}, ...rows));
}

function table(title, rows) {
  return el("table", { class: "metadata", "aria-label": title }, el("caption", {}, title), el("tbody", {}, ...rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { translate: "no" }, value)))));
}

function shapes(found) {
  const rows = found.shapes.map((one) => [`${one.tensors} × ${one.shape.join(" × ") || "1"} ${one.dtype}`, one.names.join(", ") + (one.tensors > one.names.length ? " …" : "")]);
  const hidden = found.hidden_shapes > 0 && el("p", { class: "hint" }, t("{n} more shapes are not shown.", { n: found.hidden_shapes }));
  return el("details", {}, el("summary", {}, t("Tensors by shape")), table(t("Tensors by shape"), rows), hidden);
}
