// The one stream of events from the server, and the commands that go the other way.
//
// The stream is closed while the tab is hidden, as it holds one of the six connections that a browser has to a host,
// unless this tab's own jobs are still at work and no other hidden tab listens: then title and sounds go on telling.
// When it opens, the whole state comes first, so nothing has to be remembered across a gap.

import { say } from "./bus.js";
import { t } from "./language.js";
import { EMPTY, EVENTS, apply } from "./store.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./store.js").JobRow} JobRow */
/** @typedef {"opening"|"open"|"lost"} Link */

const WAITS = [300, 1000, 2000, 4000, 8000]; // milliseconds before each attempt to connect again
const TICK = 5000; // milliseconds between looks at the clock
const SLEPT = 20000; // a gap between two looks that tells that the machine was asleep
const LEASE = "webui_listener"; // in localStorage: which hidden tab may keep its stream, and until when

let state = EMPTY;
/** @type {Link} */
let link = "opening";
/** @type {EventSource|null} */
let source = null;
let attempts = 0;
let retry = 0;
let isStarted = false;
const tab = Math.random().toString(36).slice(2);
/** @type {Set<(state: State, name: string, data: any, before: State) => void>} */
const listeners = new Set();

/** The address of something below the page's base, such as a Picture's `url`. @param {string} path */
export const address = (path) => `${window.webui?.base ?? ""}${path}`;

const route = (path) => address(`internal/page/${path}`);

/** @returns {State} what the page knows now */
export const current = () => state;

/** @returns {Link} how things stand with the server */
export const linked = () => link;

/**
 * Hear of every change. The listener is called at once with name "state" if anything is known yet.
 *
 * @param {(state: State, name: string, data: any, before: State) => void} listener name is an event's, or "link"
 * @returns {() => void} stops it
 */
export const follow = (listener) => {
  listeners.add(listener);
  start();
  listener(state, "state", null, state);
  return () => listeners.delete(listener);
};

const tell = (name, data, before) => {
  for (const listener of [...listeners]) listener(state, name, data, before);
};

/** Take an event in, as if the server had sent it. @param {string} name @param {any} data */
export const take = (name, data) => {
  const before = state;
  state = apply(state, name, data);
  tell(name, data, before);
  if (["state", "job", "order", "gone", "paused", "forever"].includes(name))
    say("jobs:changed", { jobs: state.jobs, paused: state.paused });
  if (name === "progress") say("job:progress", data);
  if (name === "picture") say("job:picture", { picture: data });
};

const setLink = (next) => {
  if (next === link) return;
  const was = link;
  link = next;
  tell("link", { link }, state);
  if (was === "lost" && next === "open") say("notice", { kind: "notice", text: t("The server is back.") });
};

const close = () => {
  clearTimeout(retry);
  source?.close();
  source = null;
};

const open = () => {
  close();
  const mine = new EventSource(route("events"));
  source = mine;
  for (const name of EVENTS)
    mine.addEventListener(name, (event) => {
      if (mine !== source) return;
      attempts = 0;
      setLink("open");
      take(name, JSON.parse(event.data));
    });
  mine.onerror = () => {
    if (mine !== source) return;
    close(); // the browser's own attempts have no end and no growing pause
    if (attempts > 0) setLink("lost"); // a stream that a proxy cuts now and then is back at the first attempt
    retry = window.setTimeout(open, WAITS[Math.min(attempts, WAITS.length - 1)] * (0.8 + Math.random() * 0.4));
    attempts += 1;
  };
};

const readLease = () => {
  try {
    return JSON.parse(localStorage.getItem(LEASE) ?? "null");
  } catch {
    return null; // somebody else's text under that key is no lease
  }
};

// Whether this hidden tab may go on listening. The lease runs out by itself when its tab is closed.
const mayListenHidden = () => {
  if (!state.jobs.some((job) => job.mine && ["waiting", "running"].includes(job.state))) return false;
  const lease = readLease();
  if (lease && lease.tab !== tab && lease.until > Date.now()) return false;
  localStorage.setItem(LEASE, JSON.stringify({ tab, until: Date.now() + 4 * TICK }));
  return true;
};

