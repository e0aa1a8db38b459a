// The dialog in which a style is saved, changed, renamed or deleted. A name that is taken, or a style that somebody else
// changed meanwhile, is told beside the button, and nothing is lost.

import { say } from "./bus.js";
import { el, openDialog, t } from "./kit.js";
import { ask, send } from "./page_requests.js";
import { asForm, pictureInView } from "./picture_in_view.js";
import { prompts } from "./prompt_boxes.js";

const MOST = 32_000; // characters of a text

/**
 * @param {import("./styles.js").Style|null} style  null: a new one, of what stands in the prompts
 * @param {string[]} files  the first is where new styles go
 * @param {{saved: (list: object, before: string|null, after: string|null) => void}} heard  `after` is null where it was deleted
 */
export function editStyle(style, files, { saved }) {
  const typed = prompts();
  const name = el("input", { type: "text", maxlength: "200", required: true, id: "txt2img_style_name" });
  const prompt = area("txt2img_style_prompt");
  const negative = area("txt2img_style_neg_prompt");
  name.value = style?.name ?? "";
  prompt.value = style ? style.prompt : typed.prompt;
  negative.value = style ? style.negative : typed.negative;
  const file = el("select", { id: "txt2img_style_file", disabled: Boolean(style) }, ...files.map((one) => el("option", { value: one, selected: one === style?.file }, one)));
  const status = el("p", { class: "card-status", id: "txt2img_style_status", role: "status" });
  const save = el("button", { type: "submit", class: "primary", id: "txt2img_style_save" }, t("Save"));
  const copy = el("button", { type: "button", class: "quiet", id: "txt2img_style_copy", onclick: () => {
    prompt.value = typed.prompt;
    negative.value = typed.negative;
  } }, t("Copy the prompts"));
  const remove = style && el("button", { type: "button", class: "quiet danger", id: "txt2img_style_delete" }, t("Delete"));
  const shown = pictureInView();
  const picture = style && el("button", { type: "button", class: "quiet", disabled: !shown }, t("Use the current picture as preview"));
  const form = el("form", { class: "style-form", id: "txt2img_styles_editor" },
    field(t("Name"), name),
    field(t("Prompt"), prompt, t("{prompt} stands for what is typed; without it the two are joined by a comma.")),
    field(t("Negative prompt"), negative, ""),
    files.length > 1 && field(t("File"), file, ""),
    el("div", { class: "form-buttons" }, save, copy, picture, remove), status);
  const dialog = openDialog({ title: style ? t("Edit the style {name}", { name: style.name }) : t("Save a style"), className: "style-dialog" }, form);

  const refused = ({ message }) => {
    if (dialog.open) {
      status.textContent = message;
      status.classList.add("fault");
    } else say("notice", { kind: "error", text: message });
  };
  // What would be typed while it is sent would be gone with the dialog. The dialog can be closed by then.
  const doing = async (work, after) => {
    if (form.inert) return;
    const pressed = document.activeElement;
    form.inert = save.disabled = true;
    try {
      saved(await work(), style?.name ?? null, after);
      dialog.close();
    } catch (error) {
      form.inert = save.disabled = false;
      if (!dialog.contains(document.activeElement)) pressed.focus();
      refused(error);
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = { name: name.value.trim(), prompt: prompt.value, negative: negative.value };
    const before = style && { name: style.name, prompt: style.prompt, negative: style.negative };
    doing(() => send("styles", { style: wanted, file: style?.file ?? file.value, before }), wanted.name);
  });
  picture?.addEventListener("click", () => {
    const named = new URLSearchParams({ name: style.name, file: style.file });
    doing(async () => ask(`styles/picture?${named}`, { method: "POST", body: await asForm(shown) }), style.name);
  });
  remove?.addEventListener("click", () => {
    if (remove.dataset.sure) {
      doing(() => send("styles/delete", { name: style.name, file: style.file }), null);
      return;
    }
    remove.dataset.sure = "yes";
    remove.textContent = t("Delete it? Press again");
  });
}

function area(id) {
  return el("textarea", { rows: "3", maxlength: String(MOST), id });
}

function field(label, control, about = "") {
  return el("label", {}, el("span", {}, label), control, about && el("small", { class: "hint" }, about));
}
