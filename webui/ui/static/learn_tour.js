// The tour through Learn: a card beside what it speaks of, which stays usable. It begins where it was left.
import { el, iconButton, t } from "./kit.js";
import { action } from "./keys.js";
import { stops } from "./learn_tour_stops.js";

const KEPT = "learn_tour"; // in the browser: the stop where it was left, from 0
const GAP = 14; // pixels between the card and what it speaks of
const MARGIN = 40; // pixels at the edge of a view, in which there is nothing to see
const NARROW = matchMedia("(max-width: 720px)"); // there the card lies at the lower edge
const FRAMES = 180; // for which a stop waits for what it points at

export class Tour {
  #at = -1; // the stop that is shown; -1: closed
  #goBack = null; // to the run that was looked at before
  #target = null;
  #asked = 0;

  /** @param {{shared: import("./learn_shared.js").Shared, element: HTMLElement}} learn */
  constructor({ shared, element }) {
    Object.assign(this, { shared, element, stops: stops() });
    this.button = el("button", { type: "button", class: "learn-tour-button", id: "learn_tour", "aria-expanded": "false", "aria-controls": "learn_tour_card", onclick: () => this.toggle() });
    this.title = el("h2", { id: "learn_tour_title", tabindex: "-1" });
    this.text = el("p", { id: "learn_tour_text", "aria-live": "polite" });
    this.dots = el("div", { class: "learn-tour-dots", "aria-hidden": "true" }, ...this.stops.map(() => el("i", {})));
    this.count = el("span", { class: "learn-tour-count" });
    this.back = el("button", { type: "button", class: "small", onclick: () => this.go(this.#at - 1) }, t("Back"));
    this.next = el("button", { type: "button", class: "primary", onclick: () => (this.#isLast ? this.finish() : this.go(this.#at + 1)) });
    this.card = el("section", { class: "learn-tour", id: "learn_tour_card", role: "dialog", "aria-labelledby": "learn_tour_title", "aria-describedby": "learn_tour_text", hidden: true },
      el("header", {}, this.title, iconButton("close", t("Close the tour"), { onclick: () => this.close() })),
      this.text, this.dots, el("footer", {}, this.count, this.back, this.next));
    element.append(this.card);
    this.sizes = new ResizeObserver(() => this.#place());
    this.sizes.observe(this.card);
    window.addEventListener("resize", () => this.#place());
    element.addEventListener("scroll", () => this.#place(), { capture: true, passive: true });
    action("close", () => this.isOpen && element.getClientRects().length > 0 && this.close());
    this.#sign();
  }

  get isOpen() {
    return this.#at >= 0;
  }

  get #isLast() {
    return this.#at === this.stops.length - 1;
  }

  /** Open it where it was left, or close it. */
  toggle() {
    if (this.isOpen) this.close();
    else this.go(this.#left);
  }

  /** Do what a key means while nobody types; whether it means anything here. @param {KeyboardEvent} event */
  press(event) {
    if (event.key === "t") this.toggle();
    else if (!this.isOpen || !["ArrowLeft", "ArrowRight"].includes(event.key)) return false;
    else this.go(this.#at + (event.key === "ArrowRight" ? 1 : -1));
    return true;
  }

  /** Show a stop; one that is not there is left alone. @param {number} number from 0 */
  async go(number) {
    const stop = this.stops[number];
    if (!stop || number === this.#at) return;
    const wasOpen = this.isOpen;
    this.#at = number;
    this.#asked += 1;
    const mine = this.#asked;
    window.webui.keep(KEPT, String(number));
    this.#sign();
    this.card.hidden = false;
    this.#ring(null);
    if (stop.step !== undefined) {
      const back = await this.shared.source.showExample();
      if (!this.isOpen) {
        back(); // it was closed before the example was there
        return;
      }
      this.#goBack ??= back;
    }
    if (mine !== this.#asked) return;
    this.shared.show(stop.view);
    if (stop.step !== undefined) this.shared.go(stop.step);
    const target = await this.#found(stop.target, mine);
    if (mine !== this.#asked) return;
    target?.scrollIntoView({ block: NARROW.matches ? "start" : "nearest" });
    this.#ring(target);
    if (!wasOpen) this.next.focus({ preventScroll: true });
  }

  /** Close it; the next time it begins at this stop. What was looked at before is back. @returns {true} */
  close() {
    this.#at = -1;
    this.#asked += 1;
    this.card.hidden = true;
    this.#ring(null);
    this.#goBack?.();
    this.#goBack = null;
    this.#sign();
    this.button.focus();
    return true;
  }

  /** Close it at its end; the next time it begins anew. */
  finish() {
    window.webui.keep(KEPT, null);
    this.close();
  }

  /** The stop where it was left. */
  get #left() {
    const kept = Number(window.webui.kept(KEPT) ?? 0);
    return Number.isInteger(kept) && kept >= 0 && kept < this.stops.length ? kept : 0;
  }

  #sign() {
    const left = this.#left;
    const words = this.isOpen || !left ? t("Tour") : t("Tour, on at {n} of {all}", { n: left + 1, all: this.stops.length });
    this.button.textContent = words;
    this.button.setAttribute("aria-expanded", String(this.isOpen));
    if (!this.isOpen) return;
    const { title, text } = this.stops[this.#at];
    this.title.textContent = title;
    this.text.textContent = text;
    this.count.textContent = t("{n} of {all}", { n: this.#at + 1, all: this.stops.length });
    [...this.dots.children].forEach((dot, at) => dot.classList.toggle("on", at === this.#at));
    this.back.disabled = this.#at === 0;
    this.next.textContent = this.#isLast ? t("Done") : t("Next");
  }

  /** What a stop points at, once it is drawn; null: it never was. */
  async #found(selector, mine) {
    for (let frame = 0; frame < FRAMES && mine === this.#asked; frame += 1) {
      const found = this.element.querySelector(selector);
      if (found?.getClientRects().length) return found;
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
    }
    return null;
  }

  #ring(target) {
    if (this.#target) this.sizes.unobserve(this.#target);
    this.#target?.classList.remove("learn-ringed");
    this.#target = target;
    target?.classList.add("learn-ringed");
    if (target) this.sizes.observe(target);
    this.#place();
  }

  /** Over the explanation, at the height of what it speaks of; else above or below that. */
  #place() {
    if (this.card.hidden) return;
    const { style } = this.card;
    const around = this.element.getBoundingClientRect();
    const [width, height] = [this.card.offsetWidth, this.card.offsetHeight];
    const place = this.#target?.getBoundingClientRect();
    const isLow = Boolean(place) && place.bottom > window.innerHeight - height - GAP && place.top > around.top + height;
    this.card.dataset.edge = isLow ? "top" : "bottom";
    if (NARROW.matches || !place) {
      style.left = style.top = "";
      return;
    }
    const middle = place.top + (place.height - height) / 2;
    const edge = around.right - width - GAP;
    const end = Math.max(place.left, place.right - width);
    const ways = [
      { isFree: edge >= place.right - MARGIN, left: edge, top: middle },
      { isFree: place.top - around.top > height + 2 * GAP, left: end, top: place.top - GAP - height },
      { isFree: around.bottom - place.bottom > height + 2 * GAP, left: end, top: place.bottom + GAP },
    ];
    const way = ways.find(({ isFree }) => isFree) ?? ways[0];
    style.left = `${Math.max(GAP, Math.min(way.left, window.innerWidth - width - GAP))}px`;
    style.top = `${Math.max(around.top + GAP, Math.min(way.top, window.innerHeight - height - GAP))}px`;
  }
}
