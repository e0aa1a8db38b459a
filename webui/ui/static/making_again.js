// Following a job until its first picture is there.
import { hear } from "./bus.js";
import { t } from "./language.js";

const OVER = ["failed", "stopped", "cancelled", "held"];

/**
 * Begin a job and wait for its first picture, wherever others show it.
 * @param {() => Promise<{job: string}>} begin
 * @returns {Promise<{picture: import("./bus.js").Picture, begun: {job: string}}>} an Error with a sentence where there is none
 */
export async function firstPictureOf(begin) {
  const early = []; // pictures that come before the answer of the command
  const rows = new Map();
  let look = () => {};
  const stops = [
    hear("job:picture", ({ picture }) => { if (picture) { early.push(picture); look(); } }),
    hear("jobs:changed", ({ jobs }) => { for (const row of jobs ?? []) rows.set(row.id, row); look(); }),
  ];
  try {
    const begun = await begin();
    const picture = await new Promise((resolve, reject) => {
      look = () => {
        const made = early.find((one) => one.job === begun.job);
        const row = rows.get(begun.job);
        if (made) resolve(made);
        else if (row && OVER.includes(row.state)) reject(new Error(row.reason || t("The job did not come to a picture.")));
      };
      look();
    });
    return { picture, begun };
  } finally {
    stops.forEach((stop) => stop());
  }
}
