// A picture in a declared form: from the stage, a file, a drop or the clipboard; and the map that an action makes of it.

import { el, icon, iconButton, t } from "./kit.js";
import { hear } from "./bus.js";
import { painter } from "./form_paint.js";
import { POSE, poseButton } from "./form_pose.js";

/** @typedef {import("./declared_state.js").DrawnField} DrawnField */
/** @typedef {import("./form_scope.js").Scope} Scope */
/** @typedef {{path: string, url: string, meta: {_type: string}, name: string}} Uploaded */

const MAX_FILE = 64 * 1024 * 1024; // bytes of one upload

/** How many pictures were begun to be brought into fields. */
let begun = 0;
/** Which of them are there, by the values that hold them and the names of fields. @type {WeakMap<object, Record<string, number>>} */
const there = new WeakMap();

/** The picture that the stage shows. */
let onStage = null;
hear("picture:shown", ({ picture }) => { onStage = picture ?? null; });
hear("picture:show", ({ picture }) => { onStage = picture ?? onStage; });

/** The picture in view on the stage; null for none. @returns {import("./bus.js").Picture|null} */
export function pictureOnStage() {
  return onStage;
}

const canvas = () => /** @type {*} */ (window).webui?.canvas;
const mapName = (/** @type {Scope} */ scope) => [scope.state.drawn.title ?? t("Map"), ...scope.place.filter(Number.isInteger).map((at) => Number(at) + 1)].join(" ");

/** The picture that img2img and inpainting begin with; null where there is none, or where txt2img is in view. */
async function sourceOnCanvas() {
  if (document.documentElement.dataset.mode === "txt2img" || !canvas()?.size()) return null;
  return canvas().source() ?? (await canvas().value())?.picture ?? null;
}

/** Give a file to the server. @returns {Promise<Uploaded>} */
export async function uploaded(/** @type {(file: File) => Promise<{path: string, url: string}>} */ upload, /** @type {File} */ file) {
  if (file.size > MAX_FILE) throw new Error(t("{name} has more than 64 MB.", { name: file.name }));
  if (file.type && !file.type.startsWith("image/")) throw new Error(t("{name} is no picture.", { name: file.name }));
  const { path, url } = await upload(file);
  return { path, url, meta: { _type: "gradio.FileData" }, name: file.name };
}

/** A picture of the page as a file that can be given to the server. */
export async function fileOf(/** @type {{url: string, id?: string, file?: File}} */ picture) {
  if (picture.file) return picture.file;
  const url = new URL(picture.url, /** @type {*} */ (window).webui?.base ?? document.baseURI);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(t("This picture is not there any more."));
  const blob = await answer.blob();
  const ending = blob.type.split("/")[1] ?? "png";
  return new File([blob], `${String(picture.id ?? "picture").replace(/\W+/g, "_")}.${ending}`, { type: blob.type });
}

/** The first picture in what was dropped or pasted: a file, or a picture of this page. @returns {Promise<File|null>} */
export async function pictureIn(/** @type {DataTransfer|null} */ data) {
  const file = [...(data?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (file) return file;
  const address = data?.getData("text/uri-list") || data?.getData("text/plain");
  if (!address) return null;
  const url = new URL(address, document.baseURI);
  return url.origin === location.origin ? fileOf({ url: url.href }) : null;
}

/**
 * Let an element take pictures that are dropped on it or pasted into it.
 * @template T
 * @param {HTMLElement} node
 * @param {(file: File, when: T) => void} take
 * @param {(error: Error) => void} failed
 * @param {() => T} [begin] called at once, as a picture of the page is fetched first; `take` gets its answer
 */
export function takes(node, take, failed, begin = () => /** @type {*} */ (undefined)) {
  const given = (/** @type {DataTransfer|null} */ data) => {
    const when = begin();
    return pictureIn(data).then((file) => file && take(file, when), failed);
  };
  node.addEventListener("dragover", (event) => {
    event.preventDefault();
    node.classList.add("over");
  });
  node.addEventListener("dragleave", () => node.classList.remove("over"));
  node.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    node.classList.remove("over");
    given(event.dataTransfer);
  });
  node.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      given(event.clipboardData);
    }
  });
}

/** A button that opens files. */
export function opener(/** @type {string} */ label, /** @type {(files: File[]) => void} */ take, { several = false, className = "f-quiet", id = "" } = {}) {
  const input = el("input", { type: "file", accept: "image/*", multiple: several, hidden: true, id: id || undefined });
  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    input.value = "";
  });
  return el("span", { class: "f-open" }, input, el("button", { type: "button", class: className, onclick: () => input.click() }, label));
}

/**
 * A picture is begun to be brought into a field. What is returned is called when it is there, and tells the values that
 * it is for; null where one that was begun later has come before it.
 */
function bringing(/** @type {DrawnField} */ field, /** @type {Scope} */ scope) {
  const turn = ++begun;
  const held = scope.held();
  return () => {
    const values = held();
    const turns = there.get(values) ?? {};
    if (turns[field.name] > turn) return null;
    there.set(values, { ...turns, [field.name]: turn });
    return values;
  };
}

/**
 * A picture, and beside it its map where the field has a preview.
 * @param {DrawnField} field
 * @param {Scope} scope
 */
