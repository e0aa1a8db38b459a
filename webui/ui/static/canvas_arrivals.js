// Pictures that come to the canvas from outside: dropped, pasted, dragged from the strip, sent by another part of the page.

import { hear, say } from "./bus.js";
import { t } from "./language.js";
import { ofFile, ofPicture } from "./canvas_source.js";

export const PICTURE_TYPE = "application/x-webui-picture"; // JSON of a picture that is dragged
const MODES = Object.freeze({ img2img: "img2img", sketch: "img2img", inpaint: "inpaint" });

/**
 * @param {HTMLElement} element where things may be dropped
 * @param {(opened: () => Promise<import("./canvas_source.js").Source>) => Promise<void>} load
 * @param {{isInView: () => boolean, sent: (to: string) => void, result: (picture: object) => void}} canvas
 */
export function arrivals(element, load, canvas) {
  const file = (found) => load(() => ofFile(found));
  const picture = (found) => load(() => ofPicture(found, window.webui.base));

  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    element.classList.add("awaits");
  });
  for (const end of ["dragleave", "drop"]) element.addEventListener(end, () => element.classList.remove("awaits"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const ours = event.dataTransfer.getData(PICTURE_TYPE);
    const dropped = imageOf(event.dataTransfer);
    if (ours) picture(JSON.parse(ours));
    else if (dropped) file(dropped);
    else say("notice", { kind: "notice", text: t("Drop a picture here: a file, or one of the history.") });
  });

  document.addEventListener("paste", (event) => {
    const pasted = event.clipboardData && imageOf(event.clipboardData);
    if (!pasted || event.defaultPrevented || !canvas.isInView()) return;
    event.preventDefault();
    file(pasted);
  });

  hear("picture:send", (sent) => {
    if (!Object.hasOwn(MODES, sent.to)) return;
    say("tab:open", { tab: MODES[sent.to] });
    canvas.sent(sent.to);
    if (sent.picture.file) file(sent.picture.file);
    else picture(sent.picture);
  });
  // the result is what the stage shows; before it shows anything, what was made last
  for (const message of ["picture:show", "picture:shown", "job:picture"]) hear(message, (told) => canvas.result(told.picture));
}

/** The first file that is a picture. */
function imageOf(transfer) {
  return [...transfer.files].find((one) => one.type.startsWith("image/")) ?? null;
}
