// What is known of one model file, in a dialog: its trigger words to put into the prompt, the user's notes, its metadata,
// and the picture that its card shows.

import { blankPicture } from "./blank_picture.js";
import { say } from "./bus.js";
import { inside } from "./card_inside.js";
import { libraryPictures } from "./card_pictures.js";
import { settingsOfCheckpoint } from "./card_settings.js";
import { bytesInWords } from "./file_size.js";
import { el, openDialog, t } from "./kit.js";
import { ask, send } from "./page_requests.js";
import { asForm, pictureInView } from "./picture_in_view.js";
import { prompts, setPrompt } from "./prompt_boxes.js";
import { withWords } from "./prompt_text.js";

const SOURCES = Object.freeze({ notes: "from your notes", file: "from the file", training: "guessed from its training" });

/** @param {import("./drawer.js").Card} card, @param {{changed: () => void}} about */
export async function showCard(card, { changed }) {
  const body = el("div", { class: "card-info" }, el("p", { role: "status" }, t("Reading the file …")));
  const dialog = openDialog({ title: card.name, className: "card-dialog" }, body);
  try {
    fill(body, await ask(addressOf(card)), { changed, close: () => dialog.close() });
  } catch (error) {
    body.replaceChildren(el("p", { class: "fault", role: "alert" }, error.message));
  }
}

const addressOf = (card) => `networks/${card.kind}/${card.id}`;

function fill(body, details, about) {
  let picture = pictureOf(details);
  const status = el("p", { class: "card-status", role: "status" });
  const { form, isChanged } = notes(details, status, about);
  const taken = (now) => {
    if (!isChanged()) return about.close();
    const before = picture;
    picture = pictureOf(now);
    before.replaceWith(picture);
  };
  body.replaceChildren(
    el("div", { class: "card-side" }, picture, facts(details), ...previewButtons(details, status, { ...about, taken })),
    el("div", { class: "card-main" },
      ...words(details), told(details), details.kind === "checkpoint" && settingsOfCheckpoint(details), form, status, inside(addressOf(details)), metadata(details)),
  );
}

function pictureOf(details) {
  if (!details.thumb) return blankPicture(details.name, details.base ?? "", "card-picture card-blank");
  return el("img", { class: "card-picture", src: window.webui.base + details.thumb, alt: t("Preview of {name}", { name: details.name }) });
}

function facts(details) {
  const rows = [
    [t("Title"), details.title], [t("File"), details.file], [t("Made for"), details.base || t("not known")], [t("Size"), bytesInWords(details.bytes)],
    [t("Changed"), details.modified ? new Date(details.modified * 1000).toLocaleDateString() : ""],
  ];
  return el("dl", { class: "facts", translate: "no" }, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function words(details) {
  if (details.words.length === 0) return [];
  const chips = details.words.map((word) => el("button", {
    type: "button", class: "word", title: t(SOURCES[word.source] ?? ""), "data-source": word.source,
    onclick: () => setPrompt("prompt", withWords(prompts().prompt, [word.text])),
  }, word.text));
  return [el("h3", {}, t("Trigger words")), el("p", { class: "hint" }, t("A click puts them into the prompt. Those in italics are guesses.")), el("div", { class: "words" }, ...chips)];
}

/** What the files beside it tell: tags, a description, hints for its use. */
function told(details) {
  const description = details.description !== details.notes.description && details.description;
  if (!details.tags.length && !description && !details.hints) return null;
  return el("div", { class: "card-told", translate: "no" },
    details.tags.length > 0 && el("p", { class: "hint" }, details.tags.join(" · ")), description && el("p", {}, description), details.hints && el("p", {}, details.hints));
}

function notes(details, status, about) {
  const noted = details.notes;
  const isNetwork = details.kind === "lora";
  const fields = {
    description: area(t("Description"), noted.description),
    ...(isNetwork && { activation: area(t("Trigger words that come into the prompt with it"), noted.activation) }),
    ...(isNetwork && { negative: area(t("Text for the negative prompt"), noted.negative) }),
    notes: area(t("Notes"), noted.notes, 3),
  };
  const base = el("input", { type: "text", list: "card-bases", maxlength: "40" });
  base.value = noted.base;
  const weight = el("input", { type: "number", min: "0", max: "2", step: "0.05" });
  weight.value = String(noted.weight);
  const pair = el("div", { class: "card-pair" },
    el("label", {}, el("span", {}, t("Made for")), base, el("datalist", { id: "card-bases" }, ...["SD1", "SD2", "SDXL", "Unknown"].map((value) => el("option", { value })))),
    isNetwork && el("label", {}, el("span", {}, t("Preferred weight (0: the usual one)")), weight));
  const save = el("button", { type: "submit", class: "primary" }, t("Save notes"));
  const form = el("form", { class: "card-notes" }, el("h3", {}, t("Your notes")), ...Object.values(fields), pair, save);
  if (!details.writable) {
    for (const control of form.querySelectorAll("input, textarea, button")) control.disabled = true;
    form.append(el("p", { class: "hint" }, t("The file lies in a folder that is only read, so nothing can be noted beside it.")));
  }
  const value = (name) => fields[name]?.querySelector("textarea").value ?? noted[name];
  const wanted = () => ({
    description: value("description"), notes: value("notes"), activation: value("activation"), negative: value("negative"),
    weight: Number(weight.value) || 0, base: base.value.trim(),
  });
  let saved = JSON.stringify(wanted());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const sent = wanted();
    await doing(status, save, t("Saved."), async () => {
      await send(`${addressOf(details)}/notes`, sent, "PUT");
      saved = JSON.stringify(sent);
      about.changed();
    });
  });
  return { form, isChanged: () => JSON.stringify(wanted()) !== saved };
}

function area(label, value, lines = 2) {
  const box = el("textarea", { rows: String(lines), maxlength: "32000" });
  box.value = value;
  return el("label", {}, el("span", {}, label), box);
}

function previewButtons(details, status, about) {
  const shown = pictureInView();
  const take = (picture) => doing(status, button, t("This is its preview now."), async () => {
    const now = await ask(`${addressOf(details)}/preview`, { method: "POST", body: await asForm(picture) });
    about.changed();
    about.taken(now);
  });
  const button = el("button", { type: "button", class: "quiet", disabled: !shown || !details.writable, onclick: () => take(shown) }, t("Use the current picture as preview"));
  return [button, details.writable && details.kind !== "vae" && libraryPictures(details, take)].filter(Boolean);
}

function metadata(details) {
  if (details.problem) return el("p", { class: "hint" }, details.problem);
  if (details.metadata.length === 0) return el("p", { class: "hint" }, t("The file says nothing of itself."));
  const rows = details.metadata.map(({ key, value, cut }) => el("tr", {}, el("th", { scope: "row" }, key), el("td", {}, cut ? `${value} …` : value)));
  const left = details.left_out > 0 && el("p", { class: "hint" }, t("{n} more entries are not shown.", { n: details.left_out }));
  return el("details", {}, el("summary", {}, t("What the file says of itself")), el("table", { class: "metadata" }, el("tbody", {}, ...rows)), left);
}

async function doing(status, button, done, work) {
  button.disabled = true;
  try {
    await work();
    status.textContent = done;
    status.classList.remove("fault");
  } catch (error) {
    status.textContent = error.message;
    status.classList.add("fault");
    say("notice", { kind: "error", text: error.message });
  }
  button.disabled = false;
}
