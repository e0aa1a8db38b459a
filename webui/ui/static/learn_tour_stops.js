// The ten stops of the tour through Learn: the view and the step that each shows, what it points at, what it says.
import { t } from "./kit.js";

const square = (number) => `#learn_run .learn-tile:nth-child(${number})`;

/**
 * @typedef {{view: string, step?: number, target: string, title: string, text: string}} Stop `step` of the example run,
 *   from 0; no step: the view needs no run. `target`: what gets a ring, as a selector.
 * @returns {Stop[]}
 */
export const stops = () => [
  { view: "run", step: 0, target: square(1), title: t("It begins with noise"), text: t("Before the first step there is only noise, drawn from the seed. These are latents: 16 × 16 cells of 4 numbers, which a decoder turns into 128 × 128 pixels at the end. The same seed gives the same noise, and so the same picture.") },
  { view: "run", step: 0, target: square(2), title: t("The network guesses the noise"), text: t("The network has learnt one thing: to say which noise was added to a picture. It gets the noisy latents, how noisy they are, and your words. It never paints; something else takes away what it has guessed.") },
  { view: "scheduler", target: "#learn_scheduler .schedule-plots", title: t("The schedule says how much stays"), text: t("How strong the noise is, is called sigma. The schedule is the list of sigmas from step to step: large jumps first, small ones at the end. Drag a point and you have a schedule of your own.") },
  { view: "run", step: 7, target: ".own.learn .learn-time", title: t("A run, step by step"), text: t("Each point is a step. Here it is the eighth of twenty. Move along the curve, or press the left and right arrow keys once the tour is closed: all four squares follow. At the right stands what the sampler does in this very step.") },
  { view: "run", step: 4, target: square(3), title: t("The clean estimate"), text: t("Noisy latents minus the guessed noise is the picture that the network believes to be there. Early it is blurred, because it is the mean of all pictures that could still come. At the last step it is the picture.") },
  { view: "run", step: 7, target: square(4), title: t("Guidance"), text: t("The network is asked twice: with your words, and without. Where both differ, the words matter; here it is the outline of the circle. CFG scale says how often that difference counts.") },
  { view: "words", step: 7, target: "#learn_words .learn-pictures", title: t("Where a word looks"), text: t("Inside the network each place of the picture asks each word how much it concerns it. That is cross-attention. Choose a word above: “circle” and “red” lie on the circle, “blue” lies around it.") },
  { view: "words", step: 2, target: "#learn_words .learn-grid", title: t("By step and by block"), text: t("Rows are blocks of the network, columns are steps. The last blocks follow outlines, those in the middle only tell rough places, and early steps look everywhere. A click shows one of them large.") },
  { view: "network", step: 7, target: "#learn_network .learn-map", title: t("The network itself"), text: t("At the left the picture gets smaller and richer, at the right it grows again; the lines between hand details over. A click on a part tells its shapes and what it does, and can leave it out of the next picture.") },
  { view: "png_info", target: "#learn_png_info .picture-field", title: t("Make it again"), text: t("A picture holds all that it was made from. Drop one here: it is made again, and where both differ you are told why. For your own pictures “Take apart” records every step, as in this tour.") },
];
