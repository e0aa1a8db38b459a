// What lies in the memory of the device while a job runs, and what the next one will need, in a few words.

import { t } from "./language.js";

/**
 * @typedef {object} Memory sizes are in bytes
 * @property {string} device
 * @property {number} used by weights
 * @property {number} budget 0: there is no limit
 * @property {number} needs what the job is expected to need at once
 * @property {number} moved for it so far
 * @property {string[]} networks those that are there
 */

/**
 * @typedef {object} Outlook sizes are in bytes
 * @property {string} device
 * @property {number} total 0: networks stay where they are
 * @property {number} free at this moment; 0: nobody tells
 * @property {number} weights
 * @property {number} sampling
 * @property {number} decoding
 * @property {number} needs at once, at most
 * @property {number} loads to be read from files
 * @property {string[]} leaves networks that leave the device for it
 * @property {number} streams weights that come anew for each call
 * @property {{name: string, bytes: number, loaded: number}[]} resident networks with weights on the device
 */

const GIB = 2 ** 30;
const size = (/** @type {number} */ bytes) => (bytes / GIB).toFixed(1);

const amount = (/** @type {number} */ bytes) => (bytes < GIB ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${size(bytes)} GiB`);

/** @param {Memory} memory */
export const memoryWords = ({ device, used, budget, needs, moved, networks }) => {
  const there = networks.join(", ");
  const parts = [
    budget
      ? t("{device}: {used} of {all} ({there})", { device, used: amount(used), all: amount(budget), there })
      : t("{device}: {used} ({there})", { device, used: amount(used), there }),
  ];
  if (needs) parts.push(t("needs about {n}", { n: amount(needs) }));
  if (moved) parts.push(t("{n} moved", { n: amount(moved) }));
  return parts.join(" · ");
};

/**
 * What of the outlook matters at a glance: the need beside what is free, and what has to go or to stream for it.
 * @param {Outlook} outlook
 */
export const outlookWords = ({ total, free, needs, leaves, streams }) => {
  const n = amount(needs); // its own weights count in it, which may be there already: so it is held against all there is
  const parts = [total ? t("Memory: about {n} of {all}", { n, all: amount(total) }) : free ? t("Memory: about {n} of {free} free", { n, free: amount(free) }) : t("Memory: about {n}", { n })];
  if (leaves.length) parts.push(t("leaves: {names}", { names: leaves.join(", ") }));
  if (streams) parts.push(t("{n} stream in each step", { n: amount(streams) }));
  return parts.join(" · ");
};

/**
 * What lies on the device now; "" where networks stay where they are.
 * @param {Outlook} outlook
 */
export const residentWords = ({ device, total, free, resident }) => {
  if (!total) return "";
  const there = resident.map(({ name, loaded, bytes }) => (loaded < bytes ? t("{name} {n} of {all}", { name, n: amount(loaded), all: amount(bytes) }) : `${name} ${amount(loaded)}`));
  return t("On {device} now: {there}; {free} free", { device, there: there.join(", ") || t("nothing"), free: amount(free) });
};

/**
 * What the need is made of.
 * @param {Outlook} outlook
 */
export const outlookDetails = ({ device, total, weights, sampling, decoding, loads }) => {
  const parts = [
    t("On {device}: weights {weights}, sampling {sampling}, decoding {decoding}", {
      device, weights: amount(weights), sampling: amount(sampling), decoding: amount(decoding),
    }),
  ];
  if (total) parts.push(t("{n} in all", { n: amount(total) }));
  if (loads) parts.push(t("{n} are loaded first", { n: amount(loads) }));
  return parts.join(" · ");
};
