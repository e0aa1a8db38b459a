// The tab's title and icon tell how far a job is, also while another tab is in view.

import { titleWords } from "./progress_words.js";
import { running, runningBatch, waiting } from "./store.js";
import { follow } from "./stream.js";

const SIZE = 32; // pixels of the icon

/** @typedef {{kind: "picture"|"done"|"failed"|"held"|"stopped", job: import("./store.js").JobRow|null}} Told */
/** @type {Set<(event: Told) => void>} */
const hearers = new Set();

/** Hear of what a user may want a sound or a notification for. @param {(event: Told) => void} hearer */
export const hearTold = (hearer) => {
  hearers.add(hearer);
  return () => hearers.delete(hearer);
};

/** Something came to an end that a user may wait for in another window. @param {Told} event */
export const told = (event) => {
  for (const hearer of hearers) hearer(event);
};

const ring = (fraction, colour, ground) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIZE, height: SIZE });
  const pen = canvas.getContext("2d");
  const middle = SIZE / 2;
  pen.lineWidth = 6;
  for (const [style, end] of [[ground, 1], [colour, fraction]]) {
    pen.strokeStyle = style;
    pen.beginPath();
    pen.arc(middle, middle, middle - 4, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * end);
    pen.stroke();
  }
  return canvas.toDataURL("image/png");
};

/** Keep title and icon up to date from now on. @returns {() => void} stops it and puts both back */
export const tellInTitle = () => {
  let name = null; // the title of the page itself, while ours is shown
  let shown = "";
  let drawn = -1;
  let original = null; // the address of the page's own icon, while ours is shown
  const link = () => document.querySelector("link[rel~='icon']") ?? document.head.appendChild(Object.assign(document.createElement("link"), { rel: "icon" })); // prettier-ignore

  const restore = () => {
    if (name !== null && document.title === shown) document.title = name;
    if (original !== null) {
      if (original) link().href = original;
      else link().removeAttribute("href");
    }
    [name, original, drawn, shown] = [null, null, -1, ""];
  };

  const stop = follow((state) => {
    const words = titleWords(state);
    const job = runningBatch(state) ?? running(state);
    if (!words || !(job || waiting(state))) return restore();
    if (document.title !== shown) name = document.title; // the page, or another script, named itself anew
    shown = `${words} · ${name}`;
    if (document.title !== shown) document.title = shown;
    const percent = job ? Math.round((state.progress[job.id]?.fraction ?? 0) * 50) * 2 : 0; // a new icon each 2 %
    if (percent === drawn) return;
    drawn = percent;
    const icon = link();
    if (original === null) original = icon.getAttribute("href") ?? "";
    const style = getComputedStyle(document.documentElement);
    icon.href = ring(percent / 100, style.getPropertyValue("--accent").trim() || "#7a8cff", "#8884");
  });
  return () => {
    stop();
    restore();
  };
};
