// Two cells of a sheet over each other at full size, with a line that is moved across them.
import { el } from "./kit.js";
import { t } from "./language.js";

/** @returns {{element: HTMLElement, show: (first: {url: string, name: string}, second: {url: string, name: string}) => void}} */
export function cellComparison() {
  const first = el("img", { alt: "", draggable: "false" });
  const second = el("img", { class: "top", alt: "", draggable: "false" });
  const names = ["left", "right"].map((side) => el("span", { class: `s-name ${side}` }));
  const line = el("i", { class: "s-line", "aria-hidden": "true" }, el("b", {}, "‹ ›"));
  const slider = el("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": t("Compare the two cells") });
  const pane = el("div", { class: "s-pane" }, first, second, ...names, line, slider);
  const element = el("div", { class: "s-versus", hidden: true }, pane);
  const move = () => pane.style.setProperty("--share", `${slider.value}%`);
  slider.addEventListener("input", move);
  move();
  const fit = () => {
    const { naturalWidth: width, naturalHeight: height } = first;
    if (!width || !element.clientWidth) return;
    const scale = Math.min((element.clientWidth - 24) / width, (element.clientHeight - 16) / height);
    pane.style.width = `${width * scale}px`;
    pane.style.height = `${height * scale}px`;
  };
  first.addEventListener("load", fit);
  new ResizeObserver(fit).observe(element);
  return {
    element,
    show(a, b) {
      for (const [image, one] of [[first, a], [second, b]]) {
        if (image.getAttribute("src") !== one.url) image.src = one.url;
        image.alt = one.name;
      }
      names[0].textContent = `A  ${a.name}`;
      names[1].textContent = `B  ${b.name}`;
      fit();
    },
  };
}
