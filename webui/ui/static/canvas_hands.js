// Joins mouse, fingers and keys with the tools, and shows where they are.

import { t } from "./language.js";
import { Gestures } from "./canvas_gestures.js";
import { KeyPen } from "./canvas_keys.js";
import { colourAt } from "./canvas_source.js";
import { hexOf } from "./canvas_surface.js";
import { tools } from "./canvas_tools.js";

const AREAS = Object.freeze(["rectangle", "lasso"]);
const BRUSHES = Object.freeze(["brush", "eraser"]);
export const TOOLS = Object.freeze([...BRUSHES, ...AREAS, "picker", "frame"]);

export class Hands {
  /** @param {object} canvas the class Canvas of canvas.js */
  constructor(canvas) {
    [this.canvas, this.at] = [canvas, null];
    this.tools = tools(this.#desk());
    this.pen = new KeyPen(this.#penDesk());
    const { element } = canvas.view;
    const gestures = new Gestures(element, this.#heard());
    element.addEventListener("pointerdown", () => element.classList.add("touched")); // no outline of the focus then
    element.addEventListener("keydown", (event) => {
      element.classList.remove("touched");
      if (event.key === " ") gestures.panning = true;
      else if (!this.pen.press(event)) return;
      event.preventDefault();
    });
    element.addEventListener("keyup", (event) => event.key === " " && (gestures.panning = false));
    element.addEventListener("blur", () => {
      gestures.panning = false;
      element.classList.remove("touched");
    });
  }

  /** The tool in hand; null where nothing can be painted. */
  get tool() {
    const { canvas } = this;
    return canvas.history.now.source && !canvas.isFlipped ? (this.tools[canvas.settings.tool] ?? null) : null;
  }

  /** Take back what is not finished, because tool, layer or document change. */
  giveUp(isNew = false) {
    this.pen.giveUp();
    if (isNew) this.pen.point = null;
  }

  /** Show the ring of the brush at a point of the view; null hides it. */
  ring(point = this.at) {
    const { settings, layer, view } = this.canvas;
    this.at = point;
    view.showRing(point && this.tool && BRUSHES.includes(settings.tool) ? point : null, settings.size, settings.hardness[layer]);
  }

  #desk() {
    const { canvas } = this;
    return {
      layer: () => canvas.history.now[canvas.layer],
      done: (tiles) => canvas.step({ [canvas.layer]: tiles }),
      settings: () => ({ ...canvas.settings, hardness: canvas.settings.hardness[canvas.layer], colour: canvas.rgb }),
      follow: (edit) => canvas.view[canvas.layer].follow(edit),
      revert: (edit) => canvas.view[canvas.layer].revert(edit),
      outline: (points) => canvas.view.outline(points),
      pick: ({ x, y }) => this.#pick(x, y),
    };
  }

  #heard() {
    const { canvas } = this;
    const { plane } = canvas.view;
    return {
      down: (point, event) => this.#down(point, event),
      move: (point, event) => this.tool?.move(canvas.view.toPicture(point), event),
      up: (event) => this.tool?.up(event),
      cancel: () => this.tool?.cancel(),
      hover: (point) => this.ring(point),
      pan: (dx, dy) => canvas.look(() => plane.pan(dx, dy)),
      zoom: (factor, point) => canvas.look(() => plane.zoomBy(factor, point.x, point.y)),
      resize: (factor) => canvas.commands.size(canvas.settings.size * factor),
    };
  }

  #down(point, event) {
    const { canvas } = this;
    if (!this.tool) return false;
    this.pen.giveUp();
    if (!canvas.settings.shown[canvas.layer]) canvas.commands.layerShown(canvas.layer, true); // nobody paints blindly
    this.tool.down(canvas.view.toPicture(point), event);
    return true;
  }

  #penDesk() {
    const { canvas } = this;
    return {
      size: () => canvas.view.size,
      moved: (point) => {
        this.ring(canvas.view.plane.toView(point.x, point.y));
        canvas.tell(t("At {x}, {y}", { x: Math.round(point.x), y: Math.round(point.y) }));
      },
      held: () => {
        const name = canvas.settings.tool;
        return { tool: this.tool, isArea: AREAS.includes(name), isLasso: name === "lasso" };
      },
    };
  }

  async #pick(x, y) {
    const { view, history, set } = this.canvas;
    if (x < 0 || y < 0 || x >= view.size.width || y >= view.size.height) return;
    const { paint } = history.now;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const own = paint.at(column, row) === 255 ? [0, 1, 2].map((one) => paint.at(column, row, one)) : null;
    set({ colour: hexOf(own ?? (await colourAt(view.picture, x, y))) });
  }
}
