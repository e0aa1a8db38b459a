// What may help a job that is held or has failed, as its reason suggests. Pure.

import { t } from "./language.js";

/** @type {readonly [RegExp, () => string][]} the first that fits counts */
const REMEDIES = Object.freeze([
  [/memory/i, () => t("Make the picture or the batch smaller, or close other programs that use the same device.")],
  [/no space|disk is full|free space/i, () => t("Free space on the disk, then try it again.")],
  [/checkpoint|vae|lora|upscaler|embedding/i, () => t("Put the file back, or edit the job and choose another one.")],
  [/extension/i, () => t("Switch the extension off or update it, then try it again.")],
  [/by hand/i, () => t("Try it again when it shall have its turn.")],
]);

/** @param {{state: string, reason: string}} job @returns {string} "" where it is neither held nor failed */
export function remedyOf({ state, reason }) {
  if (!["held", "failed"].includes(state)) return "";
  const found = REMEDIES.find(([pattern]) => pattern.test(reason));
  return found ? found[1]() : t("Try it again, or edit it: make it smaller, or leave out what it does not need.");
}
