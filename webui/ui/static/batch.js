// The section Batch of img2img and Inpaint: many pictures with the settings of the form. Its value is read at submit.

import { say } from "./bus.js";
import { el, t, toggle } from "./kit.js";
import { namesOfResults, pictureSource, wordsOf } from "./batch_pictures.js";

/** @param {{element: HTMLElement, props: *, upload: *}} context */
export function mount({ element, props, upload }) {
  const ids = "img2img_batch";
  const failed = (/** @type {string} */ text) => say("notice", { kind: "error", text });
  const changed = () => publish();
  const about = { upload, changed, failed };
  const pictures = pictureSource({ ...about, id: `${ids}_pictures`, label: t("Pictures"), place: t("or a folder on the server") });
  const masks = pictureSource({ ...about, id: `${ids}_masks`, label: t("Masks: one for all, or one of each name"), place: t("or a folder on the server") });
  const infos = pictureSource({ ...about, id: `${ids}_infos`, label: t("Parameters of pictures of the same names"), place: t("empty: of the pictures themselves") });
  const size = toggle(t("Each keeps its size"), false, changed);
  const taken = new Map(props.fields.map((/** @type {[string, string]} */ [name, label]) => [name, toggle(t(label), false, changed)]));
  for (const one of [size, ...taken.values()]) one.classList.add("f-switch");
  const take = el("details", { class: "b-take" }, el("summary", {}, t("Take parameters from PNG info")), infos.node, el("div", { class: "b-fields" }, ...taken.values()));
  const names = namesOfResults({ id: ids, changed });

  const publish = () => {
    const [source, mask, info] = [pictures.value(), masks.value(), infos.value()];
    const fields = [...taken].filter(([, one]) => one.checked).map(([name]) => name);
    props.value = {
      pictures: source.files, masks: mask.files, infos: info.files,
      folder: source.folder, mask_folder: mask.folder, info_folder: fields.length ? info.folder : "",
      take: fields, own_size: size.checked, ...names.value(), words: wordsOf(source),
    }; // prettier-ignore
  };
  element.classList.add("declared", "b-form");
  element.replaceChildren(pictures.node, masks.node, size, names.node, take);
  publish();
}
