// Why a picture that was made again differs: causes by what the difference looks like and by what the files tell.
import { t } from "./language.js";

const TILES = 16; // along a side
const ROUNDED = 3; // of 255: differences up to here come from rounding
const FAINT = 8; // of 255: the mean of a difference that nobody sees as another outline
const LIKE = 0.6; // correlation of the brightness of tiles from which on two pictures have the same layout

/**
 * @typedef {"same"|"size"|"rounding"|"even"|"moved"|"other"} Kind
 * @typedef {{kind: Kind, spread: number, likeness: number, mean: number}} Look `spread`: share of the tiles that differ
 */

/**
 * What a difference looks like.
 * @param {ImageData} first @param {ImageData} second
 * @returns {Look}
 */
export function lookOf(first, second) {
  if (first.width !== second.width || first.height !== second.height) return { kind: "size", spread: 1, likeness: 0, mean: 0 };
  const { width, height } = first;
  const tiles = TILES * TILES;
  const sums = [new Float64Array(tiles), new Float64Array(tiles)];
  const counts = new Float64Array(tiles), differing = new Float64Array(tiles);
  let largest = 0, total = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const tile = Math.floor((y * TILES) / height) * TILES + Math.floor((x * TILES) / width);
      let most = 0;
      for (let channel = at; channel < at + 3; channel++) {
        const by = Math.abs(first.data[channel] - second.data[channel]);
        total += by;
        if (by > most) most = by;
        sums[0][tile] += first.data[channel];
        sums[1][tile] += second.data[channel];
      }
      counts[tile]++;
      if (most) differing[tile]++;
      if (most > largest) largest = most;
    }
  }
  const mean = total / (3 * width * height);
  const spread = counts.reduce((sum, count, at) => sum + (count && differing[at] / count > 0.25 ? 1 : 0), 0) / Math.max(1, counts.filter(Boolean).length);
  const likeness = correlation(...sums.map((sum) => Array.from(sum, (value, at) => value / (counts[at] || 1))));
  return { kind: kindOf({ largest, mean, spread, likeness }), spread, likeness, mean };
}

function kindOf({ largest, mean, spread, likeness }) {
  if (!largest) return "same";
  if (largest <= ROUNDED) return "rounding";
  if (likeness < LIKE) return "other";
  return mean <= FAINT && spread > 0.6 && largest <= 8 * FAINT ? "even" : "moved";
}

function correlation(a, b) {
  const middle = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [middle(a), middle(b)];
  let both = 0, alone = 0, other = 0;
  a.forEach((value, at) => {
    both += (value - ma) * (b[at] - mb);
    alone += (value - ma) ** 2;
    other += (b[at] - mb) ** 2;
  });
  if (alone < 1e-9 || other < 1e-9) return Math.abs(ma - mb) < 2 * FAINT ? 1 : 0; // one colour: alike where it is the same
  return both / Math.sqrt(alone * other);
}

const GROUPS = [
  ["model", ["Model hash", "Model", "Refiner", "Hires checkpoint"]],
  ["networks", ["Lora hashes", "TI hashes", "Prompt", "Negative prompt"]],
  ["noise", ["RNG", "Seed", "Variation seed", "Variation seed strength", "ENSD", "Eta"]],
  ["size", ["Size", "Size-1", "Size-2", "Hires upscale", "Hires resize-1", "Hires resize-2"]],
  ["sampler", ["Sampler", "Schedule type", "Schedule sigmas", "Steps", "CFG scale", "Clip skip", "Emphasis"]],
  ["vae", ["VAE", "VAE hash", "VAE Decoder"]],
];
const SILENT = new Set(["Version", "User", "Hashes"]); // they differ without a pixel differing

/**
 * The causes, the most likely first, and what cannot be one.
 * @param {Look} look
 * @param {{key: string, first: string, second: string}[]} differing parameters of the file and of the picture made again
 * @param {{notices?: string[], isLossy?: boolean, isForeign?: boolean}} more what could not be read; whether the file is
 *   a JPEG or WebP; whether another program wrote it
 * @returns {{causes: {name: string, text: string}[], ruledOut: {name: string, text: string}[]}}
 */
