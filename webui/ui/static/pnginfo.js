// PNG Info: a picture is dropped, chosen, pasted or sent here, and tells all that is written in it.
import { say } from "./bus.js";
import { el, icon, t } from "./kit.js";
import { comparison } from "./library_compare.js";
import { addressOf, ask } from "./library_data.js";
import { firstPictureOf } from "./making_again.js";
import { ask as command } from "./page_requests.js";
import { pictureField } from "./picture_field.js";
import { copyButton, parameterTable, sendButtons } from "./library_parameters.js";
import { whenSent } from "./sent_pictures.js";

/** @param {{element: HTMLElement, shared: import("./learn_shared.js").Shared}} places */
export function mount({ element, shared }) {
  const told = el("div", { class: "pnginfo-told" });
  const field = pictureField(t("Picture"), (file, url) => read(file, url), { id: "pnginfo_image" });
  const again = el("div", { class: "pnginfo-again", hidden: true });
  element.append(field, told);
  element.after(again);
  let why = [];
  let last = 0; // number of the picture that was taken or sent here last
  let taken = 0; // and of the one in the field: what is answered for an earlier one comes too late
  const view = { draw: () => shared.explain(...why) };
  hint(t("Drop a picture here, whichever program made it: its parameters are read, nothing of it is kept."));

  function hint(text, role) {
    told.replaceChildren(el("p", { class: "library-hint", role }, text));
  }

  function explain(...parts) {
    why = parts;
    if (again.getClientRects().length) view.draw();
  }

  async function read(file, url) {
    const mine = (taken = last += 1);
    hint(t("Reading …"), "status");
    again.hidden = true;
    explain();
    try {
      const found = await ask("POST", "read", file);
      if (mine !== taken) return;
      if (found.fault) hint(found.fault, "alert");
      else show(found, file, url);
    } catch (error) {
      if (mine === taken) hint(error.message, "alert");
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
    const repeat = el("button", { type: "button", class: "small", id: "pnginfo_again", onclick: () => makeAgain(named, url, found.told, repeat) }, icon("repeat"), t("Make it again"));
    repeat.disabled = !found.told.text;
    told.replaceChildren(
      el("p", { class: "facts", role: "status" }, facts),
      repeat,
      ...found.told.notices.map((one) => el("p", { class: "library-hint" }, icon("info"), one)),
      sendButtons(() => picture, found.told, table, () => {}),
      found.told.text ? el("div", {}, text, copyButton(found.told.text)) : el("p", { class: "library-hint" }, t("There are no generation parameters in this picture.")),
      found.told.parameters.length ? table : "",
      texts.length ? el("section", { class: "texts" }, el("h3", {}, t("All texts in the file")), ...texts) : "",
    );
  }

  async function makeAgain(file, url, read, button) {
    const mine = taken;
    const status = el("p", { class: "library-hint", role: "status" }, t("Waiting for its turn …"));
    again.hidden = false;
    again.replaceChildren(status);
    button.disabled = true;
    try {
      const sent = new FormData();
      sent.append("picture", file);
      const { picture, begun } = await firstPictureOf(() => command("learn/again", { method: "POST", body: sent }));
      if (mine !== taken) return;
      const made = await (await fetch(addressOf(picture.url))).blob();
      const other = await ask("POST", "read", made);
      if (mine !== taken) return;
      const first = { url, name: t("From the file"), told: read, isLossy: /jpe?g|webp/.test(file.type) };
      const second = { url: picture.url, name: t("Made again"), told: other.told, notices: begun.notices };
      again.replaceChildren(comparison(first, second, "", { way: "all", gain: 64, found: (parts) => { if (mine === taken) explain(...parts, hintBelow()); } }));
      again.scrollIntoView({ block: "nearest" });
    } catch (error) {
      status.textContent = error.message;
      status.setAttribute("role", "alert");
    } finally {
      button.disabled = false;
    }
  }

  whenSent("pnginfo", async (pictures) => {
    say("learn:show", { view: "png_info" });
    const picture = pictures.at(-1);
    const mine = (last += 1);
    if (picture.file) field.take(picture.file);
    else {
      const answer = await fetch(addressOf(picture.url));
      const file = answer.ok ? await answer.blob() : null;
      if (mine !== last) return;
      if (file) field.take(file, picture.name ?? "");
      else hint(t("This picture is not there any more."), "alert");
    }
  });
  return view;
}

const hintBelow = () => el("p", { class: "learn-hint" }, t("Causes come from what the two files tell and from what the difference looks like. What cannot be told apart is said."));
