// What a sampler does in a step, in one sentence with the numbers of the step, and its formula in MathML.
// x: latents, D: clean estimate, sigma: noise level, h = ln(sigma / sigma next).
import { t } from "./kit.js";
import { percent, shown } from "./learn_shared.js";

const mi = (text) => `<mi>${text}</mi>`;
const mo = (text) => `<mo>${text}</mo>`;
const sub = (of, at) => `<msub>${mi(of)}<mrow>${at}</mrow></msub>`;
const share = (above, below) => `<mfrac><mrow>${above}</mrow><mrow>${below}</mrow></mfrac>`;
const I = mi("i");
const NEXT = `${I}${mo("+")}<mn>1</mn>`;
const BEFORE = `${I}${mo("−")}<mn>1</mn>`;
const [x, xNext, D, sigma, sigmaNext] = [sub("x", I), sub("x", NEXT), sub("D", I), sub("σ", I), sub("σ", NEXT)];
const decay = mo("(") + `<msup>${mi("e")}<mrow>${mo("−")}${mi("h")}</mrow></msup>` + mo("−") + "<mn>1</mn>" + mo(")");

const EULER = `${xNext}${mo("=")}${x}${mo("+")}${mo("(")}${sigmaNext}${mo("−")}${sigma}${mo(")")}${share(`${x}${mo("−")}${D}`, sigma)}`;
const LAST = `${xNext}${mo("=")}${D}`;
const DPM = `${xNext}${mo("=")}${share(sigmaNext, sigma)}${x}${mo("−")}${decay}${mi("D̄")}`;
const noise = (formula) => `${formula}${mo("+")}${sub("σ", mi("up"))}${mi("z")}`;
const DDIM = `${xNext}${mo("=")}${D}${mo("+")}${sigmaNext}${mi("ε")}`;

/** Sentences that say what a kind of sampler does; `keeps` and `step` are filled in. */
const KINDS = Object.freeze({
  euler: () => ({ text: t("{sampler} goes straight along the direction of the predicted noise, from σ {sigma} to σ {next}: {keeps} of the noise stays."), formula: EULER }),
  ancestral: () => ({ text: t("{sampler} goes down further than asked, along the predicted noise, and adds new noise until σ is {next}: so it never comes to rest."), formula: noise(EULER) }),
  heun: () => ({ text: t("{sampler} makes an Euler step to σ {next}, asks the network there again, and takes the mean of both directions."), formula: `${xNext}${mo("=")}${x}${mo("+")}${mo("(")}${sigmaNext}${mo("−")}${sigma}${mo(")")}${share(`${sub("d", I)}${mo("+")}${sub("d", NEXT)}`, "<mn>2</mn>")}` }),
  middle: () => ({ text: t("{sampler} asks the network once more on the way, between σ {sigma} and σ {next}, and goes the whole way with what it is told there."), formula: DPM }),
  multistep: () => ({ text: t("{sampler} keeps {keeps} of the noisy latent and takes the rest from the clean estimate, corrected by how that changed since step {step}."), formula: DPM }),
  sde: () => ({ text: t("{sampler} keeps a part of the noisy latent, takes the rest from the clean estimates of this step and those before, and adds new noise of its own."), formula: noise(DPM) }),
  linear: () => ({ text: t("{sampler} looks at the directions of up to four steps, lays a curve through them, and follows it from σ {sigma} to σ {next}."), formula: `${xNext}${mo("=")}${x}${mo("+")}<munder>${mo("∑")}${mi("j")}</munder>${sub("c", mi("j"))}${sub("d", `${I}${mo("−")}${mi("j")}`)}` }),
  ddim: () => ({ text: t("{sampler} takes the clean estimate and adds the predicted noise back, as much as belongs to σ {next}."), formula: DDIM }),
  consistency: () => ({ text: t("{sampler} takes the clean estimate as it is, and adds new noise of level σ {next}."), formula: `${xNext}${mo("=")}${D}${mo("+")}${sigmaNext}${mi("z")}` }),
  unipc: () => ({ text: t("{sampler} foretells the step from the clean estimates before, and corrects it with the one it got there."), formula: "" }),
  other: () => ({ text: t("{sampler} goes from σ {sigma} to σ {next}: {keeps} of the noise stays."), formula: "" }),
});

/** The kind of a sampler by its name; the first that fits counts. @type {readonly [RegExp, keyof typeof KINDS][]} */
const BY_NAME = Object.freeze([
  [/^LCM/, "consistency"],
  [/^(DDIM|PLMS|PNDM)/, "ddim"],
  [/^UniPC/, "unipc"],
  [/^Restart/, "other"],
  [/SDE/, "sde"],
  [/DPM\+\+ 2M/, "multistep"],
  [/^(Euler|DPM2|DPM\+\+ 2S) a/, "ancestral"],
  [/^(DPM2|DPM\+\+ 2S)/, "middle"],
  [/^Heun/, "heun"],
  [/^LMS/, "linear"],
  [/^Euler/, "euler"],
]);

/**
 * @param {import("./learn_record.js").Recorded} run
 * @returns {{text: string, formula: string, terms: string}} formulas are constants of this file with numbers in them
 */
export function stepSentence(run, step) {
  const now = run.facts[step];
  const { sampler } = run.told;
  const kind = BY_NAME.find(([pattern]) => pattern.test(sampler))?.[1] ?? "other";
  if (now.next === 0) return { text: t("The last step: no noise is to be left, so the sampler takes the clean estimate itself."), formula: LAST, terms: "" };
  const values = { sampler, sigma: shown(now.sigma), next: shown(now.next), keeps: percent(now.next / now.sigma), step };
  if (step === 0 && kind === "multistep") {
    return { text: t("The first step has no past: {sampler} goes straight towards the clean estimate and lets the noise shrink to {keeps}.", values), formula: `${xNext}${mo("=")}${share(sigmaNext, sigma)}${x}${mo("−")}${decay}${D}`, terms: termsOf(now) };
  }
  const { text, formula } = KINDS[kind]();
  return { text: filled(text, values), formula, terms: formula ? termsOf(now) : "" };
}

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

const number = (value) => `<mn>${shown(value)}</mn>`;
const termsOf = ({ sigma: from, next }) => `${share(sigmaNext, sigma)}${mo("=")}${number(next / from)}${mo(",")}<mspace width="1em"/>${mi("h")}${mo("=")}${mi("ln")}${mo("(")}${share(sigma, sigmaNext)}${mo(")")}${mo("=")}${number(Math.log(from / next))}`;

/** The formula of attention. */
export const ATTENTION = `${mi("A")}${mo("=")}${mi("softmax")}${mo("(")}${share(`${mi("Q")}<msup>${mi("K")}${mi("T")}</msup>`, `<msqrt>${mi("d")}</msqrt>`)}${mo(")")}`;

/** A formula to show; none: nothing. @param {string} inner constants of this file alone, no foreign text */
export function formula(inner) {
  if (!inner) return null;
  const made = document.createElement("div");
  made.className = "learn-formula";
  made.tabIndex = 0;
  made.innerHTML = `<math display="block">${inner}</math>`;
  return made;
}
