// The dialog behind the folder button of the Library: its folders and the look through them, the trash, and all marks
// as a file.
import { el, icon, iconButton, openDialog, t } from "./kit.js";
import { addressOf, ask } from "./library_data.js";

/** How far a look through the folders is, in words. */
export function wordsOf(scan) {
  if (scan.running && scan.to_read) return t("Reading {read} of {all} new pictures", { read: scan.read.toLocaleString(), all: scan.to_read.toLocaleString() });
  if (scan.running) return t("Looking through the folders: {seen} pictures", { seen: scan.seen.toLocaleString() });
  return scan.stopped ? t("The look through the folders was stopped.") : "";
}

/**
 * Open the dialog.
 * @param {{folders: boolean, trash_days: number}} abilities
 * @param {{changed: () => void, scan: () => void}} does
 */
export function openMore(abilities, does) {
  const list = el("ul", { class: "folders" });
  const said = el("p", { role: "status", class: "library-hint" });
  const faults = el("ul", { class: "faults" });
  const fail = (error) => { said.textContent = error.message; };
  const draw = async () => {
    const [folders, scan] = await Promise.all([ask("GET", "folders"), ask("GET", "scan")]);
    list.replaceChildren(...folders.map((folder) => el("li", {},
      icon("folder"), el("span", { class: "path" }, folder.path),
      el("small", {}, folder.there ? t("{n} pictures", { n: folder.pictures.toLocaleString() }) : t("not there now")),
      abilities.folders && !folder.own ? iconButton("close", t("Take {name} out of the Library", { name: folder.path }), { onclick: () => ask("DELETE", `folders/${folder.id}`).then(draw).then(does.changed).catch(fail) }) : el("span"))));
    said.textContent = wordsOf(scan);
    faults.replaceChildren(...scan.faults.slice(0, 20).map((one) => el("li", {}, one)));
  };
  const path = el("input", { type: "text", "aria-label": t("Path of a folder"), placeholder: t("Path of a folder on this machine"), spellcheck: "false" });
  const add = async () => {
    const typed = path.value;
    path.value = ""; // the next one may be typed before the answer
    try {
      await ask("POST", "folders", { path: typed }).catch((error) => {
        path.value ||= typed;
        throw error;
      });
      does.scan();
      await draw();
    } catch (error) {
      fail(error);
    }
  };
  path.addEventListener("keydown", (event) => { if (event.key === "Enter") add(); });
  const file = el("input", { type: "file", accept: ".json,application/json", hidden: true });
  file.addEventListener("change", async () => {
    try {
      const { changed, missing } = await ask("POST", "marks", JSON.parse(await file.files[0].text()));
      said.textContent = t("{n} pictures got their marks; {m} are not in the Library.", { n: changed, m: missing });
      does.changed();
    } catch (error) {
      fail(error);
    }
    file.value = "";
  });
  const days = el("input", { type: "number", min: "0", max: "3650", value: String(abilities.trash_days), "aria-label": t("Days that the trash keeps pictures; 0: for ever") });
  days.disabled = !abilities.folders;
  days.addEventListener("change", () => {
    abilities.trash_days = Number(days.value);
    ask("PUT", "trash/days", { days: abilities.trash_days }).catch(fail);
  });
  const button = (name, label, act) => el("button", { type: "button", class: "small", onclick: act }, icon(name), label);
  const dialog = openDialog({ title: t("The Library's folders"), className: "library-more" },
    list,
    abilities.folders ? el("div", { class: "row" }, path, el("button", { type: "button", class: "small", onclick: add }, icon("plus"), t("Add folder"))) : el("p", { class: "library-hint" }, t("Folders are added at the machine that the program runs on.")),
    el("div", { class: "row" }, button("reload", t("Look for changes"), () => ask("POST", "scan", {}).then(does.scan).then(draw).catch(fail)), button("stop", t("Stop"), () => ask("POST", "scan/stop", {}).then(draw).catch(fail))),
    said, faults,
    el("h3", {}, t("Trash")),
    el("div", { class: "row" }, el("label", {}, t("Days that the trash keeps pictures; 0: for ever"), " ", days)),
    el("h3", {}, t("Stars, tags and notes")),
    el("div", { class: "row" }, el("a", { class: "small", href: addressOf("internal/page/library/marks"), download: "library-marks.json" }, icon("download"), t("Save as a file")), button("up", t("Take over from a file"), () => file.click()), file),
  );
  draw().catch(fail);
  return dialog;
}
