// The tray over a sheet: what can be done with the cell that is chosen, or with two.
import { el, iconButton } from "./kit.js";
import { t } from "./language.js";
import { cellAt, placeOf, seedIn } from "./sheet_data.js";

const quiet = (label, does) => el("button", { type: "button", class: "s-quiet", onclick: does }, label);

export class SheetTray {
  #drawn = "";

  /**
   * @param {{use: (at: number[]) => void, open: (at: number[]) => void, compare: (isOn: boolean) => void,
   *   choose: () => void, unmark: () => void}} does `choose`: the next cell becomes B
   */
  constructor(does) {
    this.does = does;
    this.element = el("div", { class: "s-tray", hidden: true });
  }

  /**
   * @param {import("./sheet_data.js").Sheet} sheet
   * @param {number[][]} marks the places of A and B, as far as there are
   * @param {boolean} isComparing
   * @param {boolean} isChoosing
   */
  show(sheet, marks, isComparing, isChoosing) {
    this.element.hidden = !marks.length;
    const [a] = marks;
    const cell = a && cellAt(sheet, a);
    const drawn = JSON.stringify([marks, isComparing, isChoosing, cell, sheet.id, a && placeOf(sheet, a)]);
    if (!a || this.#drawn === drawn) return;
    this.#drawn = drawn;
    const hadFocus = this.element.contains(document.activeElement);
    const parts = marks.length > 1 ? this.#two(isComparing) : this.#one(sheet, a, cell, isChoosing);
    this.element.replaceChildren(...parts, iconButton("close", t("Nothing chosen"), { onclick: this.does.unmark }));
    if (hadFocus) this.element.querySelector("button")?.focus();
  }

  #two(isComparing) {
    const label = isComparing ? t("Back to the sheet") : t("Compare");
    return [el("span", {}, t("A and B")), quiet(label, () => this.does.compare(!isComparing))];
  }

  #one(sheet, at, cell, isChoosing) {
    const seed = seedIn(cell.infotext);
    const about = [placeOf(sheet, at), seed && t("seed {seed}", { seed })].filter(Boolean).join(" · ");
    if (cell.state === "failed") return [el("span", { class: "s-reason" }, el("b", {}, about), ` ${cell.error ?? ""}`)];
    const compare = quiet(t("Compare with …"), this.does.choose);
    compare.title = t("Or hold Shift and click another cell");
    return [
      el("span", {}, about),
      quiet(t("Use its parameters"), () => this.does.use(at)),
      quiet(t("Open"), () => this.does.open(at)),
      isChoosing ? el("small", {}, t("Choose the other cell")) : compare,
    ];
  }
}
