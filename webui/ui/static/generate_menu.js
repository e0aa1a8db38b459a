// The menu of Generate, by right click, long press or the menu key: generate forever, enlarge, and stop after this picture.

import { hear, say } from "./bus.js";
import { el } from "./kit.js";
import { t } from "./language.js";

const LONG = 550; // milliseconds of a press
const FAR = 10; // pixels that a finger may move meanwhile

/** Give the button its menu. */
export function generateMenu() {
  let jobs = [];
  let picture = null;
  hear("jobs:changed", (now) => { jobs = now.jobs; });
  hear("picture:shown", (now) => { picture = now.picture; });
  const button = () => document.getElementById("txt2img_generate");
  const entries = (shown = picture) => [ // another may come while the menu is open, and is not what it was opened for
    jobs.some((job) => job.mine && job.forever)
      ? [t("Stop generating forever"), () => command("forever", { on: false })]
      : [t("Generate forever"), () => forever(jobs)],
    ...(shown ? [[t("Hires. fix on the picture in view"), () => say("form:enlarge", { picture: shown })]] : []),
    ...jobs.filter((job) => job.mine && job.state === "running").slice(0, 1)
      .map((job) => [t("Stop after this picture"), () => command(`jobs/${job.id}/finish`)]), // prettier-ignore
  ];
  document.addEventListener("contextmenu", (event) => {
    if (!button()?.contains(event.target)) return;
    event.preventDefault();
    open(button(), entries());
  });
  longPress(button, () => open(button(), entries()));
}

/** Begin with a picture of the form as it is, unless some of one's own are under way. */
async function forever(jobs) {
  const isUnderWay = jobs.some((job) => job.mine && ["waiting", "running"].includes(job.state));
  if ((await command("forever", { on: true })) && !isUnderWay) document.getElementById("txt2img_generate").click();
}

/** Ask the server; whether it did it. What it refuses is said. */
export async function command(path, body = {}) {
  const answer = await fetch(`${window.webui.base}internal/page/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => null);
  if (answer?.ok) return true;
  const told = await answer?.json().catch(() => null);
  say("notice", { kind: "error", text: told?.detail ?? t("The server does not answer.") });
  return false;
}

function open(button, entries) {
  document.getElementById("generate_menu")?.remove();
  const close = () => {
    menu.remove();
    document.removeEventListener("pointerdown", outside, true);
  };
  const outside = (event) => { if (!menu.contains(event.target)) close(); };
  const items = entries.map(([label, act]) =>
    el("button", { type: "button", role: "menuitem", onclick: () => { close(); button.focus(); act(); } }, label));
  const menu = el("div", { id: "generate_menu", role: "menu", "aria-label": t("Generate") }, ...items);
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
    else if (event.key === "Escape" || event.key === "Tab") { close(); button.focus(); }
    else return;
    event.preventDefault();
  });
  const place = button.getBoundingClientRect();
  menu.style.right = `${document.documentElement.clientWidth - place.right}px`;
  menu.style.bottom = `${document.documentElement.clientHeight - place.top + 6}px`;
  (document.querySelector(".gradio-container") ?? document.body).append(menu);
  document.addEventListener("pointerdown", outside, true);
  items[0].focus();
}

/** A finger that rests on the button opens the menu, and its lifting does not press the button. */
function longPress(button, act) {
  let timer = 0, from = null, isLong = false;
  document.addEventListener("pointerdown", (event) => {
    isLong = false;
    if (event.pointerType === "mouse" || !button()?.contains(event.target)) return;
    from = event;
    timer = setTimeout(() => { isLong = true; act(); }, LONG);
  });
  document.addEventListener("pointermove", (event) => {
    if (from && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > FAR) clearTimeout(timer);
  });
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { clearTimeout(timer); from = null; });
  document.addEventListener("click", (event) => {
    if (!isLong || !button()?.contains(event.target)) return;
    isLong = false;
    event.preventDefault();
    event.stopPropagation();
  }, true);
}
