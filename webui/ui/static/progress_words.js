// Progress in words: what the pill over the picture says, what a screen reader is told, what the tab's title holds.

import { t } from "./language.js";
import { running, runningBatch, runningCount, waiting } from "./store.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./store.js").Progress} Progress */

/** A time as people say it. @param {number} seconds */
export const duration = (seconds) => {
  if (seconds < 90) return t("{n} s", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return t("{n} min", { n: Math.round(seconds / 60) });
  return t("{n} h", { n: Math.round(seconds / 360) / 10 });
};

const PHASES = {
  sampling: "Sampling {step}/{steps}",
  decoding: "Decoding",
  waiting: "Starting",
  loading: "Loading the model",
  encoding: "Reading the prompt",
  upscaling: "Upscaling",
  saving: "Saving",
};

// A phase without words of its own is a sentence of an extension or of the back.
const phaseWords = ({ phase, step, steps }) => {
  const known = PHASES[phase];
  if (known) return t(known, { step, steps });
  if (!phase) return t("Starting");
  return steps > 0 ? `${t(phase)} ${step}/${steps}` : t(phase);
};

/** One job's progress. @param {Progress|undefined} progress */
export const progressWords = (progress) => {
  if (!progress) return t("Starting");
  const parts = [phaseWords(progress)];
  if (progress.images > 1) parts.push(t("picture {n} of {all}", { n: progress.image, all: progress.images }));
  if (progress.seconds_left !== null) parts.push(duration(progress.seconds_left));
  return parts.join(" · ");
};

/** How long somebody waits. @param {number|null} before jobs before it */
export const waitingWords = (before) => {
  if (before === null) return t("Waiting");
  if (before < 1) return t("Waiting, it is next");
  return t("Waiting, {n} before it", { n: before });
};

/** How far a batch of this browser is, or "". @param {State} state */
export const batchWords = (state) => {
  const batch = runningBatch(state);
  return batch ? t("{n} of {all} pictures", { n: batch.pictures, all: batch.expected }) : "";
};

/**
 * What the pill says.
 *
 * @param {State} state
 * @param {"opening"|"open"|"lost"} link
 */
export const pillWords = (state, link) => {
  if (link === "lost") return t("Server does not answer; trying again");
  const mine = running(state);
  if (mine) {
    const others = runningCount(state) - 1;
    const beside = others > 0 ? t("{n} more in work", { n: others }) : "";
    return [batchWords(state), progressWords(state.progress[mine.id]), beside].filter(Boolean).join(" · ");
  }
  const next = waiting(state);
  if (!next && batchWords(state)) return batchWords(state);
  if (next && state.paused) return t("The queue is paused");
  return next ? waitingWords(next.position) : "";
};

/** What a screen reader is told: in quarters, as every step would talk over the user. @param {State} state */
export const spokenWords = (state) => {
  const mine = running(state);
  if (!mine) return waiting(state) ? t("Waiting in the queue") : "";
  const quarter = Math.floor((state.progress[mine.id]?.fraction ?? 0) * 4) * 25;
  return quarter ? t("{n} percent done", { n: quarter }) : t("Started");
};

/** The part of the tab's title in front of its name, or "". @param {State} state */
export const titleWords = (state) => {
  const mine = runningBatch(state) ?? running(state);
  if (mine) return `${Math.floor((state.progress[mine.id]?.fraction ?? 0) * 100)} %`;
  return waiting(state) ? t("Waiting") : "";
};
