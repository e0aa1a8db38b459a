// The network as a map: its parts where they lie, what each does, and switches that leave parts out of the next picture.
import { el, t } from "./kit.js";
import { partsMap } from "./learn_parts_map.js";
import { heading, hint, numbers, percent, sentence } from "./learn_shared.js";

/** What the parts are, by their kinds. */
const kinds = () => ({
  resnet: [t("ResNet block"), t("Two 3 × 3 convolutions with a way around them. The time embedding is added between, so the block knows how noisy its input is.")],
  transformer: [t("Transformer block"), t("Every place looks at all other places (self-attention), then at the words of the prompt (cross-attention): the query comes from the picture, key and value from the text. What a word means for the picture comes in here and nowhere else.")],
  down: [t("Downsample"), t("A convolution of stride 2 halves width and height. The next level sees larger things at less cost for each channel.")],
  up: [t("Upsample"), t("Doubles width and height by repeating cells, then a convolution smooths them. Detail comes back over the skip connections.")],
  conv: [t("Convolution"), t("A door of the network: latent channels become the channels of the first level, and at the other end become latents again. What comes out is the prediction.")],
  embedding: [t("Embedding"), t("Two layers turn a number into a vector that every ResNet block is told. So one network knows every noise level.")],
});

/** @param {HTMLElement} place, @param {import("./learn_shared.js").Shared} shared */
export function mount(place, shared) {
  const view = new NetworkView(place, shared);
  return { draw: () => view.draw() };
}

class NetworkView {
  constructor(place, shared) {
    Object.assign(this, { place, shared, parts: [], job: "", chosen: "", scales: {} });
    this.map = el("div", { class: "learn-map" });
    const names = [["resnet", t("ResNet")], ["transformer", t("Transformer")], ["down", t("Down, up")], ["conv", t("Convolution")], ["embedding", t("Embedding")]];
    this.legend = el("div", { class: "learn-legend" }, ...names.map(([kind, name]) => el("span", {}, el("i", { class: kind }), name)));
  }

  async draw() {
    const { run, source } = this.shared;
    this.shared.tools(...source.tools());
    if (!run) {
      this.place.replaceChildren(source.nothing());
      this.shared.explain();
      return;
    }
    if (run.job !== this.job) {
      this.job = run.job;
      try {
        this.parts = await run.parts();
      } catch (error) {
        this.place.replaceChildren(el("p", { class: "learn-empty", role: "alert" }, error.message));
        return;
      }
      this.scales = { ...run.told.scales };
      if (!this.parts.some((part) => part.name === this.chosen)) this.chosen = this.parts.findLast((part) => part.kind === "transformer")?.name ?? this.parts[0].name;
    }
    if (this.shared.run !== run || !this.parts.length || !this.place.getClientRects().length) return;
    if (!this.map.isConnected) this.place.replaceChildren(this.map, this.legend);
    const focused = document.activeElement?.dataset?.part;
    partsMap(this.map, { parts: this.parts, chosen: this.chosen, scales: this.scales, run, step: this.shared.step, choose: (name) => this.#choose(name), nameOf: (part) => kinds()[part.kind][0] });
    if (focused) this.map.querySelector(`[data-part="${CSS.escape(focused)}"]`)?.focus();
    this.#explain(run);
  }

  #choose(name) {
    this.chosen = name;
    this.draw();
  }

  #explain(run) {
    const part = this.parts.find((one) => one.name === this.chosen);
    const at = this.parts.indexOf(part);
    const all = this.parts.reduce((sum, one) => sum + one.parameters, 0);
    const [title, text] = kinds()[part.kind];
    const step = (by, label) => el("button", { type: "button", class: "small", disabled: !this.parts[at + by], onclick: () => this.#choose(this.parts[at + by].name) }, label);
    this.shared.explain(
      heading(title),
      el("code", { translate: "no" }, part.name),
      sentence(text),
      el("div", { class: "learn-row" }, step(-1, t("‹ before")), step(1, t("next ›"))),
      numbers([
        [t("In"), shapeOf(part, run, part.enters)],
        [t("Out"), shapeOf(part, run, part.leaves, true)],
        [t("Parameters"), part.parameters.toLocaleString("en")],
        [t("Share"), t("{share} of {all}", { share: percent(part.parameters / all), all: all.toLocaleString("en") })],
        ...(part.kind === "transformer" ? [[t("Layers"), String(part.depth)], [t("Heads"), String(part.heads)], [t("Width of the text"), String(part.context)]] : []),
      ]),
      part.kind === "embedding" ? null : heading(t("For the next picture")),
      part.kind === "embedding" ? null : this.#scale(part),
      this.#again(),
      hint(t("“Mute” leaves out what the block adds; what goes around it stays. Scales are written into the picture, so it can be made again.")),
    );
  }

  #scale(part) {
    const now = this.scales[part.name] ?? 1;
    const shown = el("output", {}, now.toFixed(2));
    const slider = el("input", { type: "range", min: "0", max: "2", step: "0.05", value: String(now), "aria-label": t("Scale") });
    slider.addEventListener("input", () => { shown.textContent = Number(slider.value).toFixed(2); });
    slider.addEventListener("change", () => this.#set(part, Number(slider.value)));
    return el("div", { class: "learn-scale" }, slider, shown, el("button", { type: "button", class: "small", "aria-pressed": String(now === 0), onclick: () => this.#set(part, now === 0 ? 1 : 0) }, t("Mute")));
  }

  #set(part, scale) {
    const { [part.name]: _, ...others } = this.scales;
    this.scales = scale === 1 ? others : { ...others, [part.name]: scale };
    this.draw();
  }

  #again() {
    const count = Object.keys(this.scales).length;
    const before = Object.keys(this.shared.run.told.scales ?? {}).length;
    if (!count && !before) return null;
    return el(
      "div", { class: "learn-row" },
      el("button", { type: "button", class: "primary", onclick: () => this.shared.source.takeApart(this.scales, `${this.shared.run.job}/0`) }, t("Make again, {n} blocks changed", { n: count })),
      el("button", { type: "button", class: "small", onclick: () => { this.scales = {}; this.draw(); } }, t("Reset")),
    );
  }
}

/** Channels and cells at the size of the run. */
function shapeOf(part, run, channels, isAfter = false) {
  if (part.kind === "embedding") return String(channels);
  const level = part.level + (isAfter ? { down: 1, up: -1 }[part.kind] ?? 0 : 0);
  const side = (cells) => { let now = cells; for (let at = 0; at < level; at += 1) now = Math.ceil(now / 2); return now; };
  const [, height, width] = run.told.latents;
  return `${channels} × ${side(height)} × ${side(width)}`;
}
