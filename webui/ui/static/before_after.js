// Two pictures over each other, with a line that is moved over them.

import { el, t } from "./kit.js";

/** @returns {{node: HTMLElement, show: (after: string, before: string, alt: string) => void, clear: (text: string) => void}} */
export function beforeAfter() {
  const under = el("img", { class: "before", alt: "" });
  const over = el("img", { class: "after", alt: "" });
  const line = el("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": t("Compare with the picture before") });
  const empty = el("p", { class: "u-empty" });
  const node = el("div", { class: "u-view" }, under, over, line, empty);
  const move = () => node.style.setProperty("--share", `${line.value}%`);
  line.addEventListener("input", move);
  move();
  const fit = () => {
    // the slider lies exactly over the picture, so that its handle is the line
    const { naturalWidth: width, naturalHeight: height } = over;
    if (!width) return;
    const scale = Math.min(node.clientWidth / width, node.clientHeight / height);
    node.style.setProperty("--width", `${width * scale}px`);
    node.style.setProperty("--height", `${height * scale}px`);
  };
  over.addEventListener("load", fit);
  new ResizeObserver(fit).observe(node);
  return {
    node,
    show(after, before, alt) {
      under.src = before;
      over.src = after;
      over.alt = alt;
      under.hidden = line.hidden = !before;
      over.hidden = false;
      empty.hidden = true;
      node.classList.toggle("compares", Boolean(before));
    },
    clear(text) {
      under.hidden = over.hidden = line.hidden = true;
      empty.hidden = false;
      empty.textContent = text;
    },
  };
}
