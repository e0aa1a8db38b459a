// Painting by keys while the canvas has the focus: arrow keys move the brush. Letters are in the page's table, keys.js.

const NEAR = 8; // pixels of the picture for an arrow key
const FAR = 64; // with Shift
const ARROWS = Object.freeze({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });

/** Paints by keys: arrows move a point, Enter does there what the tool in hand does. */
export class KeyPen {
  /**
   * @param {object} desk
   * @param {() => {width: number, height: number}} desk.size
   * @param {(point: {x: number, y: number}) => void} desk.moved the point is somewhere else
   * @param {() => {tool: object, isArea: boolean, isLasso: boolean}} desk.held
   */
  constructor(desk) {
    [this.desk, this.point, this.isDrawing] = [desk, null, false];
  }

  /** @returns {boolean} whether the key was for the pen */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const arrow = ARROWS[event.key];
    if (arrow) this.#move(arrow, event.shiftKey ? FAR : NEAR);
    else if (event.key === "Enter") this.#paint(event);
    else if (event.key === "Escape" && this.isDrawing) this.giveUp();
    else return false;
    return true;
  }

  /** Take back an area that is not closed. */
  giveUp() {
    if (this.isDrawing) this.desk.held().tool.cancel();
    this.isDrawing = false;
  }

  #move([across, down], by) {
    const { width, height } = this.desk.size();
    const from = this.point ?? { x: width / 2, y: height / 2 };
    const within = (value, most) => Math.min(most, Math.max(0, value));
    this.point = { x: within(from.x + across * by, width), y: within(from.y + down * by, height) };
    const { tool, isArea, isLasso } = this.desk.held();
    if (this.isDrawing && isArea && !isLasso) tool.move(this.point);
    this.desk.moved(this.point);
  }

  #paint(event) {
    const { tool, isArea, isLasso } = this.desk.held();
    if (!tool) return;
    const press = { pointerType: "mouse", pressure: 1, shiftKey: event.shiftKey && !isLasso, altKey: false };
    if (!this.point) this.#move([0, 0], 0);
    if (!isArea) {
      tool.down(this.point, press);
      tool.up(press);
    } else if (!this.isDrawing) {
      tool.down(this.point, press);
      this.isDrawing = true;
    } else {
      tool.move(this.point);
      if (isLasso && !event.shiftKey) return;
      this.isDrawing = false;
      tool.up(press);
    }
  }
}