export function picture(field, scope) {
  const image = el("img", { alt: field.label, hidden: true });
  const empty = el("span", { class: "f-empty" }, icon("image"));
  const remove = iconButton("close", t("Remove this picture"), { onclick: () => give(null, bringing(field, scope)()), hidden: true });
  const frame = el("figure", { class: "f-picture", tabindex: "0", title: field.help, "aria-label": t("{name}: drop or paste a picture", { name: field.label }) }, image, empty, el("figcaption", {}, field.label), remove);
  const map = field.preview ? mapOf(field, scope) : null;

  const show = () => {
    const value = scope.get(field);
    image.hidden = remove.hidden = !value;
    empty.hidden = Boolean(value);
    if (value && image.getAttribute("src") !== value.url) image.src = value.url;
    map?.show();
    pose?.show();
  };
  const failed = (/** @type {Error} */ error) => scope.fail(field, error);
  const give = (/** @type {Uploaded|null} */ value, /** @type {Record<string, *>|null} */ values, /** @type {Record<string, *>} */ beside = {}) => {
    if (!values) return;
    if (values === scope.values) map?.forget();
    if (pose) delete values[POSE]; // another picture is no map of it
    // not in the name of the field: meanwhile it may have been drawn anew, as another unit was looked at
    scope.put({ [field.name]: value, ...beside }, frame, values);
    show();
  };
  const take = (/** @type {File} */ file, place = bringing(field, scope), /** @type {Record<string, *>} */ beside = {}) =>
    uploaded(scope.about.upload, file).then((value) => give(value, place(), beside), failed);
  const pose = field.pose ? poseButton(field, scope, (file, beside) => take(file, undefined, beside)) : null;
  const fromStage = async () => {
    const place = bringing(field, scope);
    try {
      const source = await sourceOnCanvas();
      const shown = source ?? pictureOnStage();
      if (!shown) throw new Error(t("There is no picture on the stage yet. Load one, or drop it here."));
      if (source?.path) give({ ...source, name: "canvas" }, place());
      else await take(await fileOf(shown), place);
    } catch (error) {
      failed(/** @type {Error} */ (error));
    }
  };
  takes(frame, take, failed, () => bringing(field, scope));
  image.addEventListener("error", () => {
    // the server forgets uploads after a day and when it is started again; another that is on its way still comes
    if (scope.get(field)?.url === image.getAttribute("src")) give(null, scope.values);
  });
  const stage = el("button", { type: "button", class: "f-quiet", onclick: fromStage }, t("From canvas"));
  const load = opener(t("Load"), ([file]) => file && take(file), { id: scope.id(field) });
  const pictures = el("div", { class: map ? "f-pictures two" : "f-pictures" }, frame, map?.node);
  const paint = field.colours?.length ? painter(field.colours, take, () => scope.get(field)?.url ?? "") : null;
  const node = el("div", { class: "f-field" }, pictures, el("div", { class: "f-acts" }, stage, load, paint?.button, map?.button, pose?.button), paint?.node);
  show();
  return { node, show };
}

/** The map that an action makes of the picture. */
function mapOf(/** @type {DrawnField} */ field, /** @type {Scope} */ scope) {
  const image = el("img", { alt: t("Map"), hidden: true });
  const empty = el("span", { class: "f-empty" }, t("no map"));
  const node = el("figure", { class: "f-picture map" }, image, empty, el("figcaption", {}, t("Map")), el("i", { class: "f-work" }));
  const button = el("button", { type: "button", class: "f-quiet" }, t("Preview map"));
  /** @type {AbortController|null} */
  let asked = null;

  const forget = () => {
    asked?.abort();
    image.hidden = true;
    empty.hidden = false;
    image.removeAttribute("src");
    canvas()?.setMap(mapName(scope), "");
  };
  const draw = async () => {
    asked?.abort();
    const mine = (asked = new AbortController());
    node.classList.add("busy"); // the old map stays until the new one is there
    button.disabled = true;
    try {
      const { images } = await scope.ask(field.preview, mine.signal);
      if (mine.signal.aborted || !images[0]) return;
      image.src = `data:image/png;base64,${images[0]}`;
      image.hidden = false;
      empty.hidden = true;
      canvas()?.setMap(mapName(scope), image.src);
    } catch (error) {
      if (!mine.signal.aborted) scope.fail(field, /** @type {Error} */ (error));
    } finally {
      if (asked === mine) {
        asked = null;
        node.classList.remove("busy");
        button.disabled = !scope.get(field);
      }
    }
  };
  button.addEventListener("click", draw);
  return { node, button, forget, show: () => { button.disabled = !scope.get(field) || asked !== null; } };
}

/** Several pictures, shown as a row. */
export function pictures(/** @type {DrawnField} */ field, /** @type {Scope} */ scope) {
  const row = el("div", { class: "f-thumbs" });
  const failed = (/** @type {Error} */ error) => scope.fail(field, error);
  const take = async (/** @type {File[]} */ files) => {
    const held = scope.held();
    try {
      const added = await Promise.all(files.map((file) => uploaded(scope.about.upload, file)));
      const values = held();
      scope.put({ [field.name]: [...(values[field.name] ?? []), ...added].slice(0, field.most || undefined) }, row, values);
      show();
    } catch (error) {
      failed(/** @type {Error} */ (error));
    }
  };
  const show = () => {
    const all = scope.get(field) ?? [];
    row.replaceChildren(...all.map((one, at) => el("figure", { class: "f-thumb" }, el("img", { src: one.url, alt: one.name }), iconButton("close", t("Remove {name}", { name: one.name }), {
      onclick: () => {
        scope.set(field, all.filter((_, other) => other !== at));
        show();
      },
    }))));
  };
  show();
  takes(row, (file) => take([file]), failed);
  const name = el("span", { class: "f-name", "data-help": field.help }, field.label);
  return { node: el("div", { class: "f-field" }, name, row, opener(t("Load"), take, { several: true, id: scope.id(field) })), show };
}
