// A UNet drawn from its parts: down at the left, up at the right, levels below each other, skips between them.
import { t } from "./kit.js";
import { drawing, svg } from "./learn_svg.js";

const TOP = 52; // pixels above the first level
const MIDDLE = 42; // height of the parts in the middle
const NARROW = 560; // a view narrower than this has small parts and short labels

/**
 * @param {HTMLElement} box
 * @param {{parts: import("./learn_record.js").Part[], chosen: string, scales: Record<string, number>, step: number,
 *   run: import("./learn_record.js").Recorded, choose: (name: string) => void, nameOf: (part: object) => string}} about
 */
export function partsMap(box, about) {
  const map = new PartsMap(box, about);
  box.replaceChildren(map.draw());
}

class PartsMap {
  constructor(box, about) {
    Object.assign(this, about);
    this.isNarrow = box.clientWidth < NARROW;
    this.width = Math.max(340, box.clientWidth - 2);
    this.height = this.isNarrow ? 430 : Math.max(480, box.clientHeight - 4);
    this.wide = this.isNarrow ? 12 : 23;
    this.gap = this.isNarrow ? 3 : 6;
    this.levels = Math.max(...this.parts.map((part) => part.level)) + 1;
    const usable = this.height - TOP - 126;
    const shares = Array.from({ length: this.levels }, (_, level) => 0.84 ** level);
    const unit = (usable * 0.74) / shares.reduce((sum, one) => sum + one, 0);
    const between = this.levels > 1 ? (usable * 0.26) / (this.levels - 1) : 0;
    let y = TOP;
    this.rows = shares.map((share) => {
      const row = { y, height: unit * share };
      y += row.height + between;
      return row;
    });
    this.lines = svg("g", {});
    this.blocks = svg("g", {});
    this.labels = svg("g", {});
  }

  draw() {
    const latents = this.run.told.latents.join(" × ");
    this.#text(this.isNarrow ? 2 : 14, 20, "start", t("latent {shape} in", { shape: latents }), "io");
    this.#text(this.width - (this.isNarrow ? 2 : 14), 20, "end", t("prediction out"), "io");
    for (let level = 0; level < this.levels; level += 1) this.#level(level);
    this.#middle();
    if (!this.isNarrow) this.#embedding();
    const made = drawing(this.width, this.height, this.lines, this.blocks, this.labels);
    made.classList.add("learn-unet");
    made.setAttribute("role", "group");
    made.setAttribute("aria-label", t("Parts of the network"));
    return made;
  }

