// The canvas of img2img and Inpaint: holds the document, and carries out what tools, bar, keys and other parts ask for.
// Nothing is sent to the server before a job is submitted: `window.webui.canvas.value()`.

import { hear, say } from "./bus.js";
import { el } from "./kit.js";
import { t } from "./language.js";
import { arrivals } from "./canvas_arrivals.js";
import { bindKeys, commands } from "./canvas_commands.js";
import { NONE, grows } from "./canvas_frame.js";
import { Hands, TOOLS } from "./canvas_hands.js";
import { FrameHandles } from "./canvas_handles.js";
import { History } from "./canvas_history.js";
import { Keeper, kept } from "./canvas_kept.js";
import { FramePanel, OptionsPanel } from "./canvas_panel.js";
import { MARGIN } from "./zoom_arithmetic.js";
import { remember, remembered } from "./canvas_settings.js";
import { Unreadable, ofFile, ofPicture, resized } from "./canvas_source.js";
import { colourOf } from "./canvas_surface.js";
import { Tiles } from "./canvas_tiles.js";
import { Toolbar } from "./canvas_toolbar.js";
import { Uploads } from "./canvas_value.js";
import { CanvasView } from "./canvas_view.js";

const HANDLES = 32; // CSS pixels beside the picture where the handles of the frame are

/** @param {{element: HTMLElement, upload: (file: File) => Promise<{path: string, url: string}>}} context */
export function mount(context) {
  const canvas = new Canvas(context);
  window.webui.canvas = canvas.door;
  return canvas.door;
}

/** @returns {import("./canvas_history.js").Document} */
function blank(source) {
  const { width, height } = source ?? { width: 0, height: 0 };
  return { source, mask: new Tiles(width, height, 1), paint: new Tiles(width, height, 4), frame: NONE };
}

