// What the bar has no room for: how the brush paints, which layers are seen, the frame in numbers, masks from files.

import { el } from "./kit.js";
import { t } from "./language.js";
import { FARTHEST, SIDES, STEP, grown, grows, moved } from "./canvas_frame.js";
import { hexOf } from "./canvas_surface.js";

/** The panel of brush and layers. */
export class OptionsPanel {
  /** @param {Record<string, (value?: any) => void>} commands */
  constructor(commands) {
    this.commands = commands;
    this.hardness = el("input", { type: "range", min: "0", max: "100", step: "5" });
    this.hardness.addEventListener("input", () => commands.hardness(Number(this.hardness.value) / 100));
    this.percent = el("output", {});
    this.colour = el("input", { type: "color" });
    this.colour.addEventListener("input", () => commands.colour(this.colour.value));
    this.colourRow = row(t("Colour"), this.colour);
    this.subtracts = this.#switch(t("Rectangle and lasso erase"), (is) => commands.subtracts(is));
    this.hatched = this.#switch(t("Hatch the mask"), (is) => commands.hatched(is));
    this.seen = el("div", {});
    this.loadMask = button(t("Load a mask"), () => commands.loadMask());
    this.useResult = button(t("Use the result as the source"), () => commands.useResult());
    this.describe = button(t("Describe it in words"), () => commands.describe());
    this.pose = button(t("Draw a pose for ControlNet"), () => commands.pose());
    this.forget = button(t("Remove the picture"), () => commands.forget());
    this.element = el(
      "div",
      { class: "canvas-panel canvas-options", role: "group", "aria-label": t("Layers and brush"), hidden: true },
      row(t("Hardness"), this.hardness, this.percent), this.colourRow, this.subtracts.row,
      el("hr", { "aria-hidden": "true" }), this.seen, this.hatched.row,
      el("hr", { "aria-hidden": "true" }), this.loadMask, this.useResult, this.describe, this.pose, this.forget,
    ); // prettier-ignore
  }

  /**
   * @param {object} state
   * @param {{name: string, words: string, isShown: boolean}[]} state.layers
   */
  show({ hardness, colour, isPaint, subtracts, hatched, layers, hasMask, hasPicture, hasResult }) {
    this.hardness.value = String(Math.round(hardness * 100));
    this.percent.textContent = `${Math.round(hardness * 100)} %`;
    this.colour.value = hexOf(colour);
    this.colourRow.hidden = !isPaint;
    this.subtracts.box.checked = subtracts;
    this.hatched.box.checked = hatched;
    this.loadMask.hidden = this.hatched.row.hidden = !hasMask;
    this.loadMask.disabled = this.describe.disabled = this.forget.disabled = !hasPicture;
    this.useResult.disabled = !hasResult;
    const names = layers.map(({ name }) => name).join();
    if (this.seen.dataset.names !== names) {
      this.seen.dataset.names = names;
      this.boxes = layers.map(({ name, words }) => this.#switch(words, (is) => this.commands.layerShown(name, is)));
      this.seen.replaceChildren(...this.boxes.map((one) => one.row));
    }
    layers.forEach(({ isShown }, number) => (this.boxes[number].box.checked = isShown));
  }

  #switch(words, changed) {
    const box = el("input", { type: "checkbox", role: "switch" });
    box.addEventListener("change", () => changed(box.checked));
    return { box, row: el("label", { class: "canvas-switch" }, el("span", {}, words), box) };
  }
}

/** The panel of the frame: its sides in pixels, and the size that the picture grows to. */
export class FramePanel {
  /** @param {(frame: import("./canvas_frame.js").Frame) => void} changed */
  constructor(changed) {
    const words = { left: t("Left"), top: t("Top"), right: t("Right"), bottom: t("Bottom") };
    [this.frame, this.size] = [null, null];
    this.fields = SIDES.map((side) => {
      const field = el("input", { type: "number", min: "0", max: String(FARTHEST), step: String(STEP), name: side });
      field.addEventListener("change", () => changed(moved(this.frame, { [side]: Number(field.value) }, this.size)));
      return field;
    });
    this.words = el("p", { class: "canvas-grown", role: "status" });
    this.back = button(t("Put the frame back"), () => changed(moved(this.frame, { left: 0, top: 0, right: 0, bottom: 0 }, this.size)));
    this.element = el(
      "div",
      { class: "canvas-panel canvas-frame-panel", role: "group", "aria-label": t("Outpaint: pixels to add"), hidden: true },
      ...SIDES.map((side, number) => row(words[side], this.fields[number])), this.words, this.back,
    ); // prettier-ignore
  }

  show(frame, size) {
    [this.frame, this.size] = [frame, size];
    SIDES.forEach((side, number) => {
      if (document.activeElement !== this.fields[number] || Number(this.fields[number].value) !== frame[side]) {
        this.fields[number].value = String(frame[side]);
      }
    });
    const { width, height } = grown(frame, size);
    this.words.textContent = `${width} × ${height}`;
    this.back.disabled = !grows(frame);
  }
}

function row(words, ...fields) {
  return el("label", { class: "canvas-row" }, el("span", {}, words), ...fields);
}

function button(words, act) {
  const made = el("button", { type: "button", class: "canvas-wide" }, words);
  made.addEventListener("click", act);
  return made;
}
