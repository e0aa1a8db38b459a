// PNG Info: a picture is dropped, chosen, pasted or sent here, and tells all that is written in it.
import { say } from "./bus.js";
import { el, icon, t } from "./kit.js";
import { addressOf, ask } from "./library_data.js";
import { pictureField } from "./picture_field.js";
import { copyButton, parameterTable, sendButtons } from "./library_parameters.js";
import { whenSent } from "./sent_pictures.js";

export function mount({ element }) {
  const told = el("div", { class: "pnginfo-told" });
  const field = pictureField(t("Picture"), (file, url) => read(file, url), { id: "pnginfo_image" });
  element.append(field, told);
  hint(t("Drop a picture here, whichever program made it: its parameters are read, nothing of it is kept."));

  function hint(text, role) {
    told.replaceChildren(el("p", { class: "library-hint", role }, text));
  }

  async function read(file, url) {
    hint(t("Reading …"), "status");
    try {
      const found = await ask("POST", "read", file);
      if (found.fault) hint(found.fault, "alert");
      else show(found, file, url);
    } catch (error) {
      hint(error.message, "alert");
    }
  }

  function show(found, file, url) {
    const table = parameterTable(found.told);
    const named = file instanceof File ? file : new File([file], "picture.png", { type: file.type });
    const picture = { id: "", job: "", index: 0, url, thumb: url, width: found.width, height: found.height, seed: "", text: found.told.text, kind: "other", created: Date.now() / 1000, grid: false, name: named.name, file: named };
    const facts = `${found.width} × ${found.height}`;
    const text = el("textarea", { readonly: true, rows: "6", "aria-label": t("Generation parameters"), id: "pnginfo_text" });
    text.value = found.told.text;
    const texts = found.texts.map((one) => el("details", {}, el("summary", {}, one.key), el("pre", {}, one.value)));
    told.replaceChildren(
      el("p", { class: "facts", role: "status" }, facts),
      ...found.told.notices.map((one) => el("p", { class: "library-hint" }, icon("info"), one)),
      sendButtons(() => picture, found.told, table, () => {}),
      found.told.text ? el("div", {}, text, copyButton(found.told.text)) : el("p", { class: "library-hint" }, t("There are no generation parameters in this picture.")),
      found.told.parameters.length ? table : "",
      texts.length ? el("section", { class: "texts" }, el("h3", {}, t("All texts in the file")), ...texts) : "",
    );
  }

  whenSent("pnginfo", async (pictures) => {
    say("learn:show", { view: "png_info" });
    const picture = pictures.at(-1);
    if (picture.file) field.take(picture.file);
    else {
      const answer = await fetch(addressOf(picture.url));
      if (answer.ok) field.take(await answer.blob(), picture.name ?? "");
      else hint(t("This picture is not there any more."), "alert");
    }
  });
}
