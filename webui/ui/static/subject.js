// What the stage shows: a picture, the job that runs, all pictures of a job, or nothing. Pure.
//
// The stage follows the jobs of this browser until the user looks at another picture; from then on new pictures come as
// thumbnails only, until the user starts something new or goes back to the newest.

import { extrasOf, picturesOf, running } from "./store.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./store.js").Picture} Picture */
/** @typedef {import("./store.js").JobRow} JobRow */

/**
 * @typedef {object} Gaze
 * @property {boolean} follows whether the jobs of this browser are shown as they go
 * @property {Picture|null} chosen the picture that is shown, or that a batch marks
 * @property {string|null} batch the job of which all pictures are shown side by side
 * @property {number} left what was sent last before a picture was chosen and was no job then; 0: there was nothing
 * @property {readonly string[]} mine jobs of this browser that were seen, so that their pictures are known later
 */

/** @type {Gaze} */
export const START = Object.freeze({ follows: true, chosen: null, batch: null, left: 0, mine: Object.freeze([]) });

const REMEMBERED = 50; // jobs

const withMine = (gaze, jobs) => {
  const fresh = jobs.filter((job) => job.mine && !gaze.mine.includes(job.id)).map((job) => job.id);
  return fresh.length ? { ...gaze, mine: [...gaze.mine, ...fresh].slice(-REMEMBERED) } : gaze;
};

const isLater = (history, one, other) =>
  !other || history.findIndex((each) => each.id === one.id) < history.findIndex((each) => each.id === other.id);

const stateRead = (gaze, state) => {
  const known = withMine(gaze, state.jobs);
  const still = known.chosen && (state.history.find((one) => one.id === known.chosen.id) ?? known.chosen);
  const newest = still ? state.history.find((one) => known.mine.includes(one.job) && !one.grid) : state.history[0];
  const moves = known.follows && newest && isLater(state.history, newest, still);
  const job = known.follows ? running(state) : null;
  return { ...known, chosen: moves ? newest : (still ?? null), batch: job ? batchOf(state, job.id) : known.batch };
};

const pictureCame = (gaze, state, picture) => {
  const isMine = gaze.mine.includes(picture.job);
  if (!gaze.chosen && !gaze.batch) return { ...gaze, chosen: picture };
  if (gaze.chosen?.id === picture.id) return { ...gaze, chosen: picture };
  if (!gaze.follows || !isMine || picture.grid) return gaze;
  return { ...gaze, chosen: picture, batch: batchOf(state, picture.job) };
};

const batchOf = (state, id) => {
  const job = state.jobs.find((one) => one.id === id);
  return (job?.expected ?? 0) > 1 || picturesOf(state, id).length > 1 ? id : null;
};

const pictureWent = (gaze, before, id) => {
  if (gaze.chosen?.id !== id) return gaze;
  const at = before.history.findIndex((one) => one.id === id);
  return { ...gaze, chosen: before.history[at + 1] ?? before.history[at - 1] ?? null };
};

/**
 * Where the user looks after an event.
 *
 * @param {Gaze} gaze
 * @param {State} state after the event
 * @param {string} name
 * @param {any} data
 * @param {State} before
 * @param {number} [sent] what was sent last, while some of what was sent was no job before the event; else 0
 * @returns {Gaze}
 */
export const afterEvent = (gaze, state, name, data, before, sent = 0) => {
  if (name === "state") return stateRead(gaze, state);
  if (name === "picture") return pictureCame(gaze, state, data);
  if (name === "forgotten") return pictureWent(gaze, before, data.id);
  if (name === "forever") return data.on ? { ...gaze, follows: true } : gaze;
  if (name !== "job" || data.kind === "batch") return gaze;
  const known = withMine(gaze, state.jobs);
  // "Generate forever" starts jobs by itself: they do not take the user away from the picture that is looked at
  const isNew = data.mine && !before.forever && !before.jobs.some((job) => job.id === data.id);
  // nor does a job that was sent before that picture was chosen, and comes to be only now
  const startedByUser = isNew && !(sent && sent === known.left);
  const starts = data.mine && data.state === "running" && known.follows;
  const batch = starts ? batchOf(state, data.id) : known.batch;
  return { ...known, follows: known.follows || startedByUser, batch };
};

/**
 * The user chose a picture.
 *
 * @param {Gaze} gaze
 * @param {State} state
 * @param {Picture} picture
 * @param {number} [sent] as for `afterEvent`
 * @returns {Gaze}
 */
export const picked = (gaze, state, picture, sent = 0) => ({
  ...gaze,
  chosen: picture,
  batch: null,
  left: sent,
  follows: picture.id === state.history[0]?.id && !running(state),
});

/** The user wants to see the running job. @param {Gaze} gaze @param {State} state @returns {Gaze} */
export const followed = (gaze, state) => {
  const job = running(state);
  return { ...gaze, follows: true, batch: job ? batchOf(state, job.id) : gaze.batch };
};

/** All pictures of the chosen one's job, or one picture again. @param {Gaze} gaze @param {State} state @returns {Gaze} */
export const batchToggled = (gaze, state) => ({
  ...gaze,
  batch: gaze.batch ? null : (gaze.chosen?.job ?? null),
  follows: gaze.follows && !running(state),
});

/**
 * One picture further.
 *
 * @param {Gaze} gaze
 * @param {State} state
 * @param {1|-1} by 1: older, or the next of a batch; -1: newer
 * @param {number} [sent] as for `afterEvent`
 * @returns {Gaze}
 */
export const stepped = (gaze, state, by, sent = 0) => {
  if (gaze.batch) {
    const all = picturesOf(state, gaze.batch);
    const at = all.findIndex((one) => one.id === gaze.chosen?.id);
    const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
    return next ? { ...gaze, chosen: next, follows: gaze.follows && !running(state) } : gaze;
  }
  const isLive = gaze.follows && running(state) !== null;
  const at = isLive ? -1 : state.history.findIndex((one) => one.id === gaze.chosen?.id);
  if (at + by < 0) return running(state) ? followed(gaze, state) : gaze;
  const next = state.history[at + by];
  return next ? picked(gaze, state, next, sent) : gaze;
};

/**
 * What is to be drawn.
 *
 * @param {Gaze} gaze
 * @param {State} state
 * @returns {{kind: "empty"}
 *   | {kind: "picture", picture: Picture}
 *   | {kind: "live", job: JobRow, preview: string, picture: Picture|null}
 *   | {kind: "batch", job: string, cells: {picture: Picture|null, preview: string|null, extra: string}[], picture: Picture|null}}
 */
export const subject = (gaze, state) => {
  const job = gaze.follows ? running(state) : null;
  const preview = job ? (state.progress[job.id]?.preview ?? null) : null;
  if (gaze.batch) {
    const row = state.jobs.find((one) => one.id === gaze.batch);
    const made = picturesOf(state, gaze.batch);
    const isLive = row?.state === "running";
    const count = isLive ? Math.max(row.expected, made.length) : made.length;
    const cells = Array.from({ length: count }, (_, index) => ({ picture: made[index] ?? null, preview: null, extra: "" }));
    if (isLive && cells[made.length]) cells[made.length].preview = state.progress[gaze.batch]?.preview ?? null;
    if (!isLive) cells.push(...extrasOf(state, gaze.batch).map((extra) => ({ picture: null, preview: null, extra })));
    if (cells.length > 1) return { kind: "batch", job: gaze.batch, cells, picture: gaze.chosen };
  } else if (job && preview) return { kind: "live", job, preview, picture: gaze.chosen };
  return gaze.chosen ? { kind: "picture", picture: gaze.chosen } : { kind: "empty" };
};