  #inset(level) {
    return this.isNarrow ? 2 + level * 14 : 14 + level * Math.min(88, (this.width - 460) / 7);
  }

  #level(level) {
    const { y, height } = this.rows[level];
    const down = this.parts.filter((part) => part.level === level && (part.side === "down" || part.name === "conv_in"));
    const up = this.parts.filter((part) => part.level === level && (part.side === "up" || part.name === "conv_out"));
    const each = this.wide + this.gap;
    const left = this.#inset(level);
    const right = this.width - left - up.length * each + this.gap;
    down.forEach((part, at) => this.#part(part, left + at * each, y, height));
    up.forEach((part, at) => this.#part(part, right + at * each, y, height));
    const [from, to] = [left + down.length * each, right - this.gap];
    const skips = this.#skips(level);
    skips.forEach((_, at) => {
      const line = y + (height * (at + 0.5)) / skips.length;
      this.lines.append(svg("path", { class: "skip", d: `M${from} ${line}H${to - 4}M${to - 8} ${line - 3}l4 3-4 3` }));
    });
    const cells = this.run.told.latents.slice(1).map((side) => { let now = side; for (let at = 0; at < level; at += 1) now = Math.ceil(now / 2); return now; }).join(" × ");
    this.#text((from + to) / 2, y - 7, "middle", this.isNarrow ? cells : t("skips {channels} · {size}", { channels: skips.join(", "), size: cells }), "label");
    if (level + 1 === this.levels) return;
    const next = this.rows[level + 1].y;
    const half = (y + height + next) / 2;
    const [downFrom, downTo] = [left + (down.length - 1) * each + this.wide / 2, this.#inset(level + 1) + this.wide / 2];
    const [upFrom, upTo] = [this.width - this.#inset(level + 1) - this.wide / 2, right + this.wide / 2];
    this.lines.append(svg("path", { class: "flow", d: `M${downFrom} ${y + height}V${half}H${downTo}V${next - 3}M${upFrom} ${next}V${half}H${upTo}V${y + height + 3}` }));
  }

  /** Channels of what goes across at a level: what enters it, and what each of its residual blocks makes. */
  #skips(level) {
    const enters = this.parts.find((part) => (level === 0 ? part.name === "conv_in" : part.kind === "down" && part.level === level - 1));
    const made = this.parts.filter((part) => part.side === "down" && part.kind === "resnet" && part.level === level);
    return [...(enters ? [enters] : []), ...made].map((part) => part.leaves);
  }

  #middle() {
    const middle = this.parts.filter((part) => part.side === "middle");
    const each = this.wide + this.gap;
    const [y, left] = [this.height - 84, this.width / 2 - (middle.length * each - this.gap) / 2];
    middle.forEach((part, at) => this.#part(part, left + at * each, y, MIDDLE));
    const last = this.rows.at(-1);
    const inset = this.#inset(this.levels - 1);
    const downs = this.parts.filter((part) => part.side === "down" && part.level === this.levels - 1).length;
    const ups = this.parts.filter((part) => part.side === "up" && part.level === this.levels - 1).length;
    const from = inset + (downs - 1) * each + this.wide / 2;
    const to = this.width - inset - (ups - 1) * each - this.wide / 2;
    const line = y + MIDDLE / 2;
    this.lines.append(svg("path", { class: "flow", d: `M${from} ${last.y + last.height}V${line}H${left - 4}M${left + middle.length * each} ${line}H${to}V${last.y + last.height + 3}` }));
    this.#text(this.width / 2, y + MIDDLE + 16, "middle", t("middle · {channels}", { channels: middle.at(-1)?.leaves ?? 0 }), "label");
  }

  /** The way of the timestep and of the words into the blocks. */
  #embedding() {
    const embeddings = this.parts.filter((part) => part.kind === "embedding");
    const widest = this.parts.find((part) => part.kind === "transformer")?.context ?? 0;
    const told = t("t {t} → {width} → every ResNet · words {tokens} × {context}", { t: Math.round(this.run.facts[this.step].t), width: embeddings[0]?.leaves ?? 0, tokens: this.run.told.tokens, context: widest });
    this.#text(this.width / 2, 20, "middle", told, "label");
    embeddings.forEach((part, at) => this.#part(part, this.width / 2 - 190 - at * 29, 8, 18));
  }

  #part(part, x, y, height) {
    const scale = this.scales[part.name] ?? 1;
    const name = `${this.nameOf(part)} ${part.name}`;
    const choose = () => this.choose(part.name);
    const states = ["part", part.kind, scale !== 1 && "changed", scale === 0 && "muted"].filter(Boolean).join(" ");
    const made = svg("rect", { class: states, x, y, width: this.wide, height, rx: 4, tabindex: part.name === this.chosen ? 0 : -1, role: "button", "aria-label": name, "aria-pressed": String(part.name === this.chosen), "data-part": part.name, onclick: choose, onkeydown: (event) => this.#key(event, part) });
    this.blocks.append(made);
  }

  #key(event, part) {
    const at = this.parts.indexOf(part);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Enter: at, " ": at }[event.key];
    if (to === undefined || !this.parts[to]) return;
    event.preventDefault();
    event.stopPropagation();
    this.blocks.querySelector(`[data-part="${CSS.escape(this.parts[to].name)}"]`)?.focus();
    this.choose(this.parts[to].name);
  }

  #text(x, y, anchor, text, kind) {
    const made = svg("text", { class: kind, x, y, "text-anchor": anchor });
    made.textContent = text;
    this.labels.append(made);
  }
}
