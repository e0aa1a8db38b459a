// The queue, opened over the stage's right side: move, edit, delete, retry, pause.

import { hear, say } from "./bus.js";
import { el, icon, iconButton } from "./kit.js";
import { action } from "./keys.js";
import { t } from "./language.js";
import { keyed } from "./keyed.js";
import { memoryWords } from "./memory_words.js";
import { duration, waitingWords } from "./progress_words.js";
import { fileOf } from "./form_pictures.js";
import { remedyOf } from "./job_remedies.js";
import { QueueDrag } from "./queue_drag.js";
import { listed, promptOf } from "./store.js";
import { address, commands, current, follow, parametersOf } from "./stream.js";

/** @typedef {import("./store.js").JobRow} JobRow */

const MODES = ["txt2img", "img2img", "inpaint"];
const PATIENCE = 1000; // milliseconds for which a new order is waited for after the server has answered

const small = (name, title, drawing) => iconButton(drawing, title, { "data-act": name });
const quiet = (name, words) => el("button", { type: "button", class: "quiet", "data-act": name }, words);

const factsOf = (job, progress) => {
  const parts = [job.facts];
  if (job.expected > 1) parts.push(t("{n} of {all} pictures", { n: job.pictures, all: job.expected }));
  if (job.state === "waiting") parts.push(waitingWords(job.position));
  if (job.state === "running" && progress?.seconds_left) parts.push(duration(progress.seconds_left));
  if (job.forever) parts.push(t("for ever"));
  return parts.filter(Boolean).join(" · ");
};

// What a job has no picture of yet: the last picture of the same prompt.
const lastOf = ({ title }, { history }) => title && history.find((one) => promptOf(one.text).replace(/\s+/g, " ") === title);

const movableOf = (state) => listed(state).filter((job) => ["waiting", "held"].includes(job.state));

/** Whether a job stands where it was moved to, or stands no longer. */
const isBefore = (state, id, before) => {
  const ids = movableOf(state).map((job) => job.id);
  return !ids.includes(id) || (ids[ids.indexOf(id) + 1] ?? null) === before;
};

/** Wait until the page has heard of something, or is not likely to hear of it any more. @returns {Promise<void>} */
const heard = (isSo) =>
  new Promise((resolve) => {
    if (isSo(current())) return resolve();
    const end = () => {
      clearTimeout(late);
      stop();
      resolve();
    };
    const late = window.setTimeout(end, PATIENCE);
    const stop = follow((state) => isSo(state) && end());
  });

class QueuePanel {
  /** @type {JobRow[]} */
  jobs = [];
  edits = 0; // how often a job was to be edited
  closings = 0;
  /** The moves that are under way, one after the other. */
  moves = Promise.resolve();
  moving = 0; // how many of them there are
  /** The element that gets the focus back. @type {HTMLElement|null} */
  opener = null;