const look = () => {
  if (document.hidden && !mayListenHidden()) close();
  else if (!source && !retryIsPending()) open();
};

const retryIsPending = () => link !== "open" && attempts > 0;

/** Begin to listen; later calls do nothing. */
export const start = () => {
  if (isStarted) return;
  isStarted = true;
  let lastLook = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) attempts = 0;
    look();
  });
  window.addEventListener("online", () => open());
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => event.persisted && look());
  window.setInterval(() => {
    const slept = Date.now() - lastLook > SLEPT;
    lastLook = Date.now();
    if (slept && !document.hidden) open();
    else if (document.hidden) look();
  }, TICK);
  look();
};

const failureOf = async (answer) => {
  const text = await answer.text();
  try {
    const { detail, error } = JSON.parse(text); // `error` is only the name of a class
    const said = [detail, error?.message].find((one) => typeof one === "string");
    if (said) return said;
  } catch {
    // no JSON: a proxy's page, for instance
  }
  return t("The server refused: {status}.", { status: answer.status });
};

/**
 * Ask the server for something; what goes wrong is said on the page.
 *
 * @param {string} path below internal/page/
 * @param {RequestInit} [more]
 * @returns {Promise<any>} the answer; undefined when it failed
 */
export const ask = async (path, more = {}) => {
  try {
    const answer = await fetch(route(path), more);
    if (answer.ok) return await answer.json();
    say("notice", { kind: "error", text: await failureOf(answer) });
  } catch {
    say("notice", { kind: "error", text: t("The server does not answer. Nothing was changed.") });
  }
  return undefined;
};

/** Send JSON; otherwise as `ask`. @param {string} path @param {object} body @returns {Promise<any>} */
export const send = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

const post = async (path, body = {}) => (await send(path, body)) !== undefined;

const of = (id, what) => `jobs/${encodeURIComponent(id)}/${what}`;

/** Whether a job of this browser is in one of these states. @param {...JobRow["state"]} states */
export const hasOwn = (...states) => state.jobs.some((job) => job.mine && states.includes(job.state));

const orNothing = async (has, path) => {
  if (has) return post(path);
  say("notice", { kind: "notice", text: t("Nothing of yours is running.") });
  return false;
};

/** What users do with jobs. Each answers whether the server did it. */
export const commands = Object.freeze({
  interrupt: () => orNothing(hasOwn("running", "waiting") || state.forever, "interrupt"),
  skip: () => orNothing(hasOwn("running"), "skip"),
  forever: (on) => post("forever", { on }),
  finish: (id) => post(of(id, "finish")),
  cancel: (id) => post(of(id, "cancel")),
  remove: (id) => post(of(id, "delete")),
  /** End a job, whatever it does: what runs or waits is cancelled, what is over leaves the list. */
  end: (job) => post(of(job.id, ["waiting", "running"].includes(job.state) ? "cancel" : "delete")),
  retry: (id) => post(of(id, "retry")),
  move: (id, before) => post(of(id, "move"), { before }),
  pause: () => post("queue/pause"),
  resume: () => post("queue/resume"),
});

/**
 * What fills a form so that it asks for the same as a job.
 *
 * @param {string} id
 * @returns {Promise<{text: string}|undefined>} the detail of "form:fill"; undefined when it could not be had
 */
export const parametersOf = (id) => ask(of(id, "parameters"));

let isLoading = false;

/** Load older pictures into the history, once at a time. @returns {Promise<void>} */
export const loadOlder = async () => {
  const last = state.history.at(-1);
  if (isLoading || !state.more || !last) return;
  isLoading = true;
  const page = await ask(`history?before=${encodeURIComponent(last.id)}&limit=120`);
  isLoading = false;
  if (page) take("older", page);
};
