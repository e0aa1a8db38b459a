// What is dropped on the page or pasted into a prompt: a picture offers its parameters, a file of text is read. Places
// with a use of their own for a picture (stage, canvas, fields) take it before this sees it.

import { say } from "./bus.js";
import { el, openDialog, t } from "./kit.js";
import { ask } from "./page_requests.js";
import { box, setPrompt } from "./prompt_boxes.js";
import { isInfotext } from "./prompt_text.js";

const MOST_BYTES = 64 * 1024 * 1024; // of a file, as the server allows
const MOST_TEXT = 256 * 1024;
const PICTURE_TYPE = "application/x-webui-picture"; // JSON of a picture of the history that is dragged

const SHIFTS = new Set(["Alt", "AltGraph", "Control", "Meta", "Shift"]); // held for a paste, they repeat as keys do

let pictures = 0; // how many were dropped or pasted; only the last one is offered
let keys = 0; // how often a key was pressed

/** Listen to the whole page, and to both boxes for what is pasted. */
export function listen() {
  document.addEventListener("keydown", ({ key }) => { if (!SHIFTS.has(key)) keys += 1; }, true);
  document.addEventListener("dragover", (event) => {
    if (event.defaultPrevented || !isTaken(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    if (event.defaultPrevented || !isTaken(event)) return;
    event.preventDefault();
    const ours = event.dataTransfer.getData(PICTURE_TYPE);
    if (ours) offerOurs(JSON.parse(ours));
    else taken(event.dataTransfer.files[0]);
  });
  for (const which of ["prompt", "negative"]) box(which).addEventListener("paste", pasted);
}

/** Files anywhere; pictures of the page itself only where a prompt is. */
function isTaken(event) {
  const types = event.dataTransfer?.types ?? [];
  return types.includes("Files") || (types.includes(PICTURE_TYPE) && Boolean(event.target.closest?.(".prompt")));
}

function pasted(event) {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (event.defaultPrevented || !file || event.clipboardData.getData("text/plain")) return;
  event.preventDefault();
  event.stopPropagation();
  taken(file);
}

/** A file that was dropped or pasted. @param {File} file */
export async function taken(file) {
  if (!file) return;
  if (file.type.startsWith("text/") || /\.txt$/i.test(file.name)) {
    await takenText(file);
    return;
  }
  if (file.size > MOST_BYTES) {
    say("notice", { kind: "error", text: t("{name} is larger than 64 MB.", { name: file.name }) });
    return;
  }
  pictures += 1;
  const [mine, keysBefore] = [pictures, keys];
  try {
    const form = new FormData();
    form.append("picture", file);
    const found = await ask("dropped-picture", { method: "POST", body: form });
    if (mine === pictures) offer(file, found, keys === keysBefore);
  } catch (error) {
    say("notice", { kind: "error", text: `${file.name}: ${error.message}` });
  }
}

async function takenText(file) {
  const text = await file.slice(0, MOST_TEXT).text();
  if (isInfotext(text)) fill(text);
  else setPrompt("prompt", text.trim());
}

function fill(text) {
  say("form:fill", { text });
}

/**
 * @param {File} file
 * @param {{text: string, notices: string[], width: number, height: number}} found
 * @param {boolean} isAwaited  nobody has typed since
 */
function offer(file, found, isAwaited) {
  const address = URL.createObjectURL(file);
  // a file of this browser as a picture of the page: its id is empty, since the server does not know it
  const picture = {
    id: "", job: "", index: 0, url: address, thumb: address, width: found.width, height: found.height, seed: "", text: found.text,
    kind: "file", created: file.lastModified / 1000, grid: false, file,
  };
  show(file.name || t("Picture"), address, picture, found.notices, isAwaited);
}

/** @param {import("./bus.js").Picture} picture */
function offerOurs(picture) {
  pictures += 1;
  show(t("Picture"), window.webui.base + picture.thumb, picture, [], true);
}

function show(title, address, picture, notices, isAwaited) {
  document.querySelector(".drop-dialog[open]")?.close(); // of the picture before
  const dialog = openDialog({ title, className: "drop-dialog" });
  const then = (act) => () => {
    dialog.close();
    act();
  };
  const use = el("button", { type: "button", class: "primary", disabled: !picture.text, onclick: then(() => fill(picture.text)) }, t("Use its parameters"));
  const sends = [["img2img", t("Send to img2img")], ["inpaint", t("Send to inpaint")]].map(([to, label]) =>
    el("button", { type: "button", class: "quiet", onclick: then(() => say("picture:send", { picture, to })) }, label));
  dialog.querySelector(".dialog-body").append(
    el("img", { src: address, alt: t("The dropped picture") }),
    picture.text ? el("pre", { tabindex: "0", "aria-label": t("Generation parameters") }, picture.text) : el("p", { class: "hint" }, t("This picture holds no generation parameters.")),
    ...notices.map((notice) => el("p", { class: "hint" }, notice)),
    el("div", { class: "form-buttons" }, use, ...sends),
  );
  dialog.tabIndex = -1;
  // the next key of somebody who types on would press a button
  const first = picture.text ? use : sends[0];
  (isAwaited ? first : dialog).focus();
}