  constructor(host) {
    this.host = host;
    this.count = el("small", {});
    this.pause = quiet("pause", t("Pause"));
    this.clear = quiet("clear", t("Delete all"));
    this.list = el("ul", { "aria-label": t("Jobs in their order") });
    this.nothing = el("p", { class: "nothing" }, t("Nothing waits. Press Generate as often as you like."));
    const key = (keys, does) => el("span", {}, el("kbd", {}, keys), ` ${does}`);
    this.box = el(
      "div", { class: "box", role: "dialog", "aria-label": t("Queue"), hidden: true },
      el("header", {}, el("h2", {}, t("Queue")), this.count, el("span", { class: "grow" }), this.pause, this.clear, small("close", t("Close the queue"), "close")),
      this.list, this.nothing,
      el("p", { class: "keys" }, key("↑ ↓", t("choose")), key("Alt ↑ ↓", t("move")), key("Del", t("delete")), key("Q", t("close"))),
    ); // prettier-ignore
    host.replaceChildren(this.box);
    this.box.addEventListener("click", (event) => this.#click(event));
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.drag = new QueueDrag(this.list, (id, before) => this.#inTurn(() => this.#put(id, before)));
    follow((state) => this.draw(state));
  }

  get isOpen() {
    return !this.box.hidden;
  }

  open(from = null, id = null) {
    this.opener = from ?? document.activeElement;
    this.box.hidden = false;
    this.draw(current());
    const row = [...this.list.children].find((node) => node.dataset.key === id) ?? this.list.firstElementChild;
    (row ?? this.pause).focus({ preventScroll: true });
    say("queue:opened", { isOpen: true });
  }

  close() {
    if (!this.isOpen) return;
    const hadFocus = this.box.contains(document.activeElement);
    this.box.hidden = true;
    this.closings += 1;
    if (hadFocus && this.opener?.isConnected) this.opener.focus({ preventScroll: true });
    say("queue:opened", { isOpen: false });
  }

  toggle(from = null, id = null) {
    if (this.isOpen && !id) this.close();
    else this.open(from, id);
  }

  draw(state) {
    this.jobs = listed(state);
    if (!this.isOpen) return;
    const focused = document.activeElement?.closest?.(".row");
    const at = focused && this.list.contains(focused) ? [...this.list.children].indexOf(focused) : -1;
    keyed(this.list, this.jobs, (job) => job.id, () => this.#row(), (node, job) => this.#update(node, job, state)); // prettier-ignore
    if (at >= 0 && !focused.isConnected) {
      const next = this.list.children[Math.min(at, this.jobs.length - 1)];
      if (next) this.#focusOn(next);
      else this.pause.focus({ preventScroll: true });
    }
    const words = state.paused ? state.reason || t("paused: the running job ends") : t("{n} jobs", { n: this.jobs.length });
    if (this.count.textContent !== words) this.count.textContent = words;
    this.pause.textContent = state.paused ? t("Go on") : t("Pause");
    this.pause.setAttribute("aria-pressed", String(state.paused));
    this.clear.disabled = !this.jobs.some((job) => job.mine && job.state !== "running");
    this.nothing.hidden = this.jobs.length > 0;
  }

  #row() {
    const image = el("img", { alt: "", draggable: "false" });
    return el(
      "li", { class: "row", tabindex: "-1" },
      el("span", { class: "grip", "aria-hidden": "true" }, icon("grip")), el("span", { class: "thumb" }, image),
      el("div", { class: "about" }, el("b", {}), el("small", {})),
      el("span", { class: "acts" }, small("edit", t("Edit"), "edit"), small("delete", t("Delete"), "close")),
      el("div", { class: "why" }, el("span", {}), el("span", { class: "remedy" }), el("span", {}, quiet("retry", t("Retry")), quiet("edit", t("Edit")), quiet("delete", t("Delete")))),
      el("i", { class: "share" }, el("i", {})),
    ); // prettier-ignore
  }

  #update(node, job, state) {
    const set = (place, words) => place.textContent === words || (place.textContent = words);
    const [, thumb, about, acts, why, bar] = node.children;
    const progress = state.progress[job.id];
    node.dataset.state = job.state;
    set(about.firstChild, job.title || job.kind);
    const memory = job.state === "running" && progress?.memory ? memoryWords(progress.memory) : "";
    const network = job.state === "running" ? (progress?.network ?? "") : "";
    set(about.lastChild, [factsOf(job, progress), network, memory].filter(Boolean).join(" · "));
    about.lastChild.title = memory;
    node.setAttribute("aria-label", `${job.title}, ${factsOf(job, progress)}`);
    const picture = job.thumb ?? lastOf(job, state)?.thumb;
    const source = picture ? address(picture) : "";
    const image = thumb.firstChild;
    image.hidden = !source;
    if (source && image.getAttribute("src") !== source) image.src = source;
    const isBad = ["held", "failed"].includes(job.state);
    why.hidden = !isBad;
    set(why.firstChild, isBad ? job.reason || t("This job failed.") : "");
    set(why.children[1], remedyOf(job));
    const canEdit = MODES.includes(job.kind);
    for (const button of node.querySelectorAll("[data-act=edit]")) button.hidden = !canEdit;
    acts.firstChild.setAttribute("aria-label", t("Edit: {title}", { title: job.title }));
    acts.lastChild.setAttribute("aria-label", t("Delete: {title}", { title: job.title }));
    bar.hidden = job.state !== "running";
    bar.firstChild.style.transform = `scaleX(${progress?.fraction ?? 0})`;
    const isFirst = this.list.querySelector(".row[tabindex='0']") ?? node;
    node.tabIndex = isFirst === node ? 0 : -1;
  }

  #jobOf(node) {
    return this.jobs.find((job) => job.id === node?.closest?.(".row")?.dataset.key) ?? null;
  }

