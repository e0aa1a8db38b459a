// Learn > Noise: noise is added to a picture of one's own, and the network is asked what was added.
import { say } from "./bus.js";
import { el, icon, t } from "./kit.js";
import { heading, hint, numbers, percent, sentence } from "./learn_shared.js";
import { path, svg } from "./learn_svg.js";
import { ask } from "./page_requests.js";
import { pictureField } from "./picture_field.js";
import { alphaBar } from "./schedule_levels.js";
import { formula } from "./schedule_words.js";

const BAR = { height: 56, left: 8, right: 8, top: 8, bottom: 8 };
const ADDED = "<msub><mi>x</mi><mi>t</mi></msub><mo>=</mo><msqrt><mi>ᾱ</mi></msqrt><msub><mi>x</mi><mn>0</mn></msub><mo>+</mo><msqrt><mrow><mn>1</mn><mo>−</mo><mi>ᾱ</mi></mrow></msqrt><mi>ε</mi>";
const LOSS = "<mi>loss</mi><mo>=</mo><mi>mean</mi><msup><mrow><mo>(</mo><mi>ε</mi><mo>−</mo><msub><mi>ε</mi><mi>θ</mi></msub><mo>)</mo></mrow><mn>2</mn></msup>";

/** @param {HTMLElement} place, @param {import("./learn_shared.js").Shared} shared */
export function mount(place, shared) {
  return new Noise(place, shared);
}

class Noise {
  #found = null;
  #at = 12;
  #seed = 1;
  #file = null;
  #asked = 0;

