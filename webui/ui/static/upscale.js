// The tab Upscale: pictures, how they are enlarged, and the result beside what it was made of.

import { el, iconButton, t, toggle } from "./kit.js";
import { hear, say } from "./bus.js";
import { FormState, OWN } from "./declared_state.js";
import { Scope } from "./form_scope.js";
import { bodyOf } from "./form_body.js";
import { fileOf, opener, pictureOnStage, takes, uploaded } from "./form_pictures.js";
import { beforeAfter } from "./before_after.js";
import { translated } from "./form_words.js";
import { whenSent } from "./sent_pictures.js";
import { folderOfPictures } from "./batch_pictures.js";
import { endOf } from "./making_again.js";
import { picturesOf } from "./store.js";
import { current } from "./stream.js";

const PATIENCE = 20000; // milliseconds after which a press counts as not answered: nobody tells when it failed on its way

/** Draw the tab. @param {{element: HTMLElement, props: *, trigger: Function, upload: *}} context */
export function mount({ element, props, trigger, upload }) {
  const failed = (/** @type {string} */ text) => status.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, text));
  const form = translated(props.form);
  const state = new FormState(form, {});
  const about = { elemId: "extras", hints: form, isWide: false, upload, failed };
  const body = bodyOf(new Scope(state, [], state.fields, about));
  const others = translated(props.extensions).map((/** @type {*} */ drawn) => extensionPart(drawn, about));
  const thumbs = el("div", { class: "f-thumbs", id: "extras_image_batch" });
  const status = el("div", { class: "a-status", role: "status", id: "extras_status" });
  const go = el("button", { type: "button", class: "f-go", id: "extras_generate" }, t("Upscale"));
  const view = beforeAfter();
  const film = el("div", { class: "u-film" });
  const acts = el("div", { class: "f-acts u-acts", hidden: true });
  /** @type {*[]} */
  let pictures = [];
  /** @type {{id: string, sources: *[], made: *[], isKnown: boolean, end: string}|null} */
  let job = null;
  /** @type {*[]|null} what Upscale was pressed for, until that is answered */
  let pressed = null;
  let isSending = false; // a second press would be lost until the first is answered
  let presses = 0;
  let sendings = 0; // only the pictures that were sent here last come into the list
  let shown = -1;

  const folder = folderOfPictures({ id: "extras", changed: () => drawPictures() });
  const drawPictures = () => {
    thumbs.replaceChildren(...pictures.map((one, at) => el("figure", { class: "f-thumb" }, el("img", { src: one.url, alt: one.name }), iconButton("close", t("Remove {name}", { name: one.name }), { onclick: () => { pictures = pictures.filter((_, other) => other !== at); drawPictures(); } }))));
    go.textContent = folder.isOn() ? t("Upscale one by one, names kept") : pictures.length > 1 ? t("Upscale {n} pictures", { n: pictures.length }) : t("Upscale");
    go.disabled = isSending || (!pictures.length && !folder.hasFolder());
    if (pictures.length && !job) view.show(pictures.at(-1).url, "", pictures.at(-1).name);
    else if (!job) view.clear(t("Drop pictures here, or load them."));
  };
  // Those in whose place they come stay in the list until all of them are there.
  const add = async (/** @type {File[]|Promise<File[]>} */ files, /** @type {*[]} */ replaced = [], isWanted = () => true) => {
    const before = presses;
    try {
      const added = [];
      for (const file of await files) added.push(await uploaded(upload, file));
      if (!isWanted()) return;
      const others = pictures.filter((one) => !replaced.includes(one));
      pictures = [...others, ...added].slice(0, folder.isOn() ? undefined : props.most);
      if (before === presses) {
        job = null;
        acts.hidden = true;
        film.replaceChildren();
        status.replaceChildren();
      }
      drawPictures();
    } catch (error) {
      if (isWanted()) failed(/** @type {Error} */ (error).message);
    }
  };
  const receive = (/** @type {*[]} */ sent) => {
    const mine = (sendings += 1);
    return add(Promise.all(sent.map(fileOf)), pictures, () => mine === sendings);
  };
  const send = (/** @type {string} */ to, /** @type {string} */ label) => el("button", { type: "button", class: "f-quiet", onclick: () => job?.made[shown] && say("picture:send", { picture: job.made[shown], to }) }, label);
  acts.append(send("img2img", t("Send to img2img")), send("inpaint", t("Send to inpaint")), el("a", { class: "f-quiet", download: "" }, t("Download")));

  const show = (/** @type {number} */ at) => {
    const picture = job?.made[at];
    if (!picture) return;
    shown = at;
    const base = /** @type {*} */ (window).webui.base;
    view.show(base + picture.url, job?.sources[picture.index]?.url ?? "", t("The result, {width} × {height}", { width: picture.width, height: picture.height }));
    acts.hidden = false;
    acts.querySelector("a")?.setAttribute("href", base + picture.url);
    status.replaceChildren(el("span", {}, t("{width} × {height} pixels", { width: picture.width, height: picture.height })));
    film.replaceChildren(...(job?.made ?? []).map((one, other) => el("button", { type: "button", "aria-pressed": String(other === at), "aria-label": t("Picture {n}", { n: other + 1 }), onclick: () => show(other) }, el("img", { src: base + one.thumb, alt: "" }))));
    film.hidden = (job?.made.length ?? 0) < 2;
  };
  const arrived = (/** @type {*} */ picture) => {
    if (!job || picture.job !== job.id || job.made.some((one) => one.id === picture.id)) return;
    job.made.push(picture);
    show(job.made.length - 1);
  };
  go.addEventListener("click", () => {
    const mine = (presses += 1);
    pressed = pictures;
    isSending = go.disabled = true;
    setTimeout(() => {
      if (!isSending || mine !== presses) return;
      isSending = false;
      drawPictures();
      failed(t("The server does not answer."));
    }, PATIENCE);
    status.replaceChildren(el("span", {}, t("Waiting for its turn")));
    const options = Object.fromEntries(Object.entries(state.values).filter(([name]) => !name.startsWith(OWN)));
    const extensions = Object.fromEntries(others.filter((one) => one.isOn()).map((one) => [one.name, one.values()]));
    props.value = { pictures, options, extensions, batch: folder.isOn() ? folder.value() : null, press: Date.now() };
    trigger("start");
  });
  // The job may be known before the answer that names it; and it may have ended while the stream was closed.
  const look = () => {
    if (!job) return;
    for (const picture of picturesOf(current(), job.id)) arrived(picture);
    const mine = current().jobs.find((one) => one.id === job?.id);
    const end = mine?.state === "failed" ? mine.reason || t("This did not work.") : job.made.length ? "" : endOf(job.id, job.isKnown);
    if (end && end !== job.end) failed(end);
    job.end = end;
    job.isKnown ||= Boolean(mine);
  };
  hear("upscale:answer", ({ job: id, batch, error }) => {
    const sources = pressed ?? [];
    pressed = null;
    isSending = false;
    drawPictures();
    if (error) {
      failed(error);
      return;
    }
    if (batch) {
      job = null;
      status.replaceChildren(el("span", {}, t("The pictures come one after another; the queue tells how far they are.")));
      return;
    }
    job = { id, sources, made: [], isKnown: false, end: "" };
    look();
  });
  hear("job:picture", look);
  hear("job:progress", (now) => {
    if (!job || now.id !== job.id) return;
    const bar = el("div", { class: "a-bar", role: "progressbar", "aria-valuenow": Math.round(now.fraction * 100), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": t("Upscale") });
    bar.style.setProperty("--share", `${now.fraction * 100}%`);
    status.replaceChildren(bar, el("span", {}, now.phase || t("Working")));
  });
  hear("jobs:changed", look);
  state.hear((from) => body.show(from));
  takes(element, (file) => add([file]), (error) => failed(error.message));
  const stage = el("button", { type: "button", class: "f-quiet", onclick: () => (pictureOnStage() ? receive([pictureOnStage()]) : failed(t("There is no picture on the stage yet."))) }, t("From the stage"));
  const side = el("aside", { class: "a-side", "aria-label": t("Upscale") }, el("h2", {}, t("Pictures")), thumbs, el("div", { class: "f-acts" }, opener(t("Load"), add, { several: true, id: "extras_image" }), stage), folder.node, body.node, ...others.map((one) => one.node), el("div", { class: "a-foot" }, status, el("div", { class: "a-go" }, go)));
  element.classList.add("action", "narrow");
  element.replaceChildren(side, el("div", { class: "a-main u-main" }, view.node, film, acts));
  state.wake();
  drawPictures();
  whenSent("upscale", receive);
}

/** A switch and the form of an extension that also works on finished pictures. */
function extensionPart(/** @type {*} */ drawn, /** @type {*} */ about) {
  const state = new FormState(drawn, {});
  const body = bodyOf(new Scope(state, [], state.fields, { ...about, elemId: `extras_${drawn.extension}`, hints: drawn }));
  body.node.hidden = true;
  const onOff = toggle(drawn.title, false, (isOn) => {
    body.node.hidden = !isOn;
    state.wake();
  });
  onOff.classList.add("f-switch");
  onOff.querySelector("input").id = `extras_${drawn.extension}_enable`;
  state.hear((from) => body.show(from));
  return { name: drawn.extension, node: el("div", { class: "u-part" }, onOff, body.node), isOn: () => onOff.checked, values: () => state.values };
}