  #click(event) {
    const name = event.target.closest("[data-act]")?.dataset.act;
    const job = this.#jobOf(event.target);
    if (name === "close") this.close();
    else if (name === "pause") current().paused ? commands.resume() : commands.pause();
    else if (name === "clear") this.#deleteAll();
    else if (job && name === "delete") commands.end(job);
    else if (job && name === "retry") commands.retry(job.id);
    else if (job && name === "edit") this.#edit(job);
    else if (job) this.#focusOn(event.target.closest(".row"));
  }

  #focusOn(row) {
    for (const other of this.list.children) other.tabIndex = other === row ? 0 : -1;
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  }

  #focusBeside(row, by) {
    this.#focusOn((by < 0 ? row.previousElementSibling : row.nextElementSibling) ?? row);
  }

  // The form is filled first: a job whose parameters cannot be read stays where it is. So does one whose parameters come
  // after another was chosen or the queue was closed, as they would take the place of what the user wants by then.
  async #edit(job) {
    this.edits += 1;
    const { edits, closings } = this;
    const parameters = await parametersOf(job.id);
    if (edits !== this.edits || closings !== this.closings || !parameters?.text) return;
    say("tab:open", { tab: job.kind });
    const { text, batch_size, n_iter, styles, source } = parameters;
    say("form:fill", { text, beside: n_iter ? { batch_size, n_iter, styles } : null });
    if (source && ["img2img", "inpaint"].includes(job.kind)) await this.#bringBack(source, job.kind, edits);
    if (edits !== this.edits) return;
    await this.#endUnlessRunning(job.id);
    if (edits === this.edits) this.close();
  }

  // A job may have begun to run, or have ended, since somebody wanted it to go.
  async #endUnlessRunning(id) {
    const job = this.jobs.find((one) => one.id === id);
    if (job && job.state !== "running") await commands.end(job);
  }

  // The picture goes to the canvas before the job ends, with which it may be forgotten.
  async #bringBack(source, to, edits) {
    try {
      const file = await fileOf({ url: source, id: "source" });
      if (edits === this.edits) say("picture:send", { picture: { id: "", url: source, file, width: 0, height: 0 }, to });
    } catch (error) {
      say("notice", { kind: "error", text: error.message });
    }
  }

  async #deleteAll() {
    const jobs = this.jobs.filter((job) => job.mine && job.state !== "running");
    for (const { id } of jobs) await this.#endUnlessRunning(id);
  }

  /** Move a job one place up or down among those that wait. @param {string} id @param {1|-1} by */
  async #move(id, by) {
    const movable = movableOf(current());
    const at = movable.findIndex((job) => job.id === id);
    const to = at + by;
    if (at < 0 || to < 0 || to >= movable.length) return;
    await this.#put(id, (by < 0 ? movable[to] : movable[to + 1])?.id ?? null);
  }

  // The server answers before it tells the order.
  async #put(id, before) {
    if (await commands.move(id, before)) await heard((state) => isBefore(state, id, before));
  }

  // A place is reckoned from the order that the move before has led to.
  #inTurn(does) {
    this.moving += 1;
    this.moves = this.moves.then(does).finally(() => (this.moving -= 1));
  }

  // A key that is held down moves the job only while it is held, however slow the line is.
  #moveByKey({ repeat }, id, by) {
    if (!repeat || !this.moving) this.#inTurn(() => this.#move(id, by));
  }

  #key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      return this.close();
    }
    const row = event.target.closest(".row");
    if (event.target !== row) return;
    const job = this.#jobOf(row);
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const does = by
      ? () => (event.altKey ? this.#moveByKey(event, job.id, by) : this.#focusBeside(row, by))
      : { Home: () => this.#focusOn(this.list.firstElementChild), End: () => this.#focusOn(this.list.lastElementChild),
          Delete: () => commands.end(job), Enter: () => MODES.includes(job.kind) && this.#edit(job) }[event.key]; // prettier-ignore
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }
}

export const mount = ({ element }) => {
  const panel = new QueuePanel(element);
  hear("queue:open", ({ from, id }) => panel.toggle(from, id));
  hear("tab:opened", () => panel.close());
  action("queue", () => panel.toggle());
  action("close", () => {
    const wasOpen = panel.isOpen;
    panel.close();
    return wasOpen;
  });
};
