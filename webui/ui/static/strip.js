// Queue and history beside the stage. Its value is `{waiting, running}`, so that the form's label can follow it.

import { hear, say } from "./bus.js";
import { el, icon } from "./kit.js";
import { t } from "./language.js";
import { History } from "./history.js";
import { keyed } from "./keyed.js";
import { shownPicture } from "./shown.js";
import { active, listed } from "./store.js";
import { commands, follow } from "./stream.js";
import { interrupt } from "./submissions.js";

// What stands at the right of a row.
const whereOf = (job, progress) => {
  if (job.state === "held") return t("held");
  if (job.state === "failed") return t("failed");
  if (job.state === "waiting") return /^[\d]+ × [\d]+/.exec(job.facts)?.[0] ?? "";
  if (progress?.steps) return `${progress.step}/${progress.steps}`;
  return progress ? `${Math.round(progress.fraction * 100)} %` : "";
};

/**
 * What the button Generate reads.
 * @param {{waiting: number}|null} value the strip's
 * @param {{open: boolean, total: number}|null} [experiment] the value of the pane's second face
 */
const label = (value, experiment = null) => {
  if (experiment?.open && experiment.total) return t("Generate {n}", { n: experiment.total });
  return value?.waiting ? t("Queue ({n})", { n: value.waiting }) : t("Generate");
};

export const mount = ({ element, props }) => {
  window.webui.queue = Object.freeze({ ...commands, interrupt, label }); // for events of Gradio, which cannot import modules
  const open = el("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": "queue_panel" });
  const word = el("span", {}, t("Queue"));
  const count = el("span", { class: "n" });
  open.append(word, count);
  open.title = t("Open the queue (Q)");
  open.addEventListener("click", () => say("queue:open", { from: open }));
  hear("queue:opened", ({ isOpen }) => open.setAttribute("aria-expanded", String(isOpen)));

  const rows = el("ul", {});
  const idle = el("p", { class: "idle" });
  const queue = el("section", { class: "queue", "aria-label": t("Queue") }, el("h2", {}, open), rows, idle);
  const history = new History();
  element.replaceChildren(queue, history.element);

  let jobs = [];
  rows.addEventListener("click", (event) => {
    const node = event.target.closest(".job");
    const job = jobs.find((one) => one.id === node?.dataset.key);
    if (!job) return;
    if (event.target.closest(".stop")) commands.end(job);
    else if (job.mine && job.state === "running") say("job:follow", {});
    else say("queue:open", { from: event.target.closest("button"), id: job.id });
  });

  const create = () =>
    el(
      "li", { class: "job" },
      el("button", { type: "button", class: "what" }), el("span", { class: "where" }),
      el("button", { type: "button", class: "stop" }, icon("close")), el("i", { class: "share" }),
    ); // prettier-ignore
  const update = (node, job, progress) => {
    const [what, where, stop, bar] = node.children;
    node.dataset.state = job.state;
    node.toggleAttribute("data-mine", job.mine);
    if (what.textContent !== job.title) what.textContent = job.title || job.kind;
    what.title = job.reason || job.title;
    const words = whereOf(job, progress);
    if (where.textContent !== words) where.textContent = words;
    const name = t("Remove: {title}", { title: job.title.slice(0, 60) });
    if (stop.getAttribute("aria-label") !== name) stop.setAttribute("aria-label", name);
    bar.style.transform = `scaleX(${job.state === "running" ? (progress?.fraction ?? 0) : 0})`;
  };

  follow((state, name) => {
    jobs = listed(state);
    if (name !== "picture" && name !== "older" && name !== "forgotten") {
      const waits = active(state);
      count.textContent = waits.length ? String(waits.length) : "";
      keyed(rows, jobs, (job) => job.id, create, (node, job) => update(node, job, state.progress[job.id]));
      const words = state.paused ? state.reason || t("Paused.") : jobs.length ? "" : t("Nothing waits. Press Generate as often as you like."); // prettier-ignore
      if (idle.textContent !== words) idle.textContent = words;
      const value = { waiting: waits.length, running: state.jobs.some((job) => job.mine && job.state === "running") };
      const isSame = props.value?.waiting === value.waiting && props.value?.running === value.running;
      if (!isSame) props.value = value; // another value is an event of the component
    }
    if (["state", "picture", "older", "forgotten"].includes(name)) history.draw();
  });
  hear("picture:shown", ({ picture }) => history.mark(picture));
  history.mark(shownPicture());
};
