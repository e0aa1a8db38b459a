// Two checkpoints compared, drawn as a U: how far the weights of each block lie apart. An action of an extension measures.
import { el, t } from "./kit.js";
import { heading, hint, numbers, percent, sentence } from "./learn_shared.js";
import { drawing, svg } from "./learn_svg.js";
import { cancel, look, request, start } from "./extension_actions.js";

const MARK = "compares_checkpoints"; // in the schema of an action's options
const ENDED = new Set(["done", "failed", "stopped", "cancelled"]);
const MOST_BARS = 8;
const NARROW = 110; // pixels of a block, below which its name has no room
const PLACES = /^(IN|M|OUT)(\d+)$/;

/** @typedef {Record<string, Record<string, number|null>>} Table block -> kind of layer -> |B - A| / |A| */

/** @param {HTMLElement} place, @param {import("./learn_shared.js").Shared} shared */
export function mount(place, shared) {
  const view = new CheckpointsView(place, shared);
  view.start();
  return { draw: () => view.draw() };
}

class CheckpointsView {
  constructor(place, shared) {
    Object.assign(this, { shared, action: null, table: null, chosen: "", running: "" });
    const select = (label) => el("select", { "aria-label": label });
    this.first = select(t("one checkpoint"));
    this.second = select(t("another checkpoint"));
    this.go = el("button", { type: "button", class: "primary", disabled: true, onclick: () => this.#compare() }, t("Compare them"));
    this.status = el("p", { class: "learn-said", role: "status" });
    this.map = el("div", { class: "learn-apart" });
    place.append(el("div", { class: "learn-pair" }, this.first, this.second, this.go), this.status, this.map);
  }

  /** Ask which checkpoints there are, and who compares them. */
  async start() {
    try {
      const [{ files }, extensions] = await Promise.all([request("files/checkpoint"), request("extensions")]);
      const usable = files.filter((file) => file.usable);
      for (const box of [this.first, this.second]) box.replaceChildren(...usable.map((file) => el("option", { value: file.name, translate: "no" }, file.title)));
      if (usable.length > 1) this.second.selectedIndex = 1;
      for (const { name, state, actions = [] } of extensions) {
        const found = state === "ok" && actions.find((one) => one.options?.[MARK]);
        if (found) this.action = { extension: name, name: found.name };
      }
      const isAlone = usable.length < 2;
      this.go.disabled = !this.action || isAlone;
      const ready = isAlone ? t("It takes two checkpoints to compare; there is one.") : t("Choose two checkpoints of one kind.");
      this.#say(this.action ? ready : t("The extension that compares checkpoints is not there."));
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  draw() {
    this.shared.tools();
    if (this.table) this.#draw();
    else this.shared.explain();
  }

  async #compare() {
    if (this.running) {
      await cancel(this.running).catch((error) => this.#say(error.message, true));
      return;
    }
    try {
      this.#say(t("Comparing …"));
      this.go.disabled = true; // until there is something to stop
      const { id } = await start(this.action.extension, this.action.name, { a: this.first.value, b: this.second.value });
      this.running = id;
      this.go.textContent = t("Stop");
      this.go.disabled = false;
      const now = await this.#ended(id);
      if (!now.result) throw new Error(now.error ?? t("Stopped."));
      this.table = now.result.data;
      this.chosen = this.#order()[0] ?? "";
      this.#say(now.result.text);
    } catch (error) {
      this.#say(error.message, true);
    } finally {
      this.running = "";
      this.go.textContent = t("Compare them");
      this.go.disabled = false;
      if (this.go.getClientRects().length) this.draw(); // else it is drawn when the view is shown again
    }
  }

  async #ended(id) {
    let seen = "";
    for (;;) {
      const now = await look(id, seen);
      seen = now.mark;
      if (now.result || ENDED.has(now.state)) return now;
      if (now.progress?.text) this.#say(`${t("Comparing …")} ${percent(now.progress.fraction)}`);
    }
  }

  #say(text, isBad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", isBad);
  }

  /** The blocks, the one that differs most first. */
  #order() {
    const size = (block) => this.table[block].all ?? -1;
    return Object.keys(this.table).sort((one, other) => size(other) - size(one));
  }

  #draw() {
    const most = Math.max(1e-12, ...Object.values(this.table).map((row) => row.all ?? 0));
    this.map.replaceChildren(this.#u(most));
    this.#explain(most);
  }

  /** The encoder goes down at the left, the decoder up at the right; text encoder and VAE stand beside them. */
  #u(most) {
    const names = Object.keys(this.table);
    const down = names.filter((name) => name.startsWith("IN"));
    const up = names.filter((name) => name.startsWith("OUT"));
    const [width, height] = [Math.max(330, this.map.clientWidth - 2), Math.max(300, this.map.clientHeight - 8)];
    const row = Math.min(66, (height - 76) / Math.max(1, down.length + 1));
    const wide = Math.min(136, width / 6);
    const inset = Math.max(0, (width / 2 - wide * 1.6) / Math.max(1, down.length));
    const lines = svg("g", {});
    const cells = svg("g", {});
    const add = (name, x, y) => this.#cell(cells, name, x, y, wide, row - 5, most);
    down.forEach((name, at) => {
      const y = 10 + at * row;
      add(name, at * inset, y);
      const across = up[up.length - 1 - at];
      if (!across) return;
      add(across, width - wide - at * inset, y);
      lines.append(svg("path", { class: "skip", d: `M${at * inset + wide + 4} ${y + row / 2 - 3}H${width - wide - at * inset - 4}` }));
    });
    const bottom = 10 + down.length * row;
    for (const name of names.filter((one) => one.startsWith("M"))) add(name, width / 2 - wide / 2, bottom + 4);
    const others = names.filter((name) => !PLACES.test(name));
    others.forEach((name, at) => add(name, at ? width - wide : 0, height - row));
    const made = drawing(width, height, lines, cells);
    made.classList.add("learn-unet");
    made.setAttribute("role", "group");
    made.setAttribute("aria-label", t("Two checkpoints"));
    return made;
  }

