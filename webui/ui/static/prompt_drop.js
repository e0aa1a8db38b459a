// What is dropped on the page or pasted into a prompt: a picture offers its parameters, a whole generation text fills the
// form. Places with a use of their own for a picture (stage, canvas, fields) take it before this sees it.

import { say } from "./bus.js";
import { el, openDialog, t } from "./kit.js";
import { ask } from "./page_requests.js";
import { box, setPrompt } from "./prompt_boxes.js";
import { isInfotext } from "./prompt_text.js";

const MOST_BYTES = 64 * 1024 * 1024; // of a file, as the server allows
const MOST_TEXT = 256 * 1024;

/** Listen to the whole page, and to both boxes for what is pasted. */
export function listen() {
  document.addEventListener("dragover", (event) => {
    if (!event.defaultPrevented && hasFile(event)) {
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
    }
  });
  document.addEventListener("drop", (event) => {
    if (event.defaultPrevented || !hasFile(event)) return;
    event.preventDefault();
    taken([...event.dataTransfer.files][0]);
  });
  for (const which of ["prompt", "negative"]) {
    box(which).addEventListener("paste", (event) => pasted(event));
  }
}

function hasFile(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

function pasted(event) {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (!text && file) {
    event.preventDefault();
    event.stopPropagation();
    taken(file);
  } else if (isInfotext(text)) {
    event.preventDefault();
    fill(text);
  }
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
  try {
    const form = new FormData();
    form.append("picture", file);
    offer(file, await ask("dropped-picture", { method: "POST", body: form }));
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
  say("notice", { kind: "notice", text: t("The form was filled from the generation text.") });
}

/** @param {File} file, @param {{text: string, notices: string[], width: number, height: number}} found */
function offer(file, found) {
  const address = URL.createObjectURL(file);
  const dialog = openDialog({ title: file.name || t("Picture"), className: "drop-dialog", closed: () => setTimeout(() => URL.revokeObjectURL(address), 60_000) });
  const send = (to) => () => {
    dialog.close();
    say("picture:send", { picture: asPicture(file, address, found), to });
  };
  const use = el("button", { type: "button", class: "primary", disabled: !found.text, onclick: () => { dialog.close(); fill(found.text); } }, t("Use its parameters"));
  dialog.querySelector(".dialog-body").append(
    el("img", { src: address, alt: t("The dropped picture") }),
    found.text ? el("pre", { tabindex: "0", "aria-label": t("Generation parameters") }, found.text) : el("p", { class: "hint" }, t("This picture holds no generation parameters.")),
    ...found.notices.map((notice) => el("p", { class: "hint" }, notice)),
    el("div", { class: "form-buttons" }, use,
      el("button", { type: "button", class: "quiet", onclick: send("img2img") }, t("Send to img2img")),
      el("button", { type: "button", class: "quiet", onclick: send("inpaint") }, t("Send to inpaint"))),
  );
  (found.text ? use : dialog.querySelector(".form-buttons button:nth-child(2)")).focus();
}

/** A file of this browser as a picture of the page: its id is empty, since the server does not know it. */
function asPicture(file, address, found) {
  return {
    id: "", job: "", index: 0, url: address, thumb: address, width: found.width, height: found.height, seed: "", text: found.text,
    kind: "file", created: file.lastModified / 1000, grid: false, file,
  };
}
