// Two pictures compared: one over the other with a slider, their difference, and the parameters that differ.
import { causesOf, lookOf, verdictOf } from "./difference_causes.js";
import { el, openDialog, segments, t } from "./kit.js";
import { addressOf } from "./library_data.js";
import { differences } from "./library_parameters.js";

const USUAL = 4, MOST = 7; // the amplifier of a difference, and the power of two that it goes to

/**
 * @typedef {{url: string, name: string, told: import("./library_data.js").Told, notices?: string[],
 *   isLossy?: boolean}} Side `notices`: what of the other's parameters could not be used; `isLossy`: a JPEG or WebP
 * @typedef {{differing: number, pixels: number, largest: number, image: ImageData|null}} Difference `image` is null
 *   where the sizes differ
 */

/**
 * How two pictures of one size differ.
 * @param {ImageData} first
 * @param {ImageData} second
 * @param {number} gain how many times as bright its image shows the difference of each channel
 * @returns {Difference}
 */
export function differenceOf(first, second, gain = USUAL) {
  const pixels = first.width * first.height;
  if (first.width !== second.width || first.height !== second.height) return { differing: pixels, pixels, largest: 255, image: null };
  const image = new ImageData(first.width, first.height);
  let differing = 0, largest = 0;
  for (let at = 0; at < first.data.length; at += 4) {
    let most = 0;
    for (let channel = at; channel < at + 3; channel++) {
      const by = Math.abs(first.data[channel] - second.data[channel]);
      image.data[channel] = Math.min(255, by * gain);
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
 * @param {{way?: "slider"|"beside"|"difference"|"all", gain?: number, found?: (parts: HTMLElement[]) => void}} more how
 *   it begins; `found` is given what the difference tells of its causes, where the second picture is the first made again
 * @returns {HTMLElement}
 */
export function comparison(first, second, explanation = "", { way: chosen = "slider", gain = USUAL, found: explained } = {}) {
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
  const choices = [{ value: "slider", label: t("Slider") }, { value: "beside", label: t("Side by side") }, { value: "difference", label: t("Difference") }, { value: "all", label: t("All three") }];
  const amplifier = el("input", { type: "range", min: "0", max: String(MOST), value: String(Math.log2(gain)), "aria-label": t("Amplify the difference") });
  const amplified = el("label", { class: "compare-gain" }, t("Amplify"), amplifier, el("output", {}, `× ${gain}`));
  const fill = () => amplifier.style.setProperty("--range_progress", `${(100 * Number(amplifier.value)) / MOST}%`);
  fill();
  const showWay = (way) => {
    plane.dataset.way = way;
    slider.hidden = way !== "slider";
    amplified.hidden = canvas.hidden = way !== "difference" && way !== "all";
  };
  const ways = segments(t("How to compare"), choices, chosen, showWay);
  showWay(chosen);
  place();
  Promise.all([decoded(first.url), decoded(second.url)]).then(([a, b]) => {
    const difference = differenceOf(a, b, gain);
    explained?.(whyOf(a, b, first, second));
    found.textContent = [explanation, wordsOf(difference)].filter(Boolean).join(" ");
    found.dataset.differing = String(difference.differing);
    if (!difference.image) return;
    canvas.width = difference.image.width;
    canvas.height = difference.image.height;
    canvas.getContext("2d").putImageData(difference.image, 0, 0);
    amplifier.addEventListener("input", () => {
      fill();
      const gain = 2 ** Number(amplifier.value);
      amplified.querySelector("output").textContent = `× ${gain}`;
      canvas.getContext("2d").putImageData(differenceOf(a, b, gain).image, 0, 0);
    });
  }).catch(() => { found.textContent = t("One of the pictures cannot be read."); });
  return el("div", { class: "comparison" }, plane, el("div", { class: "compare-bar" }, ways, slider, amplified), found, tableOf(first, second));
}

/** The verdict, the causes, the most likely first, and what cannot be one. */
function whyOf(a, b, first, second) {
  const look = lookOf(a, b);
  const { causes, ruledOut } = causesOf(look, differences(first.told, second.told), {
    notices: second.notices, isLossy: first.isLossy, isForeign: first.told.program !== second.told.program,
  });
  const list = (tag, all) => el(tag, { class: "compare-causes" }, ...all.map(({ name, text }) => el("li", {}, el("b", {}, name), el("span", {}, text))));
  return [
    el("h2", {}, verdictOf(look)),
    ...(causes.length ? [el("h3", {}, t("Why, most likely first")), list("ol", causes)] : []),
    ...(ruledOut.length ? [el("h3", {}, t("Ruled out")), list("ul", ruledOut)] : []),
  ];
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

/** Compare a picture with the one that was made of the same request, and say why they differ. */
export function openMadeAgain(first, second, explanation = "") {
  const why = el("section", { class: "compare-why", "aria-label": t("Explanation") });
  return openDialog({ title: t("Compare"), className: "compare-dialog" }, comparison(first, second, explanation, { found: (parts) => why.replaceChildren(...parts) }), why);
}
