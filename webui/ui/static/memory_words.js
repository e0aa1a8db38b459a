// What lies in the memory of the device while a job runs, in a few words.

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

const GIB = 2 ** 30;
const size = (/** @type {number} */ bytes) => (bytes / GIB).toFixed(1);

/** @param {Memory} memory */
export const memoryWords = ({ device, used, budget, needs, moved, networks }) => {
  const there = networks.join(", ");
  const parts = [
    budget
      ? t("{device}: {used} of {all} GiB ({there})", { device, used: size(used), all: size(budget), there })
      : t("{device}: {used} GiB ({there})", { device, used: size(used), there }),
  ];
  if (needs) parts.push(t("needs about {n} GiB", { n: size(needs) }));
  if (moved) parts.push(t("{n} GiB moved", { n: size(moved) }));
  return parts.join(" · ");
};
