// Which pictures a batch works through, and what becomes of their names: files, a folder of this device, or a folder of
// the machine that the program runs on.

import { el, iconButton, t, toggle } from "./kit.js";
import { opener, uploaded } from "./form_pictures.js";

/** @typedef {import("./form_pictures.js").Uploaded} Uploaded */
/** @typedef {{node: HTMLElement, value: () => {files: Uploaded[], folder: string}}} Source */

const isPicture = (/** @type {File} */ file) => !file.type || file.type.startsWith("image/");

/** A button that opens a folder of this device. */
function folderOpener(/** @type {(files: File[]) => void} */ take) {
  const input = el("input", { type: "file", webkitdirectory: true, multiple: true, hidden: true });
  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    input.value = "";
  });
  return el("span", { class: "f-open" }, input, el("button", { type: "button", class: "f-quiet", onclick: () => input.click() }, t("Load a folder")));
}

/**
 * Pictures of one kind.
 * @param {{id: string, label: string, place: string, upload: *, changed: () => void, failed: (text: string) => void}} about
 *   `place` is what the box of the folder says while it is empty
 * @returns {Source}
 */
export function pictureSource({ id, label, place, upload, changed, failed }) {
  /** @type {Uploaded[]} */
  let files = [];
  let removals = 0; // each ends what is being loaded
  const told = el("span", { class: "b-count", role: "status" });
  const clear = iconButton("close", t("Remove these pictures"), { hidden: true });
  const folder = el("input", { type: "text", id: `${id}_folder`, placeholder: place, "aria-label": t("{name}: folder on the server", { name: label }) });
  const show = () => {
    told.textContent = files.length ? t("{n} pictures", { n: files.length }) : "";
    clear.hidden = !files.length;
    changed();
  };
  const take = async (/** @type {File[]} */ chosen) => {
    const before = removals;
    try {
      for (const [at, file] of chosen.filter(isPicture).entries()) {
        told.textContent = t("Sending {n} of {all}", { n: at + 1, all: chosen.length });
        const one = await uploaded(upload, file);
        if (before !== removals) return;
        files = [...files, one]; // with what others have loaded meanwhile
      }
    } catch (error) {
      if (before !== removals) return;
      failed(/** @type {Error} */ (error).message);
    }
    show();
  };
  clear.addEventListener("click", () => {
    files = [];
    removals += 1;
    show();
  });
  folder.addEventListener("input", changed);
  const node = el(
    "div", { class: "f-field b-source" },
    el("div", { class: "b-head" }, el("span", { class: "f-name" }, label), told, clear),
    el("div", { class: "f-acts" }, opener(t("Load pictures"), take, { several: true, id: `${id}_files` }), folderOpener(take)),
    folder,
  ); // prettier-ignore
  return { node, value: () => ({ files, folder: folder.value.trim() }) };
}

/** What becomes of the names. @param {{id: string, changed: () => void}} about */
export function namesOfResults({ id, changed }) {
  const output = el("input", { type: "text", id: `${id}_output`, placeholder: t("called as the pictures' folder"), "aria-label": t("Folder of the results") });
  const skip = toggle(t("Skip what is there already"), false, changed);
  const keep = toggle(t("Keep names"), true, () => {
    output.hidden = skip.hidden = !keep.checked;
    changed();
  });
  output.addEventListener("input", changed);
  for (const one of [skip, keep]) one.classList.add("f-switch");
  const node = el("div", { class: "f-field b-names" }, keep, skip, output);
  return { node, value: () => ({ keep_names: keep.checked, skip_existing: keep.checked && skip.checked, output: keep.checked ? output.value.trim() : "" }) };
}

/** What a batch has to begin with, in a few words; "" for nothing. @param {{files: Uploaded[], folder: string}} value */
export function wordsOf({ files, folder }) {
  const parts = [];
  if (folder) parts.push(folder.replace(/[\\/]+$/, "").split(/[\\/]/).pop() || folder);
  if (files.length) parts.push(t("{n} pictures", { n: files.length }));
  return parts.join(" + ");
}

/**
 * A folder instead of, or beside, pictures that are loaded one by one; each becomes a job of its own.
 * @param {{id: string, changed: () => void}} about
 */
export function folderOfPictures({ id, changed }) {
  const folder = el("input", { type: "text", id: `${id}_folder`, placeholder: t("a folder on the server"), "aria-label": t("Folder of the pictures") });
  folder.addEventListener("input", changed);
  const names = namesOfResults({ id, changed });
  const body = el("div", { class: "f-field b-source", hidden: true }, folder, names.node);
  const onOff = toggle(t("Folder, or files that keep their names"), false, (isOn) => {
    body.hidden = !isOn;
    changed();
  });
  onOff.classList.add("f-switch");
  onOff.querySelector("input").id = `${id}_batch_enable`;
  return {
    node: el("div", { class: "b-form" }, onOff, body),
    isOn: () => onOff.checked,
    hasFolder: () => onOff.checked && folder.value.trim() !== "",
    value: () => ({ folder: folder.value.trim(), ...names.value() }),
  };
}