class Canvas {
  constructor({ element, upload }) {
    this.element = element;
    this.history = new History(Object.freeze(blank(null)));
    this.settings = remembered();
    this.uploads = new Uploads(upload);
    this.maps = [];
    this.regions = [];
    this.places = [];
    this.result = null; // the picture to compare with
    this.isFlipped = false;
    this.loading = Promise.resolve();
    this.view = new CanvasView();
    this.view.reserved = () => this.#reserved();
    this.view.placed = () => this.handles.place(this.isFraming);
    this.commands = commands(this);
    this.toolbar = new Toolbar(this.commands);
    this.options = new OptionsPanel(this.commands);
    this.framePanel = new FramePanel((frame) => this.step({ frame }));
    this.handles = new FrameHandles(this.view, (frame, isWhole) => this.#framed(frame, isWhole));
    this.keeper = new Keeper((reason) => this.#notice("notice", reason === "size" ? t("This canvas is too large to be kept over a reload.") : t("This browser does not let the canvas be kept over a reload.")));
    this.hands = new Hands(this);
    this.#draw();
    this.#listen();
    this.loading = this.#restore();
  }

  // ---- what others may ask for

  /** What `window.webui.canvas` gives to the other parts of the page. */
  get door() {
    return {
      value: () => this.value(),
      open: (file) => this.load(() => ofFile(file)),
      show: (picture) => this.load(() => ofPicture(picture, window.webui.base)),
      source: () => this.history.now.source?.picture ?? null,
      size: () => (this.history.now.source ? { width: this.view.size.width, height: this.view.size.height } : null),
      command: (name, value) => this.commands[name]?.(value),
      setMap: (name, url) => this.#setMap(name, url),
      setRegions: (regions) => this.#setRegions(regions),
    };
  }

  /**
   * The names of what is on the canvas, for the server; files are uploaded where it does not have them yet.
   * @returns {Promise<import("./canvas_value.js").CanvasValue | null>} null where there is no picture
   */
  async value() {
    await this.loading;
    try {
      return await this.uploads.valueOf(this.history.now, { mask: this.isInpainting });
    } catch (error) {
      this.#notice("error", t("The picture could not be sent. Is the server still there?"));
      throw error;
    }
  }

  /**
   * Put a picture on the canvas, as a step that can be undone.
   * @param {() => Promise<import("./canvas_source.js").Source>} opened
   * @param {boolean} keepsMask
   */
  load(opened, keepsMask = false) {
    this.loading = this.loading.then(async () => {
      try {
        const source = await opened();
        const { now } = this.history;
        const kept = keepsMask && !grows(now.frame) ? { mask: resized(now.mask, source) } : {};
        const next = { ...blank(source), ...kept };
        if (now.source) this.history.step(next);
        else this.history.restart(next);
        this.isFlipped = false;
        this.view.plane.fit();
        this.hands.giveUp(true);
        this.changed();
      } catch (error) {
        this.#failed(error);
      }
    });
    return this.loading;
  }

  // ---- state

  get isInpainting() {
    return document.documentElement.dataset.mode === "inpaint";
  }

  /** The layer in hand: img2img has no mask. */
  get layer() {
    return this.isInpainting ? this.settings.layer : "paint";
  }

  /** The colour of paint. */
  get rgb() {
    return colourOf(this.settings.colour);
  }

  get isInView() {
    return Boolean(this.view.element.offsetParent);
  }

  set = (changes) => {
    this.hands.giveUp();
    this.settings = { ...this.settings, ...changes };
    remember(this.settings);
    this.#refresh();
  };

  /** Change the document by a step that can be undone. */
  step = (changes) => {
    this.history.step(changes);
    this.changed();
  };

  /** Move or scale the picture. */
  look = (change) => {
    change();
    this.view.place();
    this.hands.ring();
  };

  /** The document is another one. */
  changed() {
    this.view.show(this.history.now);
    this.#showRegions();
    this.keeper.later(this.history.now);
    this.#refresh();
  }

  /** Bar, panels and switches show the state. */
  #refresh() {
    const { settings, layer, history } = this;
    const { source, frame } = history.now;
    const isPaint = layer === "paint";
    const has = Boolean(source);
    const pressed = Object.fromEntries(TOOLS.map((name) => [name, settings.tool === name]));
    this.toolbar.show({
      pressed: { ...pressed, mask: !isPaint, palette: isPaint, flip: this.isFlipped, options: !this.options.element.hidden },
      disabled: {
        undo: !history.canUndo, redo: !history.canRedo, flip: !has || !this.result, invert: !has || isPaint,
        fill: !has, clear: !has, frame: !has,
      }, // prettier-ignore
      hidden: { mask: !this.isInpainting, palette: !this.isInpainting, picker: !isPaint, invert: isPaint },
      size: settings.size,
      hue: settings.colour,
    });
    this.options.show({
      hardness: settings.hardness[layer], colour: colourOf(settings.colour), isPaint, subtracts: settings.subtracts,
      hatched: settings.hatched, layers: this.#layers(), hasMask: this.isInpainting, hasPicture: has, hasResult: Boolean(this.result),
    }); // prettier-ignore
    this.framePanel.element.hidden = !this.isFraming || !this.options.element.hidden;
    this.framePanel.show(frame, this.view.size);
    const { classList } = this.view.element;
    classList.toggle("hatched", settings.hatched);
    classList.toggle("no-mask", !this.isInpainting || !settings.shown.mask || this.isFlipped);
    classList.toggle("no-paint", !settings.shown.paint || this.isFlipped);
    classList.toggle("paints", has && settings.tool !== "frame" && !this.isFlipped);
    this.view.result.hidden = !this.isFlipped;
    this.empty.hidden = has;
    this.view.measure();
  }

  get isFraming() {
    return this.settings.tool === "frame" && Boolean(this.history.now.source) && !this.isFlipped;
  }

  /** The CSS pixels at the edges that bar and frame need: a picture that is fitted keeps out of them. */
  #reserved() {
    const bar = this.toolbar.element;
    const panel = this.framePanel.element;
    const isRow = bar.offsetWidth > bar.offsetHeight; // on a phone it lies at the lower edge
    const around = this.isFraming ? HANDLES : MARGIN;
    return {
      left: isRow ? around : bar.offsetLeft + bar.offsetWidth + 8,
      right: around,
      top: this.isFraming ? panel.offsetHeight + 20 : MARGIN,
      bottom: isRow ? bar.offsetHeight + 16 : around,
    };
  }

