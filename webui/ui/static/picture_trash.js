// Pictures are moved into the library's trash, and taken back.

import { say } from "./bus.js";
import { t } from "./language.js";
import { ask, current, send, take } from "./stream.js";

/** @typedef {import("./store.js").Picture} Picture */

// The number that a picture has in the library; null where it has none, undefined where nobody could be asked.
const numberOf = async ({ id, job, index }) => {
  if (id.startsWith("library:")) return Number(id.slice("library:".length));
  const found = await ask(`library/of-job/${encodeURIComponent(job)}/${index}`);
  return found ? found.number : found;
};

/** Move a picture into the trash; the notice that says so can take it back. @param {Picture} picture */
export const trash = async (picture) => {
  const number = await numberOf(picture);
  if (number === null) say("notice", { kind: "error", text: t("This picture is not in the library yet; try again in a moment.") });
  if (typeof number !== "number" || !(await send("library/trash", { ids: [number] }))) return;
  const at = current().history.findIndex((one) => one.id === picture.id);
  take("forgotten", { id: picture.id });
  const undo = async () => {
    if (await send("library/restore", { ids: [number] })) take("returned", { picture, at: Math.max(0, at) });
  };
  say("notice", { kind: "notice", text: t("The picture is in the trash."), act: { label: t("Undo"), run: undo } });
};
