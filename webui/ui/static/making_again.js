// Following a job until its first picture is there. While the stream of events was closed nothing was told of the job, so
// what the page knows of it is looked at as well.
import { hear } from "./bus.js";
import { t } from "./language.js";
import { picturesOf } from "./store.js";
import { current } from "./stream.js";

const OVER = ["failed", "stopped", "cancelled", "held"];
const LATE = 10000; // milliseconds after the end of a job: a picture that is not told by then is nowhere any more

/**
 * Why a job comes to no picture, where it has none by now; "" while one may still be told, which may be after its end.
 * @param {string} id
 * @param {boolean} wasKnown whether it stood in the list of jobs before: it may have left it since
 */
export function endOf(id, wasKnown) {
  const row = current().jobs.find((one) => one.id === id);
  const isOver = row ? OVER.includes(row.state) || (row.state === "done" && !row.pictures) : wasKnown;
  return isOver ? row?.reason || t("The job did not come to a picture.") : "";
}

/**
 * Begin a job and wait for its first picture, wherever others show it.
 * @param {() => Promise<{job: string}>} begin
 * @returns {Promise<{picture: import("./bus.js").Picture, begun: {job: string}}>} an Error with a sentence where there is none
 */
export async function firstPictureOf(begin) {
  const known = new Set(); // jobs that were told of, maybe before the answer of the command
  let late = 0;
  let look = () => {};
  const stops = [
    hear("job:picture", () => look()),
    hear("jobs:changed", () => { for (const row of current().jobs) known.add(row.id); look(); }),
  ];
  try {
    const begun = await begin();
    const picture = await new Promise((resolve, reject) => {
      look = () => {
        const [made] = picturesOf(current(), begun.job);
        const end = endOf(begun.job, known.has(begun.job));
        const isDone = current().jobs.some((row) => row.id === begun.job && row.state === "done");
        if (made) resolve(made);
        else if (end) reject(new Error(end));
        else if (isDone) late ||= window.setTimeout(() => reject(new Error(t("The job did not come to a picture."))), LATE);
      };
      look();
    });
    return { picture, begun };
  } finally {
    clearTimeout(late);
    stops.forEach((stop) => stop());
  }
}
