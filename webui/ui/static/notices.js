// Sentences for the user: over the picture where it is in view, else as a toast. They take no room and no clicks.

import { hear } from "./bus.js";
import { el } from "./kit.js";
import { t } from "./language.js";

/** @typedef {{label: string, run: () => void}} Act a button beside the sentence */

const FADES = 5000; // milliseconds that a notice stays; an error stays until it is closed or something new is started
const MOST = 4; // sentences at once

const toasts = () => {
  const there = document.querySelector(".toasts");
  if (there) return there;
  const box = el("div", { class: "toasts notices", popover: "manual" });
  document.body.append(box);
  return box;
};

const isInView = (element) => element.isConnected && (element.checkVisibility?.() ?? element.offsetParent !== null);

/**
 * Say sentences from now on.
 *
 * @param {HTMLElement} place over the stage
 * @returns {{say: (kind: string, text: string) => void, clearErrors: () => void}} `say` is for what became of a job
 */
export const notices = (place) => {
  place.classList.add("notices");

  const remove = (item) => {
    const box = item.parentElement;
    item.remove();
    if (box?.matches(".toasts:popover-open") && !box.childElementCount) box.hidePopover();
  };

  const say = (kind, text, { act = null, isOfJob = true } = {}) => {
    const box = isInView(place) ? place : toasts();
    for (const old of [...box.children]) if (old.dataset.text === text) remove(old);
    while (box.children.length >= MOST) remove(box.firstElementChild);
    const isError = kind === "error";
    const close = isError
      ? el("button", { type: "button", class: "away", "aria-label": t("Close this message") }, "×")
      : null;
    const item = el("div", { class: `notice ${isError ? "error" : ""}`, role: isError ? "alert" : "status" }, el("span", {}, text)); // prettier-ignore
    item.dataset.text = text;
    item.toggleAttribute("data-of-job", isOfJob);
    if (act) {
      const does = () => {
        remove(item);
        act.run();
      };
      item.append(el("button", { type: "button", class: "act", onclick: does }, act.label));
    }
    if (close) {
      item.append(close);
      close.addEventListener("click", () => remove(item));
    } else window.setTimeout(() => remove(item), FADES);
    if (box !== place && box.showPopover) {
      if (box.matches(":popover-open")) box.hidePopover(); // shown anew, it lies over a dialog that was opened since
      box.append(item);
      box.showPopover();
    } else box.append(item);
  };

  const clearErrors = (which = "") => {
    for (const item of document.querySelectorAll(`.notices .notice.error${which}`)) remove(item);
  };

  hear("notice", ({ kind, text, act = null }) => {
    if (text) say(kind, text, { act, isOfJob: false });
    else clearErrors(":not([data-of-job])"); // the form takes back its own, and may do so after a job has failed at once
  });
  return { say, clearErrors };
};
