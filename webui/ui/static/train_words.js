// What a training does, in words.

import { t } from "./kit.js";
import { duration } from "./progress_words.js";

/**
 * What a run tells of itself while it goes on.
 * @typedef {{step: number, steps: number, epoch: number, epochs: number, loss?: number, average_loss?: number,
 *   learning_rate?: number, seconds_a_step?: number, state: string, output?: string, run?: string, images?: number,
 *   method?: string, prompts?: string[]}} Told
 */

const STATES = Object.freeze({
  caching: () => t("Preparing the pictures"),
  training: () => t("Training"),
  sampling: () => t("Drawing samples"),
  saving: () => t("Saving"),
  paused: () => t("Paused"),
  done: () => t("Done"),
  failed: () => t("It failed"),
  queued: () => t("Waiting for its turn"),
  held: () => t("Waiting for its turn"),
});

/** A state as people say it; one that is not known as it is. */
export const stateWords = (/** @type {string} */ state) => STATES[/** @type {keyof STATES} */ (state)]?.() ?? state;

/** Where a run is, in one line. @param {Told} told */
export function placeWords(told) {
  const parts = [t("step {step} of {steps}", { step: told.step ?? 0, steps: told.steps ?? 0 })];
  if (told.epochs > 1) parts.push(t("epoch {n} of {all}", { n: told.epoch, all: told.epochs }));
  const left = secondsLeft(told);
  if (left) parts.push(t("{time} left", { time: duration(left) }));
  return parts.join(" · ");
}

/** How long it goes on; 0 where nobody knows, or it does not. @param {Told} told */
export function secondsLeft(told) {
  if (!["training", "sampling", "saving"].includes(told.state) || !(Number(told.seconds_a_step) > 0)) return 0;
  return Math.max(0, (told.steps - told.step) * Number(told.seconds_a_step));
}

/** What a data set comes to. @param {{items: *[], buckets: [number, number, number][]}} set */
export function setWords({ items, buckets }) {
  const broken = items.filter((one) => one.broken).length;
  const parts = [items.length === 1 ? t("1 picture") : t("{n} pictures", { n: items.length })];
  const uses = items.reduce((sum, one) => sum + (one.broken ? 0 : one.repeats), 0);
  if (items.length) parts.push(t("{n} per epoch", { n: uses }));
  if (buckets.length) parts.push(buckets.length === 1 ? t("1 bucket") : t("{n} buckets", { n: buckets.length }));
  if (broken) parts.push(t("{n} cannot be read", { n: broken }));
  return parts.join(" · ");
}

/** Words for the kinds of training, where a list names one. */
const METHODS = Object.freeze({ lora: "LoRA", locon: "LoCon", dora: "DoRA", textual_inversion: () => t("Textual inversion"), finetune: () => t("Fine-tuning") });
export const methodWords = (/** @type {string} */ method) => {
  const found = METHODS[/** @type {keyof METHODS} */ (method)];
  return typeof found === "function" ? found() : found ?? method ?? "";
};
