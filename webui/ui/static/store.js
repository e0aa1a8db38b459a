// What the page knows of jobs and pictures. Everything here is pure: a state and an event give the next state, and
// nothing that was handed out is changed. The state that all events since a "state" lead to is the one that the server
// would send now; the tests hold it to that.

/**
 * @typedef {object} Picture
 * @property {string} id "job/index", or "library:<n>" for a picture that no remembered job made
 * @property {string} job
 * @property {number} index
 * @property {string} url below the page's base, the exact file
 * @property {string} thumb below the page's base
 * @property {number} width 0 where nobody knows
 * @property {number} height
 * @property {number|null} seed null where it has none
 * @property {string} text the generation parameters, as A1111 writes them
 * @property {string} kind
 * @property {number} created seconds since the epoch
 * @property {boolean} grid whether it is a sheet of other pictures
 */

/**
 * @typedef {object} JobRow
 * @property {string} id
 * @property {string} kind "txt2img", "img2img", "inpaint", "batch" (of pictures that are jobs themselves) or an action's name
 * @property {string} title
 * @property {string} facts for instance "1024 × 1024 · 20 steps"
 * @property {"waiting"|"running"|"held"|"done"|"stopped"|"failed"} state
 * @property {boolean} mine
 * @property {number|null} position how many jobs must end before its turn; null where it does not wait
 * @property {string} reason why it is held or failed
 * @property {number} pictures how many are made
 * @property {number} expected how many it will make; 0 where nobody knows
 * @property {string|null} thumb
 * @property {number} created seconds since the epoch
 * @property {boolean} forever whether another of its kind follows when it has ended
 * @property {readonly string[]} notices what the user should know beside its pictures
 * @property {number} [extras] how many pictures extensions made beside them, such as detected maps
 */

/**
 * @typedef {object} Progress
 * @property {string} id the job's
 * @property {number} fraction of the whole job, 0 to 1
 * @property {number} step
 * @property {number} steps
 * @property {string} phase "loading", "sampling" and so on, or what an action says that it does
 * @property {number} image which picture is made, from 1; 0 for work that makes none
 * @property {number} images of how many
 * @property {number|null} seconds_left
 * @property {string|null} preview below the page's base
 * @property {import("./memory_words.js").Memory|null} [memory] of the device
 * @property {string} [network] how the network was called last
 */

/**
 * @typedef {object} State
 * @property {string} server which run of the server this is
 * @property {boolean} paused
 * @property {string} reason why the queue is paused
 * @property {boolean} forever whether this browser generates for ever
 * @property {readonly JobRow[]} jobs in the order in which they will be done, then some that ended
 * @property {readonly Picture[]} history newest first
 * @property {boolean} more whether the server has older pictures
 * @property {Readonly<Record<string, Progress>>} progress by the job's id
 */

/** @type {State} */
export const EMPTY = Object.freeze({
  server: "",
  paused: false,
  reason: "",
  forever: false,
  jobs: Object.freeze([]),
  history: Object.freeze([]),
  more: false,
  progress: Object.freeze({}),
});

const ACTIVE = ["waiting", "running"];

const without = (record, id) => Object.fromEntries(Object.entries(record).filter(([key]) => key !== id));

// The server sends the newest pictures; those that were loaded before stay behind them while they join on.
const joined = (fresh, old) => {
  const last = fresh.at(-1);
  const at = last ? old.findIndex((one) => one.id === last.id) : -1;
  return at < 0 ? fresh : [...fresh, ...old.slice(at + 1)];
};

