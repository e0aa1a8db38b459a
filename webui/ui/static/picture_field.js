// A field that takes one picture: by a click, by dropping it, or by pasting it while the field is in view.
import { say } from "./bus.js";
import { el, icon, t } from "./kit.js";

/**
 * @param {string} label
 * @param {(file: File|Blob, url: string) => void} taken `url` shows the picture until another is taken
 * @param {Record<string, string>} attributes
 * @returns {HTMLElement} with `take(file, name)`
 */
export function pictureField(label, taken, attributes = {}) {
  const input = el("input", { type: "file", accept: "image/*", class: "unseen", "aria-label": label });
  const image = el("img", { alt: "", hidden: true });
  const words = el("span", { class: "field-words" }, icon("image"), el("b", {}, label), el("small", {}, t("Drop a file, click, or paste")));
  const made = el("label", { class: "picture-field", ...attributes }, image, words, input);
  let url = "";
  made.take = (file, name = "") => {
    if (!file.type.startsWith("image/")) {
      say("notice", { kind: "error", text: t("{name} is no picture.", { name: file.name ?? t("This") }) });
      return;
    }
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(file);
    Object.assign(image, { src: url, hidden: false, alt: name || file.name || label });
    made.classList.add("filled");
    taken(file, url);
  };
  input.addEventListener("change", () => { if (input.files[0]) made.take(input.files[0]); input.value = ""; });
  made.addEventListener("dragover", (event) => { event.preventDefault(); made.classList.add("over"); });
  made.addEventListener("dragleave", () => made.classList.remove("over"));
  made.addEventListener("drop", (event) => {
    event.preventDefault();
    made.classList.remove("over");
    if (event.dataTransfer.files[0]) made.take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (!file || !made.offsetParent || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    made.take(file);
  });
  return made;
}