export function causesOf({ kind }, differing, { notices = [], isLossy = false, isForeign = false } = {}) {
  if (kind === "same") return { causes: [], ruledOut: [] };
  differing = differing.filter(isOther);
  const causes = [];
  const told = new Set();
  for (const [group, keys] of GROUPS) {
    for (const { key, first, second } of differing.filter((one) => keys.includes(one.key))) {
      told.add(group);
      causes.push({ name: names()[group], text: t("{key}: the file says {first}, this run {second}.", { key, first: first || "–", second: second || "–" }) });
    }
  }
  const known = new Set(GROUPS.flatMap(([, keys]) => keys));
  for (const { key, first, second } of differing.filter((one) => !known.has(one.key) && !SILENT.has(one.key))) causes.push({ name: t("An option"), text: t("{key}: the file says {first}, this run {second}.", { key, first: first || "–", second: second || "–" }) });
  for (const text of notices) causes.push({ name: t("Not read"), text });
  causes.push(...looksLike(kind, { isLossy, isForeign }));
  const cannot = ruledOutBy(kind).filter(([group]) => !told.has(group)).map(([group, text]) => ({ name: names()[group], text }));
  return { causes, ruledOut: cannot };
}

/** 5 and 5.0 are one value, and a file without a hash tells nothing of it. */
function isOther({ key, first, second }) {
  if (first !== "" && second !== "" && Number(first) === Number(second)) return false;
  return !(first === "" && /hash(es)?$/.test(key));
}

const names = () => ({
  model: t("Model"), networks: t("Prompt and networks"), noise: t("Seed and noise source"), size: t("Size"),
  sampler: t("Sampler, schedule, steps"), vae: t("VAE"), precision: t("Precision and device"), lossy: t("The file's own loss"),
});

function looksLike(kind, { isLossy, isForeign }) {
  const rounding = { name: t("Precision and device"), text: t("Another chip, precision, attention kernel or batch size adds in another order. The picture cannot tell which.") };
  const lossy = { name: t("The file's own loss"), text: t("JPEG and WebP change pixels a little everywhere when they are written.") };
  const vae = { name: t("VAE"), text: t("A small change of colour everywhere comes from another VAE or from its precision.") };
  const sampler = { name: t("Sampler, schedule, steps"), text: t("The layout is the same and outlines moved: sampler, schedule, steps, CFG, clip skip, emphasis or the weight of a LoRA.") };
  const noise = { name: t("Seed and noise source"), text: t("It is another picture: other noise (made on CPU, GPU or as NVIDIA does), another model or size, or a prompt that was read otherwise.") };
  const foreign = isForeign ? [{ name: t("Another program"), text: t("Another program wrote the file; what its options do and it does not write is not known.") }] : [];
  return {
    rounding: isLossy ? [lossy, rounding] : [rounding],
    even: isLossy ? [lossy, vae] : [vae, rounding],
    moved: [sampler, ...foreign, ...(isLossy ? [lossy] : [])],
    other: [noise, ...foreign],
    size: [{ name: t("Size"), text: t("The two have different sizes: it was cut or enlarged after it was made.") }, ...foreign],
  }[kind];
}

function ruledOutBy(kind) {
  const whole = t("would change the whole picture"), outlines = t("would move outlines"), colours = t("would shift colours everywhere");
  return {
    rounding: [["model", whole], ["noise", whole], ["networks", outlines], ["sampler", outlines], ["vae", colours]],
    even: [["model", whole], ["noise", whole], ["sampler", outlines]],
    moved: [["noise", whole]],
    other: [["vae", t("would keep the layout")], ["precision", t("would change single pixels")]],
    size: [],
  }[kind];
}

/** The verdict in a few words. @param {Look} look */
export function verdictOf({ kind }) {
  return {
    same: t("The same, to the last bit"), rounding: t("The same picture, rounded otherwise"), even: t("The same picture, with other colours"),
    moved: t("The same layout, other outlines"), other: t("Another picture"), size: t("Another size"),
  }[kind];
}
