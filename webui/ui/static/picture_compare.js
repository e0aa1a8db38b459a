// Two pictures over each other: a line that is drawn across them, or what differs between them.

import { el } from "./kit.js";
import { t } from "./language.js";

/** @typedef {"off"|"slider"|"difference"} CompareMode */

export class PictureCompare {
  /** @type {CompareMode} */
  mode = "off";
  /** How much of the width shows the other picture, in per cent. */
  share = 50;

  /**
   * @param {HTMLElement} view where the handle is drawn
   * @param {HTMLElement} plane holds both pictures
   * @param {() => void} changed called when the line was moved
   */
  constructor(view, plane, changed) {
    this.plane = plane;
    this.changed = changed;
    this.other = el("img", { class: "other", alt: "", hidden: true, draggable: "false" });
    this.handle = el("div", {
      class: "handle", role: "slider", tabindex: "0", "aria-label": t("Compare with the other picture"),
      "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "50", hidden: true,
    }); // prettier-ignore
    plane.prepend(this.other);
    view.append(this.handle);
    this.handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      this.handle.setPointerCapture(event.pointerId);
    });
    this.handle.addEventListener("pointermove", (event) => {
      if (!this.handle.hasPointerCapture(event.pointerId)) return;
      const box = this.plane.getBoundingClientRect();
      this.divide(((event.clientX - box.left) / box.width) * 100);
    });
    this.handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, Home: -100, End: 100 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.divide(this.share + step);
    });
  }

  /** @param {number} share per cent */
  divide(share) {
    this.share = Math.min(100, Math.max(0, share));
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.share)));
    this.changed();
  }

  /**
   * Show, or hide, another picture below the one on the plane.
   *
   * @param {CompareMode} mode
   * @param {string} url of the other picture, "" for none
   * @param {string} alt
   */
  set(mode, url, alt) {
    this.mode = url ? mode : "off";
    if (url && this.other.getAttribute("src") !== url) this.other.src = url;
    this.other.alt = this.mode === "off" ? "" : alt;
    this.other.hidden = this.mode === "off";
    this.handle.hidden = this.mode !== "slider";
    this.plane.classList.toggle("difference", this.mode === "difference");
  }

  /**
   * Lay the line and the cut over a picture.
   *
   * @param {HTMLElement} now the picture on top
   * @param {import("./plane.js").Box} box where it is
   * @param {number} height of the view
   */
  place(now, box, height) {
    now.style.clipPath = this.mode === "slider" ? `inset(0 0 0 ${this.share}%)` : "";
    const top = Math.max(box.top, 0);
    const bottom = Math.min(box.top + box.height, height);
    this.handle.style.height = `${Math.max(0, bottom - top)}px`;
    this.handle.style.transform = `translate(${box.left + (box.width * this.share) / 100}px, ${top}px)`;
  }
}