const REDUCERS = {
  state: (state, { server, paused, reason, forever, jobs, history, more }) => {
    const known = new Set(jobs.map((job) => job.id));
    const isSame = server === state.server;
    const all = isSame ? joined(history, state.history) : history;
    return {
      server,
      paused,
      reason,
      forever,
      jobs,
      history: all,
      more: all.length > history.length ? state.more : more,
      progress: isSame ? Object.fromEntries(Object.entries(state.progress).filter(([id]) => known.has(id))) : {},
    };
  },

  job: (state, row) => {
    const isKnown = state.jobs.some((job) => job.id === row.id);
    const jobs = isKnown ? state.jobs.map((job) => (job.id === row.id ? row : job)) : [...state.jobs, row];
    return { ...state, jobs, progress: row.state === "running" ? state.progress : without(state.progress, row.id) };
  },

  order: (state, { ids }) => {
    const place = new Map(ids.map((id, index) => [id, index]));
    const placeOf = (job) => place.get(job.id) ?? ids.length;
    // sort is stable: jobs that are not named stay behind the others in the order that they had
    return { ...state, jobs: [...state.jobs].sort((a, b) => placeOf(a) - placeOf(b)) };
  },

  gone: (state, { id }) => ({
    ...state,
    jobs: state.jobs.filter((job) => job.id !== id),
    progress: without(state.progress, id),
  }),

  paused: (state, { paused, reason }) => ({ ...state, paused, reason }),

  forever: (state, { on }) => ({ ...state, forever: on }),

  progress: (state, progress) =>
    state.jobs.some((job) => job.id === progress.id)
      ? { ...state, progress: { ...state.progress, [progress.id]: progress } }
      : state,

  picture: (state, picture) => {
    const isKnown = state.history.some((one) => one.id === picture.id);
    const history = isKnown
      ? state.history.map((one) => (one.id === picture.id ? picture : one))
      : [picture, ...state.history];
    return { ...state, history };
  },

  // The next three are said by the page itself: older pictures that it asked for, a picture that it deleted, and one
  // that it took back from the trash.
  older: (state, { pictures, more }) => {
    const known = new Set(state.history.map((one) => one.id));
    return { ...state, history: [...state.history, ...pictures.filter((one) => !known.has(one.id))], more };
  },

  forgotten: (state, { id }) => ({ ...state, history: state.history.filter((one) => one.id !== id) }),

  returned: (state, { picture, at }) => ({ ...state, history: state.history.toSpliced(at, 0, picture) }),
};

/** The names of the events from the server. Cells of sheets are kept by the sheet that shows them (`sheet.js`). */
export const EVENTS = Object.freeze(["state", "job", "order", "gone", "paused", "forever", "progress", "picture", "cell"]);

/**
 * The state after an event. An event of a name that is not known changes nothing: a newer server may send more.
 *
 * @param {State} state
 * @param {string} name
 * @param {any} data
 * @returns {State}
 */
export const apply = (state, name, data) => REDUCERS[name]?.(state, data) ?? state;

const isBatch = (job) => job.kind === "batch";

/** The job of this browser that runs. @param {State} state @returns {JobRow|null} */
export const running = (state) => state.jobs.find((job) => job.mine && job.state === "running" && !isBatch(job)) ?? null;

/** How many jobs of this browser run. @param {State} state */
export const runningCount = (state) => state.jobs.filter((job) => job.mine && job.state === "running" && !isBatch(job)).length;

/** The batch of this browser that runs; its pictures are jobs beside it. @param {State} state @returns {JobRow|null} */
export const runningBatch = (state) => state.jobs.find((job) => job.mine && job.state === "running" && isBatch(job)) ?? null;

/** The first job of this browser that waits. @param {State} state @returns {JobRow|null} */
export const waiting = (state) => state.jobs.find((job) => job.mine && job.state === "waiting") ?? null;

/** Jobs that run or wait, of everybody. @param {State} state */
export const active = (state) => state.jobs.filter((job) => ACTIVE.includes(job.state) && !isBatch(job));

/** Jobs that the queue shows: what is not over, and those of this browser that failed. @param {State} state */
export const listed = (state) =>
  state.jobs.filter((job) => [...ACTIVE, "held"].includes(job.state) || (job.state === "failed" && job.mine));

/** The pictures of a job in the order in which it made them, without sheets. @param {State} state @param {string} id */
export const picturesOf = (state, id) =>
  state.history.filter((one) => one.job === id && !one.grid).sort((a, b) => a.index - b.index);

/** The addresses of what extensions made beside a job's pictures. @param {State} state @param {string} id */
export const extrasOf = (state, id) => {
  const count = state.jobs.find((job) => job.id === id)?.extras ?? 0;
  return Array.from({ length: count }, (_, index) => `internal/page/jobs/${id}/extras/${index}`);
};

/** The prompt in a picture's text: what stands before the negative prompt and the settings. @param {string} text */
export const promptOf = (text) => {
  const end = /\n(?=Negative prompt:|Steps:)|^(?=Negative prompt:|Steps: )/.exec(text ?? "");
  return (end ? text.slice(0, end.index) : (text ?? "")).trim();
};
