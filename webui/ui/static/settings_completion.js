// How this browser completes prompts: from which list of tags, and how a chosen tag is written.
import { usedList } from "./completion_data.js";
import { chosen, wish } from "./completion_wishes.js";
import { el, pickList, t, toggle } from "./kit.js";
import { ask } from "./page_requests.js";
import { browserRow } from "./settings_look.js";

/** @returns {import("./settings.js").Row[]} */
export function completionRows() {
  const now = chosen();
  const writing = el("div", {},
    toggle(t("Blanks instead of underscores"), now.spaces, (spaces) => wish({ spaces })),
    toggle(t("A backslash before brackets"), now.escape, (escape) => wish({ escape })),
    toggle(t("A comma behind it"), now.comma, (comma) => wish({ comma })),
  );
  return [
    browserRow("Suggestions in prompts", "Tags, a network after <, a wildcard after __, a style after $, while you type.", toggle(t("Suggestions in prompts"), now.on, (on) => wish({ on })), "completion"),
    browserRow("List of tags", "A csv file in the folder tags of the data folder, or of A1111's extension tagcomplete where its program is linked.", listOf(now.list), "completion_list"),
    browserRow("How a tag is written", "When one of the suggestions is chosen.", writing, "completion_writing"),
  ];
}

function listOf(name) {
  const said = el("p", { class: "setting-note", role: "status" });
  const pick = pickList(t("List of tags"), [{ value: "", label: t("None is there") }], "", (list) => wish({ list }));
  ask("tags").then(({ lists }) => {
    const used = usedList(lists, name);
    if (lists.length) pick.choices = lists.filter((one) => !one.problem).map((one) => ({ value: one.name, label: one.name }));
    pick.value = used?.name ?? "";
    said.textContent = lists.map((one) => one.problem).filter(Boolean).join(" ");
  }, (error) => { said.textContent = error.message; });
  return el("div", {}, pick, said);
}