  constructor(place, shared) {
    this.shared = shared;
    place.classList.add("noise-view");
    this.field = pictureField(t("Picture"), (file) => this.#take(file), { id: "noise_image" });
    this.status = el("p", { class: "learn-empty", role: "status" }, t("Drop a picture, and noise is added to it. The network is asked at 26 levels what was added."));
    this.tiles = [
      tile(t("Noised picture"), ""), tile(t("True noise"), t("what was added")),
      tile(t("Predicted noise"), t("what the network says")), tile(t("Clean estimate"), t("noised − predicted")),
    ];
    this.grid = el("div", { class: "noise-grid", hidden: true }, ...this.tiles.map((one) => one.element));
    this.range = el("input", { type: "range", min: "0", max: "25", id: "noise_level", "aria-label": t("Timestep t"), oninput: () => this.#go(Number(this.range.value)) });
    this.curve = el("div", { class: "noise-curve" });
    this.now = el("b", {});
    this.loss = el("span", { class: "noise-loss" });
    this.bar = el("div", { class: "noise-bar", hidden: true }, this.now, el("div", { class: "noise-track" }, this.curve, this.range), this.loss);
    this.other = el("button", { type: "button", class: "noise-tool", id: "noise_other", onclick: () => { this.#seed++; this.#ask(); } }, icon("reload"), t("Other noise"));
    this.again = el("button", { type: "button", class: "noise-tool", onclick: () => this.field.querySelector("input").click() }, icon("image"), t("Picture"));
    place.append(this.field, this.status, this.grid, this.bar);
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => { event.preventDefault(); if (event.dataTransfer.files[0]) this.field.take(event.dataTransfer.files[0]); });
  }

  draw() {
    if (this.#found && !this.again.isConnected) this.shared.tools(this.again, this.other);
    if (!this.#found) return this.shared.explain(heading(t("What training asks")), ...this.#lesson());
    this.#pictures();
    this.#curve();
    this.#explain();
  }

  #take(file) {
    this.#file = file;
    this.#ask();
  }

  async #ask() {
    if (!this.#file) return;
    const asked = ++this.#asked;
    const sent = new FormData();
    sent.append("picture", this.#file, this.#file.name ?? "picture.png");
    const query = new URLSearchParams({ seed: String(this.#seed) });
    if (window.webui.form?.checkpoint) query.set("checkpoint", window.webui.form.checkpoint);
    this.other.disabled = true;
    this.status.hidden = false;
    this.status.setAttribute("role", "status");
    this.status.textContent = t("Asking the network 26 times …");
    try {
      const found = await ask(`learn/noise?${query}`, { method: "POST", body: sent });
      if (asked !== this.#asked) return;
      const atlas = new Image();
      atlas.src = found.atlas;
      await atlas.decode();
      this.#found = { ...found, image: atlas };
      this.status.hidden = true;
      this.field.hidden = true;
      this.grid.hidden = this.bar.hidden = false;
      this.range.max = String(found.losses.length - 1);
      if (this.bar.getClientRects().length) this.draw(); // else it is drawn when the view is shown again
    } catch (error) {
      if (asked !== this.#asked) return;
      this.status.setAttribute("role", "alert");
      this.status.textContent = error.message;
      if (this.#found) say("notice", { kind: "error", text: error.message });
    } finally {
      if (asked === this.#asked) this.other.disabled = false;
    }
  }

  #go(at) {
    this.#at = at;
    this.draw();
  }

  #pictures() {
    const { image, columns, tile: [width, height], losses } = this.#found;
    const rows = Math.ceil(losses.length / columns);
    const at = Math.min(this.#at, losses.length - 1);
    const places = [[0, 1], null, [1, 1], [2, 1]].map((kind) => (kind ? [(at % columns) * width, (1 + kind[0] * rows + Math.floor(at / columns)) * height] : [0, 0]));
    this.tiles.forEach(({ canvas }, index) => {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      canvas.getContext("2d").drawImage(image, ...places[index], width, height, 0, 0, width, height);
    });
  }

  #curve() {
    const { losses, timesteps } = this.#found;
    const width = this.curve.clientWidth;
    if (!width) return;
    const logs = losses.map((loss) => Math.log(Math.max(loss, 1e-7)));
    const [low, high] = [Math.min(...logs), Math.max(...logs)];
    const x = (at) => BAR.left + ((width - BAR.left - BAR.right) * at) / (losses.length - 1);
    const y = (at) => BAR.top + (BAR.height - BAR.top - BAR.bottom) * (1 - (logs[at] - low) / (high - low || 1));
    this.curve.replaceChildren(svg("svg", { class: "learn-drawing", viewBox: `0 0 ${width} ${BAR.height}`, width, height: BAR.height, "aria-hidden": "true" },
      svg("path", { class: "learn-line c4", d: path(losses.map((_, at) => [x(at), y(at)])) }),
      svg("line", { class: "learn-drop", x1: x(this.#at), x2: x(this.#at), y1: 0, y2: BAR.height }),
      svg("circle", { class: "learn-dot on", cx: x(this.#at), cy: y(this.#at), r: 6 })));
    this.range.value = String(this.#at);
    const loss = losses[this.#at].toPrecision(2);
    this.now.textContent = `t ${timesteps[this.#at]}`;
    this.loss.textContent = t("loss {loss}", { loss });
    this.range.setAttribute("aria-valuetext", `t ${timesteps[this.#at]}, ${this.loss.textContent}`);
  }

  #lesson() {
    return [
      sentence(t("Noise of a known amount is added. The network sees the result and t, and says what was added. Training makes the difference small.")),
      formula(ADDED), formula(LOSS),
    ];
  }

  #explain() {
    const { timesteps, sigmas, losses } = this.#found;
    const signal = alphaBar(sigmas[this.#at]);
    const isLow = this.#at === losses.indexOf(Math.max(...losses));
    const words = isLow ? t("The loss is largest where the noise is smallest: a trace of noise is hard to tell from the picture's own texture.")
      : signal > 0.15 ? t("Enough of the picture is left: the clean estimate keeps its layout.")
      : t("Next to nothing of the picture is left: the clean estimate is what the network believes pictures to be.");
    this.shared.explain(
      heading(t("What training asks")), ...this.#lesson(),
      numbers([[t("Timestep t"), String(timesteps[this.#at])], [t("Signal √ᾱ"), percent(Math.sqrt(signal))], [t("Noise √(1 − ᾱ)"), percent(Math.sqrt(1 - signal))], [t("Loss"), losses[this.#at].toPrecision(2)]]),
      hint(words),
    );
  }
}

function tile(title, about) {
  const canvas = el("canvas", { role: "img", "aria-label": title });
  return { canvas, element: el("figure", {}, el("figcaption", {}, el("b", {}, title), el("small", {}, about)), canvas) };
}
