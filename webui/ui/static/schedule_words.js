// What each schedule does, in a sentence, and its formula.
import { t } from "./language.js";

const mi = (name) => `<mi>${name}</mi>`;
const mo = (sign) => `<mo>${sign}</mo>`;
const mn = (number) => `<mn>${number}</mn>`;
const row = (...parts) => `<mrow>${parts.join("")}</mrow>`;
const sub = (one, below) => `<msub>${one}${row(below)}</msub>`;
const power = (one, above) => `<msup>${row(one)}${row(above)}</msup>`;
const share = `<mfrac>${mi("i")}${row(mi("n"), mo("−"), mn(1))}</mfrac>`;
const sigma = sub(mi("σ"), mi("i"));
const high = sub(mi("σ"), mi("max")), low = sub(mi("σ"), mi("min"));
const between = (change) => row(change(high), mo("+"), share, mo("("), change(low), mo("−"), change(high), mo(")"));
const root = (one) => power(one, row(mn(1), mo("/"), mi("ρ")));
const log = (one) => row(mi("ln"), mo("&#8289;"), one);
const evenTimes = sigma + mo("=") + row(mi("σ"), mo("("), mi("t"), mo(")")) + mo(",") + row(mi("t"), mo("="), between((one) => row(mi("t"), mo("("), one, mo(")"))));

/** @returns {Record<string, {sentence: string, formula?: string}>} by the label of the schedule */
export function wordsOfSchedules() {
  return {
    Automatic: { sentence: t("The sampler's own choice: each sampler names the schedule that it was made for.") },
    Uniform: { sentence: t("Timesteps at equal distances over the whole table of training. The first choice for Euler and its relatives."), formula: evenTimes },
    Karras: { sentence: t("Many small steps near the end, where edges and texture are made. The usual choice with DPM++."), formula: sigma + mo("=") + power(mo("(") + between(root) + mo(")"), mi("ρ")) },
    Exponential: { sentence: t("Each level is the same share of the one before it: a straight line on the logarithmic scale."), formula: log(sigma) + mo("=") + between(log) },
    Polyexponential: { sentence: t("As Exponential, bent by a power: above 1 more steps go to low noise."), formula: log(sigma) + mo("=") + log(low) + mo("+") + power(row(mn(1), mo("−"), share), mi("ρ")) + mo("(") + log(high) + mo("−") + log(low) + mo(")") },
    "SGM Uniform": { sentence: t("Timesteps at equal distances that stop one step early, so the last jump to 0 is a large one. Made for turbo and lightning models."), formula: evenTimes },
    "KL Optimal": { sentence: t("Angles at equal distances. It ends at the lowest level and not at 0, so a trace of noise stays."), formula: sigma + mo("=") + row(mi("tan"), mo("("), between((one) => row(mi("arctan"), one)), mo(")")) },
    "Align Your Steps": { sentence: t("Levels that were found by optimising, for SD 1 and SDXL each; other counts lie between them.") },
    Simple: { sentence: t("Entries of the training table at equal distances, counted from its end.") },
    Normal: { sentence: t("Timesteps at equal distances between the bounds, the lowest included."), formula: evenTimes },
    DDIM: { sentence: t("Every k-th entry of the training table, as DDIM walks it. There may be more levels than steps asked for.") },
    Beta: { sentence: t("Quantiles of a beta distribution: many steps at both ends, few in the middle.") },
    Turbo: { sentence: t("The few timesteps that SDXL Turbo was distilled on.") },
    "Align Your Steps 11": { sentence: t("The eleven optimised levels of Align Your Steps; other counts lie between them.") },
    "Align Your Steps 32": { sentence: t("Thirty-two levels between the optimised ones of Align Your Steps; other counts lie between them.") },
    "Align Your Steps GITS": { sentence: t("Eleven optimised levels that spend most steps on low noise.") },
  };
}

/** What a level is to the picture. */
export const signalFormula = row(mi("ᾱ"), mo("="), `<mfrac>${mn(1)}${row(mn(1), mo("+"), power(mi("σ"), mn(2)))}</mfrac>`);

/** A formula as an element. @param {string} markup of MathML, our own */
export function formula(markup) {
  const place = document.createElement("div");
  place.className = "learn-formula";
  place.tabIndex = 0; // it may be wider than its column, and is then scrolled by keys
  place.innerHTML = `<math display="block"><mrow>${markup}</mrow></math>`;
  return place;
}
