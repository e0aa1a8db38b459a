// Thumbnails by the hundred thousand: one tall box, and elements only for the rows in view.
import { el, icon, t } from "./kit.js";
import { addressOf, altOf } from "./library_data.js";

const GAP = 6;
const NARROW = 480; // pixels; two pictures stand beside each other below that
const SPARE = 1; // rows that are drawn above and below those in view

/**
 * @param {{open: (place: number) => void, chosen: () => void, rate: (stars: number) => void, remove: () => void,
 *   fault: (error: Error) => void}} does
 */
export class Grid {
  #found = null;
  #side = 176;
  #waiting = 0;
  #active = 0;
  #from = 0; // where a range of choices began
  #moves = 0; // of the focus
  #tiles = new Map(); // place -> element
  #does;
  chosen = new Set(); // numbers of pictures

  constructor(does) {
    this.#does = does;
    this.space = el("div", { class: "library-space", role: "listbox", "aria-label": t("Pictures"), "aria-multiselectable": "true" });
    this.scroll = el("div", { class: "library-scroll", tabindex: "-1" }, this.space);
    this.scroll.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.later()).observe(this.scroll);
    this.space.addEventListener("click", (event) => this.#click(event));
    this.space.addEventListener("keydown", (event) => this.#key(event));
  }

  get side() {
    return this.#side;
  }

  set side(pixels) {
    const top = this.#placeAtTop();
    this.#side = pixels;
    this.draw();
    this.scroll.scrollTop = Math.floor(top / this.#across()) * this.#cell();
  }

  /** Show what was found. @param {boolean} keep stay where one was */
  show(found, keep = false) {
    const hadFocus = this.space.contains(document.activeElement);
    const before = this.#found?.at(this.#active)?.number;
    this.#found = found;
    for (const tile of this.#tiles.values()) tile.remove();
    this.#tiles.clear();
    if (!keep) {
      this.#active = this.#from = 0;
      this.scroll.scrollTop = 0;
    } else if (found.placeOf(before) >= 0) this.#active = found.placeOf(before); // pictures may have come before it
    this.#active = Math.max(0, Math.min(this.#active, found.total - 1));
    this.draw();
    if (hadFocus) this.#tiles.get(this.#active)?.focus({ preventScroll: true });
  }

  /** Choose exactly these. */
  choose(numbers) {
    this.chosen = new Set(numbers);
    this.#mark();
  }

  /** Draw a picture anew, whose stars have changed. */
  refresh(number) {
    const place = this.#found?.placeOf(number) ?? -1;
    const old = this.#tiles.get(place);
    if (!old) return;
    const fresh = this.#tile(place, this.#found.at(place));
    this.#put(fresh, place);
    const hadFocus = old === document.activeElement;
    old.replaceWith(fresh);
    this.#tiles.set(place, fresh);
    if (hadFocus) fresh.focus({ preventScroll: true });
  }

  /** Put the focus on a picture and bring it into view. */
  focus(place) {
    if (!this.#found?.total) return;
    this.#moves++;
    this.#active = Math.max(0, Math.min(place, this.#found.total - 1));
    const top = Math.floor(this.#active / this.#across()) * this.#cell();
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (top + this.#cell() > this.scroll.scrollTop + this.scroll.clientHeight - 2 * GAP) this.scroll.scrollTop = top + this.#cell() - this.scroll.clientHeight + 4 * GAP;
    this.draw();
    this.#tiles.get(this.#active)?.focus({ preventScroll: true });
  }

  /** The pictures that an action is for: the chosen ones, or the one in focus. */
  targets() {
    if (this.chosen.size) return [...this.chosen];
    const one = this.#found?.at(this.#active);
    return one ? [one.number] : [];
  }

  later() {
    cancelAnimationFrame(this.#waiting);
    this.#waiting = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const found = this.#found;
    if (!found || !this.scroll.clientWidth) return;
    const across = this.#across(), cell = this.#cell();
    this.space.style.height = `${Math.ceil(found.total / across) * cell}px`;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / cell) - SPARE) * across;
    const last = Math.min(found.total, first + (Math.ceil(this.scroll.clientHeight / cell) + 2 * SPARE) * across);
    for (const [place, tile] of this.#tiles) {
      if (place >= first && place < last) continue;
      tile.remove();
      this.#tiles.delete(place);
    }
    let isMissing = false;
    for (let place = first; place < last; place++) {
      const picture = found.at(place);
      if (!picture) {
        isMissing = true;
        continue;
      }
      let tile = this.#tiles.get(place);
      if (!tile) {
        tile = this.#tile(place, picture);
        this.#tiles.set(place, tile);
        this.space.append(tile);
      }
      this.#put(tile, place);
    }
    if (isMissing) found.load(first, last).then(() => found === this.#found && this.later(), this.#does.fault);
  }

  #across() {
    const fit = Math.floor((this.#width() + GAP) / (this.#side + GAP));
    return Math.max(fit, this.#width() < NARROW && this.#side < this.#width() / 1.5 ? 2 : 1);
  }

  #width() {
    return this.scroll.clientWidth - 24;
  }

  #cell() {
    return (this.#width() - GAP * (this.#across() - 1)) / this.#across() + GAP;
  }

  #placeAtTop() {
    return Math.floor(this.scroll.scrollTop / this.#cell()) * this.#across();
  }

  #tile(place, picture) {
    const isChosen = this.chosen.has(picture.number);
    const tile = el("div", {
      class: "tile", role: "option", "data-at": place, "data-number": picture.number, "aria-selected": String(isChosen),
      "aria-setsize": this.#found.total, "aria-posinset": place + 1, "aria-label": this.#nameOf(picture),
    });
    if (picture.fault) tile.append(el("span", { class: "tile-fault" }, icon("info"), el("b", {}, picture.name), el("span", {}, picture.fault)));
    else {
      const img = el("img", { src: addressOf(picture.thumb), alt: "", decoding: "async", draggable: "false" });
      img.addEventListener("error", () => tile.classList.add("broken"));
      tile.append(img);
    }
    tile.append(el("span", { class: "tile-tick" }, icon("check")));
    if (picture.rating) tile.append(el("span", { class: "tile-stars" }, icon("star"), String(picture.rating)));
    if (picture.grid) tile.append(el("span", { class: "tile-kind" }, t("Grid")));
    return tile;
  }

  #nameOf(picture) {
    const stars = picture.rating ? t("{n} of 5 stars", { n: picture.rating }) : "";
    return [altOf(picture), picture.seed && t("seed {seed}", { seed: picture.seed }), stars, picture.fault].filter(Boolean).join(", ");
  }

  #put(tile, place) {
    const across = this.#across(), cell = this.#cell();
    tile.style.width = tile.style.height = `${cell - GAP}px`;
    tile.style.transform = `translate(${(place % across) * cell}px, ${Math.floor(place / across) * cell}px)`;
    tile.tabIndex = place === this.#active ? 0 : -1;
  }

  #mark() {
    for (const tile of this.#tiles.values()) tile.setAttribute("aria-selected", String(this.chosen.has(Number(tile.dataset.number))));
    this.space.classList.toggle("choosing", this.chosen.size > 0);
    this.#does.chosen();
  }

  #toggle(place) {
    const picture = this.#found.at(place);
    if (!picture) return;
    if (!this.chosen.delete(picture.number)) this.chosen.add(picture.number);
    this.#from = place;
    this.#mark();
  }

  async #range(to) {
    const found = this.#found;
    const [low, high] = [Math.min(this.#from, to), Math.max(this.#from, to)];
    try {
      await found.load(low, high + 1);
    } catch (error) {
      this.#does.fault(error);
      return;
    }
    if (found.query !== this.#found.query) return; // something else is looked for by now
    for (let place = low; place <= high; place++) {
      const picture = found.at(place); // a newer list may have others at these places
      if (picture) this.chosen.add(picture.number);
    }
    this.#mark();
  }

  #click(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    const place = Number(tile.dataset.at);
    this.#moves++;
    this.#active = place;
    this.draw();
    tile.focus({ preventScroll: true });
    if (event.shiftKey) this.#range(place);
    else if (event.ctrlKey || event.metaKey || event.target.closest(".tile-tick")) this.#toggle(place);
    else this.#does.open(place);
  }

  #key(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.altKey) return;
    const place = Number(tile.dataset.at), across = this.#across();
    const screen = Math.max(1, Math.floor(this.scroll.clientHeight / this.#cell())) * across;
    const to = {
      ArrowRight: place + 1, ArrowLeft: place - 1, ArrowDown: place + across, ArrowUp: place - across,
      PageDown: place + screen, PageUp: place - screen, Home: 0, End: this.#found.total - 1,
    }[event.key];
    if (to !== undefined) {
      const next = Math.max(0, Math.min(to, this.#found.total - 1));
      if (event.shiftKey) {
        if (!this.chosen.size) this.#from = place;
        this.#range(next);
      }
      this.#load(next);
    } else if (event.key === "Enter") this.#does.open(place);
    else if (event.key === " ") this.#toggle(place);
    else if (event.key === "Delete") this.#does.remove();
    else if (/^[0-5]$/.test(event.key) && !event.ctrlKey && !event.metaKey) this.#does.rate(Number(event.key));
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.#from = 0;
      this.#range(Math.min(this.#found.total, 2000) - 1);
    } else if (event.key === "Escape" && this.chosen.size) this.choose([]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async #load(place) {
    const move = ++this.#moves;
    try {
      await this.#found.load(place, place + 1);
      const { activeElement } = document;
      // the focus may have gone on, or elsewhere, while the picture was fetched
      if (move === this.#moves && (activeElement === document.body || this.space.contains(activeElement))) this.focus(place);
    } catch (error) {
      this.#does.fault(error);
    }
  }
}
