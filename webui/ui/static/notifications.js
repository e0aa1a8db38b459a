// Says that one's own job has ended while the page is not in view: by a tone, by a message of the system.
import { hear } from "./bus.js";
import { t } from "./language.js";

const LENGTH = 0.4; // seconds of the tone
const ENDS = { done: "Done", failed: "Failed" };
const UNDER_WAY = ["waiting", "running", "held"];

/** Whether anything is to be said; who gets events from the server need not listen while hidden otherwise. */
export function isWanted() {
  return window.webui.kept("sound") === "on" || window.webui.kept("notify") === "on";
}

/** Two short notes, one after the other. */
export function tone() {
  const Context = window.AudioContext;
  if (!Context) return;
  const audio = new Context();
  [660, 880].forEach((frequency, at) => {
    const [from, to] = [audio.currentTime + at * (LENGTH / 2), audio.currentTime + (at + 1) * (LENGTH / 2)];
    const [note, volume] = [audio.createOscillator(), audio.createGain()];
    note.frequency.value = frequency;
    volume.gain.setValueAtTime(0.12, from);
    volume.gain.exponentialRampToValueAtTime(0.001, to);
    note.connect(volume).connect(audio.destination);
    note.start(from);
    note.stop(to);
  });
  setTimeout(() => audio.close(), 1000 * (LENGTH + 0.2));
}

const states = new Map(); // of jobs under way, by id

hear("jobs:changed", ({ jobs }) => {
  for (const job of jobs ?? []) {
    const before = states.get(job.id);
    if (UNDER_WAY.includes(job.state)) states.set(job.id, job.state);
    else states.delete(job.id);
    if (before && job.mine && job.state in ENDS && document.hidden) tell(job);
  }
});

function tell(job) {
  if (window.webui.kept("sound") === "on") tone();
  if (window.webui.kept("notify") !== "on" || !("Notification" in window) || Notification.permission !== "granted") return;
  const made = new Notification(t(ENDS[job.state]), { body: job.title, tag: job.id, silent: true });
  made.addEventListener("click", () => {
    window.focus();
    made.close();
  });
}
