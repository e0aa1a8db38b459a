// Run under the glass: what the sampler sees at a step, four ways, at the same place.
import { el, t } from "./kit.js";
import { RunExport } from "./learn_export.js";
import { formula, stepSentence } from "./learn_samplers.js";
import { heading, hint, numbers, percent, sentence, shown } from "./learn_shared.js";
import { tile } from "./learn_tiles.js";

const COUNTED = 0.8; // of the steps, from the weakest guidance
const HEAT = Object.freeze([[0, [18, 0, 40]], [0.35, [96, 20, 60]], [0.7, [190, 70, 60]], [1, [250, 200, 130]]]); // share, colour

/** @param {HTMLElement} place, @param {import("./learn_shared.js").Shared} shared */
export function mount(place, shared) {
  const four = {
    noisy: tile({ title: t("Noisy latent"), isSharp: true }),
    noise: tile({ title: t("Predicted noise"), isSharp: true }),
    clean: tile({ title: t("Clean estimate") }),
    guidance: tile({ title: t("Guidance"), isSharp: true }),
  };
  const squares = el("div", { class: "learn-four" }, ...Object.values(four).map((one) => one.element));

  const exported = new RunExport(shared);

  function draw() {
    const { run, step, source } = shared;
    shared.tools(...source.tools());
    if (!run) {
      place.replaceChildren(source.nothing());
      shared.explain();
      return;
    }
    if (!squares.isConnected) place.replaceChildren(squares);
    const now = run.facts[step];
    const [channels, height, width] = run.told.latents;
    squares.style.setProperty("--ratio", String(width / height));
    for (const what of ["noisy", "noise", "guidance"]) run.drawLatents(four[what].canvas, what, step);
    run.drawClean(four.clean.canvas, step);
    four.clean.canvas.classList.toggle("sharp", !now.decoded);
    coloured(four.guidance.canvas, now.top / whiteOf(run));
    four.noisy.say(t("x, {size} as colours", { size: `${height} × ${width} × ${channels}` }));
    four.noise.say(t("ε, after guidance"));
    four.clean.say(now.decoded ? t("x₀, through the VAE") : t("x₀, as colours"));
    four.guidance.say(t("|with words − without|, {share} of the noise", { share: percent(now.push) }));
    explain(run, step, now);
  }

  function explain(run, step, now) {
    const { text, formula: update, terms } = stepSentence(run, step);
    const share = step / Math.max(1, run.steps - 1);
    shared.explain(
      heading(t("What this step does")),
      sentence(text),
      formula(update),
      formula(terms),
      heading(t("Numbers")),
      numbers([
        [t("Noise level σ"), `${shown(now.sigma)} → ${shown(now.next)}`],
        [t("Timestep t"), String(Math.round(now.t))],
        [t("Signal left ᾱ"), percent(now.abar)],
        [t("Guidance"), t("{share} at CFG {scale}", { share: percent(now.push), scale: run.told.cfg_scale })],
        [t("Latent moved"), percent(now.moved)],
      ]),
      hint(share < 0.2
        ? t("Early steps decide the layout. The clean estimate is blurred: it is an average of all pictures that could still come.")
        : share < 0.65
          ? t("Shape and colour are set now. Look how guidance draws the outline of what the prompt names.")
          : t("Late steps polish edges and grain. The picture hardly changes any more.")),
      ...exported.parts(),
    );
  }
  return { draw };
}

/** The guidance that is shown brightest: the last steps, which are far above all others, do not count. */
function whiteOf(run) {
  const tops = run.facts.map((one) => one.top).sort((one, other) => one - other);
  return tops[Math.floor((tops.length - 1) * COUNTED)] || 1;
}

/** Grey becomes heat; one scale counts for the whole run. @param {number} share of this step's white in the run's */
function coloured(canvas, share) {
  const context = canvas.getContext("2d");
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set(heat((pixels.data[at] / 255) * share), at);
  context.putImageData(pixels, 0, 0);
}

function heat(value) {
  const upper = Math.max(1, HEAT.findIndex(([share]) => share >= Math.min(1, value)));
  const [[from, low], [to, high]] = [HEAT[upper - 1], HEAT[upper]];
  const part = (Math.min(1, value) - from) / (to - from);
  return low.map((one, at) => one + (high[at] - one) * part);
}
