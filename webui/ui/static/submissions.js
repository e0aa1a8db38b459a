// What was sent to the server and is not known as a job yet. It can be stopped all the same: at once where the server has
// answered, else as soon as it does.

import { hear } from "./bus.js";
import { commands, current, hasOwn } from "./stream.js";

/** @typedef {{job: string, isStopped: boolean}} Submission  `job`: its id, once the server has answered */

/** @type {Map<number, Submission>} */
const sent = new Map();
/** @type {Set<string>} jobs that were told of while something was under way: one may be over before it is answered */
const heard = new Set();
let last = 0;

/** Something is being sent. @returns {number} what `answered` is told */
export const begin = () => {
  last += 1;
  sent.set(last, { job: "", isStopped: false });
  return last;
};

/** The server has answered. @param {number} number @param {string} job the id; "" where it made none of it */
export const answered = (number, job = "") => {
  const one = sent.get(number);
  if (!one) return;
  one.job = job;
  if (one.isStopped && job) commands.cancel(job);
  if (one.isStopped || !job || heard.has(job) || current().jobs.some(({ id }) => id === job)) sent.delete(number);
};

/** The server did not answer what it has not answered yet. */
export const failed = () => {
  for (const [number, { job }] of sent) if (!job) sent.delete(number);
};

/** Whether something is under way that is not to be stopped yet. */
export const isUnderWay = () => [...sent.values()].some((one) => !one.isStopped);

/** The number of what was sent last, while something that was sent is not known as a job yet; else 0. */
export const lastUnderWay = () => (sent.size ? last : 0);

/** Stop what this browser has begun: a job that the page knows, or else what was sent last. */
export const interrupt = () => {
  const wasSent = !hasOwn("running", "waiting") && stopLast();
  return wasSent && !current().forever ? Promise.resolve(true) : commands.interrupt();
};

const stopLast = () => {
  const [number, one] = [...sent].findLast(([, { isStopped }]) => !isStopped) ?? [];
  if (!one) return false;
  one.isStopped = true;
  if (one.job) answered(number, one.job);
  return true;
};

hear("jobs:changed", ({ jobs }) => {
  if (!sent.size) heard.clear();
  else for (const { id } of jobs) heard.add(id);
  for (const [number, { job }] of sent) if (heard.has(job)) sent.delete(number);
});
