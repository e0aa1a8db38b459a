// Has a picture described in words: a dialog with the files that can do it, the text, and what to do with it.

import { hear } from "./bus.js";
import { el, openDialog, pickList, t } from "./kit.js";
import { ask } from "./page_requests.js";
import { prompts, setPrompt } from "./prompt_boxes.js";

const KIND = "captioner"; // of the files that describe pictures

/** @param {string} address of the picture, of the page's own or of a file in this browser */
export async function describe(address) {
  const said = el("p", { class: "hint", role: "status" });
  const text = el("textarea", { rows: "5", "aria-label": t("The picture in words"), placeholder: t("The picture in words") });
  const pick = pickList(t("Described by"), [{ value: "", label: t("The first that is there") }], "", () => {});
  const start = el("button", { type: "button", class: "primary", onclick: () => work() }, t("Describe"));
  const use = el("button", { type: "button", class: "quiet", disabled: true, onclick: () => put() }, t("Put it into the prompt"));
  text.addEventListener("input", () => { use.disabled = text.value.trim() === ""; });
  const stop = new AbortController();
  const picture = el("img", { src: address, alt: t("The picture") });
  const dialog = openDialog({ title: t("Describe the picture"), className: "drop-dialog", closed: () => stop.abort() }, picture, pick, said, text, el("div", { class: "form-buttons" }, start, use));
  start.focus();

  const work = async () => {
    start.disabled = true;
    said.textContent = t("Looking at the picture…");
    try {
      const form = new FormData();
      form.append("picture", await (await fetch(address)).blob(), "picture");
      text.value = (await ask(`describe?model=${encodeURIComponent(pick.value)}`, { method: "POST", body: form, signal: stop.signal })).text;
      said.textContent = text.value ? "" : t("It found no words for this picture.");
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = error.message;
    }
    start.disabled = false;
    use.disabled = text.value.trim() === "";
  };
  const put = () => {
    const before = prompts().prompt.trim().replace(/,$/, "");
    setPrompt("prompt", before ? `${before}, ${text.value.trim()}` : text.value.trim());
    dialog.close();
  };

  try {
    const { files } = await ask(`files/${KIND}`);
    const usable = files.filter((one) => one.usable !== false).map((one) => ({ value: one.name, label: one.name }));
    if (usable.length) pick.choices = usable;
    if (usable.length) pick.value = usable[0].value;
  } catch (error) {
    said.textContent = error.message;
  }
}

hear("picture:describe", ({ address }) => describe(address));
