import { el, t } from "./kit.js";

/** @param {HTMLElement} place, @param {import("./learn_shared.js").Shared} shared */
export function mount(place, shared) {
  place.append(el("p", { class: "learn-empty" }, t("No run was taken apart yet.")));
  return { draw: () => shared.explain() };
}
