// The pages of a sheet: which value of its third axis is in view, beside each other or, where there are many, as a list.
import { el, segments } from "./kit.js";
import { t } from "./language.js";

const FEW = 8; // values that stand beside each other

/**
 * @param {(z: number) => void} turned
 * @returns {{element: HTMLElement, show: (axis: {label: string, values: string[]}|undefined, z: number) => void}}
 */
export function sheetPages(turned) {
  const element = el("div", { class: "s-pages" });
  let drawn = "";
  let pager = null;
  const show = (axis, z) => {
    const wanted = JSON.stringify(axis ?? null);
    if (drawn !== wanted) {
      drawn = wanted;
      pager = axis ? pagerOf(axis, z, turned) : null;
      element.replaceChildren(...(axis ? [el("span", { class: "s-axis" }, t(axis.label)), pager] : []));
    }
    if (pager) pager.value = String(z);
  };
  return { element, show };
}

function pagerOf({ label, values }, z, turned) {
  const choices = values.map((one, at) => ({ value: String(at), label: one }));
  if (choices.length <= FEW) return segments(t(label), choices, String(z), (value) => turned(Number(value)));
  const made = el("select", { "aria-label": t(label) }, ...choices.map((one) => el("option", { value: one.value }, one.label)));
  made.addEventListener("change", () => turned(Number(made.value)));
  return made;
}
