// Says that one's own job has ended while the page is not in view: by a tone, by a message of the system.
import { t } from "./language.js";
import { hearTold } from "./tab_title.js";

const LENGTH = 0.4; // seconds of the tone
const ENDS = { done: "Done", failed: "Failed" };

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

hearTold(({ kind, job }) => {
  if (kind in ENDS && job?.mine && document.hidden) tell(kind, job);
});

function tell(kind, job) {
  if (window.webui.kept("sound") === "on") tone();
  if (window.webui.kept("notify") !== "on" || !("Notification" in window) || Notification.permission !== "granted") return;
  const made = new Notification(t(ENDS[kind]), { body: job.title, tag: job.id, silent: true });
  made.addEventListener("click", () => {
    window.focus();
    made.close();
  });
}
