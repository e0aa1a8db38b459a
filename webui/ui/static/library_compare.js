// Two pictures compared: one over the other with a slider, their difference, and the parameters that differ.
import { el, openDialog, segments, t } from "./kit.js";
import { addressOf } from "./library_data.js";
import { differences } from "./library_parameters.js";

/**
 * @typedef {{url: string, name: string, told: import("./library_data.js").Told}} Side
 * @typedef {{differing: number, pixels: number, largest: number, image: ImageData|null}} Difference `image` is null
 *   where the sizes differ
 */

/**
 * How two pictures of one size differ.
 * @param {ImageData} first
 * @param {ImageData} second
 * @returns {Difference} its image shows the difference of each channel, four times as bright
 */
export function differenceOf(first, second) {
  const pixels = first.width * first.height;
  if (first.width !== second.width || first.height !== second.height) return { differing: pixels, pixels, largest: 255, image: null };
  const image = new ImageData(first.width, first.height);
  let differing = 0, largest = 0;
  for (let at = 0; at < first.data.length; at += 4) {
    let most = 0;
    for (let channel = at; channel < at + 3; channel++) {
      const by = Math.abs(first.data[channel] - second.data[channel]);
      image.data[channel] = Math.min(255, by * 4);
      if (by > most) most = by;
    }
    image.data[at + 3] = 255;
    if (most) differing++;
    if (most > largest) largest = most;
  }
  return { differing, pixels, largest, image };
}

/** A difference as a sentence. @param {Difference} found */
export function wordsOf(found) {
  if (!found.image) return t("The pictures have different sizes.");
  if (!found.differing) return t("Every pixel is the same.");
  const share = (100 * found.differing) / found.pixels;
  const values = { share: share < 0.1 ? share.toFixed(3) : share.toFixed(1), largest: found.largest };
  return t("{share} % of the pixels differ, by at most {largest} of 255.", values);
}

async function decoded(url) {
  const image = new Image();
  image.src = addressOf(url);
  await image.decode();
  const canvas = el("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/**
 * Draw the comparison of two pictures.
 * @param {Side} first
 * @param {Side} second
 * @param {string} explanation is said before what was found
 * @returns {HTMLElement}
 */
export function comparison(first, second, explanation = "") {
  const below = el("img", { src: addressOf(first.url), alt: first.name });
  const above = el("img", { src: addressOf(second.url), alt: second.name, class: "above" });
  const canvas = el("canvas", { hidden: true, role: "img", "aria-label": t("Difference") });
  const line = el("span", { class: "compare-line" });
  const slider = el("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": t("How much of each picture is shown") });
  const plane = el("div", { class: "compare-plane" }, below, above, line, canvas, el("b", { class: "side-name" }, first.name), el("b", { class: "side-name right" }, second.name));
  const place = () => {
    plane.style.setProperty("--at", `${slider.value}%`);
    slider.style.setProperty("--range_progress", `${slider.value}%`);
  };
  slider.addEventListener("input", place);
  plane.addEventListener("pointerdown", (event) => {
    if (slider.hidden) return;
    const drag = (moved) => {
      const box = plane.getBoundingClientRect();
      slider.value = String(Math.round((100 * (moved.clientX - box.left)) / box.width));
      place();
    };
    plane.setPointerCapture(event.pointerId);
    drag(event);
    plane.addEventListener("pointermove", drag);
    plane.addEventListener("lostpointercapture", () => plane.removeEventListener("pointermove", drag), { once: true });
  });
  const found = el("p", { class: "compare-found", role: "status" }, t("Comparing …"));
  const choices = [{ value: "slider", label: t("Slider") }, { value: "beside", label: t("Side by side") }, { value: "difference", label: t("Difference") }];
  const ways = segments(t("How to compare"), choices, "slider", (way) => {
    plane.dataset.way = way;
    slider.hidden = way !== "slider";
    canvas.hidden = way !== "difference";
  });
  place();
  Promise.all([decoded(first.url), decoded(second.url)]).then(([a, b]) => {
    const difference = differenceOf(a, b);
    found.textContent = [explanation, wordsOf(difference)].filter(Boolean).join(" ");
    found.dataset.differing = String(difference.differing);
    if (!difference.image) return;
    canvas.width = difference.image.width;
    canvas.height = difference.image.height;
    canvas.getContext("2d").putImageData(difference.image, 0, 0);
  }).catch(() => { found.textContent = t("One of the pictures cannot be read."); });
  return el("div", { class: "comparison" }, plane, el("div", { class: "compare-bar" }, ways, slider), found, tableOf(first, second));
}

function tableOf(first, second) {
  const rows = differences(first.told, second.told);
  if (!rows.length) return el("p", { class: "library-hint" }, t("All parameters are the same."));
  const head = el("tr", {}, el("th", { scope: "col" }, t("Parameter")), el("th", { scope: "col" }, first.name), el("th", { scope: "col" }, second.name));
  const body = rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.key), el("td", {}, row.first || "–"), el("td", {}, row.second || "–")));
  return el("table", { class: "parameters differing" }, el("thead", {}, head), el("tbody", {}, ...body));
}

/** Compare two pictures in a dialog. */
export function openComparison(first, second, explanation = "") {
  return openDialog({ title: t("Compare"), className: "compare-dialog" }, comparison(first, second, explanation));
}
