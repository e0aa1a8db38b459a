// Learn > Compare: two pictures from anywhere, beside what differs in their parameters.
import { el, t } from "./kit.js";
import { comparison } from "./library_compare.js";
import { ask } from "./library_data.js";
import { pictureField } from "./picture_field.js";

export function mount({ element }) {
  const sides = [null, null];
  const turns = [0, 0]; // how often each side was taken: only the answer about the last is of use
  const place = el("div", { class: "compare-place" }, el("p", { class: "library-hint" }, t("Two pictures, and it is shown in which pixels and parameters they differ.")));
  const take = (at, name) => async (file, url) => {
    const turn = (turns[at] += 1);
    sides[at] = null;
    try {
      const { told, fault } = await ask("POST", "read", file);
      if (turn !== turns[at]) return;
      if (fault) throw new Error(fault);
      sides[at] = { url, name: file.name || name, told };
    } catch (error) {
      if (turn !== turns[at]) return;
      place.replaceChildren(el("p", { class: "library-hint", role: "alert" }, error.message));
      return;
    }
    if (sides[0] && sides[1]) place.replaceChildren(comparison(sides[0], sides[1]));
  };
  element.append(
    el("div", { class: "compare-fields" }, pictureField(t("First picture"), take(0, t("First picture"))), pictureField(t("Second picture"), take(1, t("Second picture")))),
    place,
  );
}