  #layers() {
    const { mask, paint } = this.settings.shown;
    return [
      ...(this.isInpainting ? [{ name: "mask", words: t("Show the mask"), isShown: mask }] : []),
      { name: "paint", words: t("Show the paint"), isShown: paint },
      ...this.maps.map(({ name, isShown }) => ({ name, words: name, isShown })),
    ];
  }

  // ---- frame, maps, regions

  #framed(frame, isWhole) {
    this.view.showFrame(frame, isWhole);
    this.framePanel.show(frame, this.view.size);
    if (isWhole) this.step({ frame });
  }

  #setMap(name, url) {
    const others = this.maps.filter((one) => one.name !== name);
    this.maps = url ? [...others, { name, url, isShown: true }] : others;
    this.view.showMaps(this.maps);
    this.#refresh();
  }

  #setRegions(regions) {
    this.regions = regions;
    this.#showRegions();
  }

  /** Those that were set, in pixels, and those of forms, in shares of the picture's sides. */
  #showRegions() {
    const { width, height } = this.view.size;
    const places = this.places.map((one) => ({ name: one.name, left: one.left * width, top: one.top * height, width: one.width * width, height: one.height * height }));
    this.view.showRegions([...this.regions, ...places]);
  }

  // ---- commands that need more than a line

  showLayer(name, isShown) {
    if (name in this.settings.shown) this.set({ shown: { ...this.settings.shown, [name]: isShown } });
    else {
      this.maps = this.maps.map((one) => (one.name === name ? { ...one, isShown } : one));
      this.view.showMaps(this.maps);
    }
  }

  /** Show the result in place of the picture, or the picture again. */
  flip() {
    if (!this.result || !this.history.now.source) return;
    this.isFlipped = !this.isFlipped;
    if (this.isFlipped) this.view.result.src = window.webui.base + this.result.url;
    this.tell(this.isFlipped ? t("The result") : t("The source"));
    this.#refresh();
  }

  toggleOptions() {
    this.options.element.hidden = !this.options.element.hidden;
    this.#refresh();
  }

  loadMask(read) {
    this.loading = this.loading.then(async () => {
      try {
        this.set({ layer: "mask", shown: { ...this.settings.shown, mask: true } });
        this.step({ mask: await read() });
      } catch (error) {
        this.#failed(error);
      }
    });
    return this.loading;
  }

  /** Take everything off; a step, too. */
  forget() {
    this.isFlipped = false;
    this.step(blank(null));
  }

  // ---- start

  #draw() {
    const open = el("button", { type: "button", class: "canvas-wide" }, t("Open a picture"));
    open.addEventListener("click", () => this.commands.open());
    this.empty = el("div", { class: "canvas-empty" }, el("p", {}, t("Drop a picture here, or paste one.")), open);
    this.spoken = el("p", { class: "canvas-hidden", role: "status" });
    this.element.append(
      this.view.element, this.handles.element, this.empty, this.toolbar.element,
      this.options.element, this.framePanel.element, this.spoken,
    ); // prettier-ignore
    this.view.recolour();
    this.changed();
  }

  #listen() {
    arrivals(this.element, (opened) => this.load(opened), {
      isInView: () => this.isInView,
      sent: (to) => this.set({ layer: to === "inpaint" ? "mask" : "paint", tool: "brush" }),
      result: (picture) => this.#resulted(picture),
    });
    hear("places:shown", ({ places }) => {
      this.places = places;
      this.#showRegions();
    });
    new MutationObserver(() => this.#turned()).observe(document.documentElement, {
      attributeFilter: ["data-mode", "data-theme", "data-face", "data-tab"],
    });
    this.#turned();
  }

  /** Another mode, theme or face of the stage. Keys are the canvas's own only while it is in view. */
  #turned() {
    this.hands.giveUp();
    this.view.recolour();
    this.#refresh();
    this.unbind?.();
    this.unbind = this.isInView ? bindKeys(this.commands, () => this.#close()) : null;
  }

  #close() {
    if (this.options.element.hidden) return false;
    this.toggleOptions();
    this.toolbar.buttons.get("options").focus();
    return true;
  }

  async #restore() {
    try {
      const found = await kept();
      if (!found?.source || this.history.now.source) return;
      const { picture, file, name } = found.source;
      const source = picture ? await ofPicture(picture, window.webui.base) : await ofFile(new File([file], name, { type: file.type }));
      const isSame = source.width === found.mask.width && source.height === found.mask.height;
      this.history.restart(isSame ? { source, mask: found.mask, paint: found.paint, frame: found.frame } : blank(source));
      this.changed();
    } catch (error) {
      console.warn("the canvas of the last visit is not there any more:", error);
    } finally {
      this.keeper.begin();
    }
  }

  #resulted(picture) {
    if (!picture || picture.grid) return;
    this.result = picture;
    if (this.isFlipped) this.view.result.src = window.webui.base + picture.url;
    this.#refresh();
  }

  /** Say something to those who do not see it. */
  tell(text) {
    this.spoken.textContent = text;
  }

  #notice(kind, text) {
    say("notice", { kind, text });
  }

  #failed(error) {
    if (!(error instanceof Unreadable)) console.error(error);
    this.#notice("error", error instanceof Unreadable ? t(error.message) : t("That did not work: {reason}", { reason: error.message }));
  }
}
