// The table of keys, in which this browser may have others.
import { el, t } from "./kit.js";
import { holderOf, nameOf, ownKeys, rows, setKey, shownKey } from "./keys.js";
import { browserRow } from "./settings_look.js";

const ALONE = ["Control", "Shift", "Alt", "Meta", "AltGraph", "Dead", "Unidentified"]; // keys that wait for another

/** @returns {import("./settings.js").Row[]} */
export function keysRows() {
  const body = el("tbody", {});
  const said = el("p", { class: "setting-note", role: "status" });
  const draw = (focused) => {
    const own = ownKeys();
    body.replaceChildren(...rows().map((row) => el(
      "tr",
      { "data-key-of": row.name },
      el("th", { scope: "row" }, t(row.title)),
      el("td", {}, row.where === "listed" ? el("kbd", {}, row.shown) : keyButton(row, said, draw)),
      el("td", {}, row.name in own && el("button", { type: "button", class: "text-button", "aria-label": t("Reset {name}", { name: t(row.title) }), onclick: () => { setKey(row.name, null); said.textContent = ""; draw(row.name); } }, t("Reset"))),
    )));
    if (focused) body.querySelector(`[data-key-of="${focused}"] button`)?.focus();
  };
  draw();
  const table = el("table", { class: "key-table" }, el("caption", { class: "unseen" }, t("Keys")), body);
  const titles = () => rows().map((row) => `${row.title} ${t(row.title)}`).join(" ");
  const made = browserRow("Keys", "Press a button, then the new key. Escape leaves it as it is.", el("div", {}, table, said), "keys");
  return [{ element: made.element, words: () => `${made.words()} ${titles()}` }];
}

function keyButton(row, said, draw) {
  const button = el("button", { type: "button", class: "key-button", "aria-label": t("Key of: {name}", { name: t(row.title) }) }, el("kbd", {}, row.shown));
  const stop = () => {
    document.removeEventListener("keydown", listen, true);
    button.removeEventListener("blur", stop);
    button.classList.remove("listening");
    button.replaceChildren(el("kbd", {}, row.shown));
  };
  const listen = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (ALONE.includes(event.key)) return;
    stop();
    if (event.key === "Escape") return;
    const key = nameOf(event);
    const other = holderOf(key, row);
    if (other) {
      said.textContent = t("{key} is taken by: {name}", { key: shownKey(key), name: t(other.title) });
      said.classList.add("error");
      return;
    }
    said.classList.remove("error");
    said.textContent = t("Saved.");
    setKey(row.name, key);
    draw(row.name);
  };
  button.addEventListener("click", () => {
    button.classList.add("listening");
    button.replaceChildren(t("Press a key"));
    document.addEventListener("keydown", listen, true);
    button.addEventListener("blur", stop);
  });
  return button;
}
