// New pictures for a data set: files that are chosen, dropped or dragged from the page; they are sent one by one.

import { el, openDialog, t } from "./kit.js";
import { pictureIn } from "./form_pictures.js";

const MOST_BYTES = 22 * 1024 * 1024; // of a file; in base64 it is a third longer
const KINDS = /^image\/(png|jpeg|webp|avif|bmp|tiff|gif)$/;

/** The content of a file as options carry it. @returns {Promise<string>} */
const base64Of = (/** @type {File} */ file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result).split(",")[1]);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

/** The pictures among files, and the captions of text files of the same name. */
export async function sorted(/** @type {File[]} */ files) {
  const pictures = files.filter((file) => KINDS.test(file.type));
  /** @type {Map<string, string>} */
  const captions = new Map();
  for (const file of files) if (/\.(txt|caption)$/i.test(file.name) && file.size < 100_000) captions.set(stem(file.name), (await file.text()).trim());
  return pictures.map((file) => ({ file, caption: captions.get(stem(file.name)) ?? "" }));
}
const stem = (/** @type {string} */ name) => name.replace(/\.[^.]*$/, "");

/**
 * Send pictures one after another.
 * @param {{file: File, caption: string}[]} pictures
 * @param {(options: Record<string, *>) => Promise<*>} add
 * @param {(n: number) => void} progress
 * @returns {Promise<string[]>} a sentence for each that was refused
 */
export async function sendAll(pictures, add, progress) {
  const refused = [];
  for (const [at, { file, caption }] of pictures.entries()) {
    progress(at);
    try {
      if (file.size > MOST_BYTES) throw new Error(t("it has more than 22 MB"));
      await add({ picture: await base64Of(file), name: file.name, caption });
    } catch (error) {
      refused.push(`${file.name}: ${/** @type {Error} */ (error).message}`);
    }
  }
  progress(pictures.length);
  return refused;
}

/** Let the user choose files. @param {(files: File[]) => void} take */
export function chooseFiles(take) {
  const input = el("input", { type: "file", accept: "image/*,.txt,.caption", multiple: true });
  input.addEventListener("change", () => take([...(input.files ?? [])]));
  input.click();
}

/**
 * Let an element take files, and pictures of this page, that are dropped on it.
 * @param {HTMLElement} node
 * @param {() => string} target what it stands for; this is asked at the drop, as it may stand for another once a picture is there
 * @param {(files: File[], target: string) => void} take
 * @param {(text: string) => void} failed
 */
export function takesFiles(node, target, take, failed) {
  node.addEventListener("dragover", (event) => {
    event.preventDefault();
    node.classList.add("over");
  });
  node.addEventListener("dragleave", (event) => {
    if (!node.contains(/** @type {Node|null} */ (/** @type {DragEvent} */ (event).relatedTarget))) node.classList.remove("over");
  });
  node.addEventListener("drop", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    node.classList.remove("over");
    const data = /** @type {DragEvent} */ (event).dataTransfer;
    const files = [...(data?.files ?? [])];
    const to = target();
    try {
      const single = files.length ? null : await pictureIn(data);
      if (files.length || single) take(single ? [single] : files, to);
    } catch (error) {
      failed(/** @type {Error} */ (error).message);
    }
  });
}

/**
 * Ask for the name of a new data set, and for its pictures.
 * @param {File[]} files those that were dropped already
 * @param {(name: string, files: File[]) => Promise<void>} make
 */
export function askForNew(files, make) {
  let chosen = files;
  const name = el("input", { type: "text", maxlength: "60", id: "train_new_name", autocomplete: "off", "aria-describedby": "train_new_say" });
  const count = el("span", {}, "");
  const said = el("p", { class: "hint", role: "status", id: "train_new_say" });
  const go = el("button", { type: "button", class: "primary" }, t("Make it"));
  const show = () => { count.textContent = chosen.length ? t("{n} files", { n: chosen.length }) : t("none yet"); };
  const pick = el("button", { type: "button", class: "quiet", onclick: () => chooseFiles((more) => { chosen = more; show(); }) }, t("Choose pictures"));
  const dialog = openDialog({ title: t("New data set"), className: "tr-new" }, el("label", { class: "tr-field" }, el("span", {}, t("Name")), name), el("div", { class: "tr-picked" }, pick, count), el("p", { class: "hint" }, t("Text files of the same names are their captions.")), said, el("div", { class: "form-buttons" }, go));
  go.addEventListener("click", async () => {
    if (!name.value.trim() || !chosen.length) {
      said.textContent = t("It needs a name and at least one picture.");
      return;
    }
    go.disabled = true;
    try {
      await make(name.value.trim(), chosen);
      dialog.close();
    } catch (error) {
      said.textContent = /** @type {Error} */ (error).message;
      go.disabled = false;
    }
  });
  name.addEventListener("keydown", (event) => /** @type {KeyboardEvent} */ (event).key === "Enter" && go.click());
  show();
  name.focus();
}
