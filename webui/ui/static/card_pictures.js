// A picture of the Library as the preview of a card: the newest ones that were made with it, else the newest of all.

import { el, t } from "./kit.js";
import { addressOf, ask } from "./library_data.js";

const SHOWN = 24;

/**
 * @param {{kind: string, name: string, tag: string, file: string}} card
 * @param {(picture: import("./library_data.js").Shown) => void} chosen
 * @returns {HTMLElement}
 */
export function libraryPictures(card, chosen) {
  const list = el("div", { class: "card-pictures", role: "group", "aria-label": t("Pictures of the Library") });
  const hint = el("p", { class: "hint", role: "status" });
  const box = el("div", { hidden: true }, hint, list);
  const draw = async () => {
    hint.textContent = t("Reading …");
    try {
      let found = await newest(queryOf(card));
      hint.textContent = found.length ? t("The newest pictures that were made with it.") : t("No picture was made with it yet. These are the newest of all.");
      if (found.length === 0) found = await newest("");
      list.replaceChildren(...found.map((picture) => el("button", { type: "button", "aria-label": picture.name, title: picture.prompt, onclick: () => chosen(picture) },
        el("img", { src: addressOf(picture.thumb), alt: "", loading: "lazy" }))));
    } catch (error) {
      hint.textContent = error.message;
    }
  };
  const press = () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
    if (!box.hidden) draw();
  };
  const button = el("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: press }, t("Choose a picture of the Library"));
  return el("div", { class: "card-from-library" }, button, box);
}

async function newest(q) {
  return (await ask("GET", `pictures?${new URLSearchParams({ q, sort: "newest", limit: String(SHOWN) })}`)).rows;
}

function queryOf({ kind, name, tag, file }) {
  const plain = (text) => text.replaceAll('"', " ");
  const stem = file.slice(file.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");
  if (kind === "lora") return `lora:="${plain(tag)}"`;
  if (kind === "checkpoint") return `checkpoint:"${plain(stem)}"`;
  return `prompt:"${plain(kind === "hypernetwork" ? `hypernet:${tag}` : name)}"`;
}