  #cell(cells, name, x, y, width, height, most) {
    const share = this.table[name].all;
    const strength = share === null || share === undefined ? 0 : Math.round((100 * share) / most);
    const title = blockName(name);
    const rect = svg("rect", { class: "block", x, y, width, height, rx: 4, tabindex: name === this.chosen ? 0 : -1, role: "button", "aria-pressed": String(name === this.chosen), "aria-label": t("Block {block}, {share}", { block: title, share: percent(share ?? Number.NaN) }), "data-block": name, style: `fill: color-mix(in srgb, var(--c4) ${strength}%, var(--raised))`, onclick: () => this.#choose(name), onkeydown: (event) => this.#key(event, name) });
    const text = svg("text", { class: strength > 55 ? "on" : "", x: x + width / 2, y: y + height / 2 + 4, "text-anchor": "middle" });
    text.textContent = width < NARROW ? percent(share ?? Number.NaN) : `${title} · ${percent(share ?? Number.NaN)}`;
    cells.append(rect, text);
  }

  #choose(name) {
    this.chosen = name;
    this.#draw();
    this.map.querySelector(`[data-block="${CSS.escape(name)}"]`)?.focus();
  }

  #key(event, name) {
    const names = Object.keys(this.table);
    const at = names.indexOf(name);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Enter: at, " ": at }[event.key];
    if (to === undefined || !names[to]) return;
    event.preventDefault();
    event.stopPropagation();
    this.#choose(names[to]);
  }

  #explain(most) {
    const { all, ...kinds } = this.table[this.chosen] ?? {};
    const rows = Object.entries(kinds).filter(([, share]) => share !== null && share !== undefined);
    const bars = this.#order().slice(0, MOST_BARS).map((name) => {
      const share = this.table[name].all ?? 0;
      return el("button", { type: "button", class: "learn-bar", "aria-pressed": String(name === this.chosen), style: `--share: ${(100 * share) / most}%`, onclick: () => this.#choose(name) }, el("span", {}, blockName(name)), el("b", {}, percent(share)));
    });
    this.shared.explain(
      heading(blockName(this.chosen)),
      sentence(t("The size of what differs, relative to the first one: |B − A| / |A|, over all weights of a block.")),
      numbers([[t("differs by"), percent(all ?? Number.NaN)], ...(rows.length > 1 ? rows.map(([kind, share]) => [kindNames()[kind] ?? kind, percent(share)]) : [])]),
      heading(t("Blocks that differ most")),
      el("div", { class: "learn-bars" }, ...bars),
      hint(t("What was trained longest, or merged in, is brightest. A file that was only renamed is dark everywhere; a fine-tune often changes cross-attention most.")),
    );
  }
}

/** The kinds of layers, as the action names them. */
const kindNames = () => ({ "self-attention": t("self-attention"), "cross-attention": t("cross-attention"), "feed-forward": t("feed-forward"), residual: t("residual"), other: t("other") });

/** A block as people read it: the numbers are those of merges by block. */
const blockName = (name) => (name === "text" ? t("Text encoder") : name);
