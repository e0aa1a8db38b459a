// What the next job will need of memory, below the sizes of the form: asked once typing pauses, and only where a field
// changed that matters for it.

import { hear } from "./bus.js";
import { el } from "./kit.js";
import { outlookDetails, outlookWords, residentWords } from "./memory_words.js";
import { send } from "./page_requests.js";

const SETTLED = 400; // milliseconds without a change of the form until the server is asked
const FIELDS = ["width", "height", "batch_size", "cfg_scale", "vae"];
const HIRES = "task.hires.";
const SIZES = ["enabled", "scale", "resize_width", "resize_height"].map((name) => HIRES + name);
const SECTION = /^#\w+?_extension_(\w+)_options$/; // under which the form keeps the options of an extension

export function mount({ element }) {
  const words = el("small", { id: "memory_outlook_words", class: "memory-outlook", role: "status" });
  const now = el("small", { id: "memory_resident_words", class: "memory-outlook", hidden: true });
  element.append(words, now);
  let timer = 0, shown = "", asked = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(draw, SETTLED);
  };
  const draw = async () => {
    const body = bodyOfForm();
    const wanted = JSON.stringify(body);
    if (wanted === shown || body.fields.width === undefined) return;
    shown = wanted;
    const mine = ++asked;
    let outlook = null, failed = "";
    try {
      outlook = await send("memory", body);
    } catch (error) {
      failed = error.message;
      shown = "";
    }
    if (mine !== asked) return;
    words.textContent = outlook ? outlookWords(outlook) : failed;
    words.title = outlook ? outlookDetails(outlook) : failed;
    now.textContent = now.title = outlook ? residentWords(outlook) : "";
    now.hidden = !now.textContent;
    words.classList.toggle("is-short", outlook?.fits === false);
  };
  hear("form:changed", soon);
  hear("checkpoint:changed", soon);
  hear("jobs:changed", () => {
    shown = ""; // what is in memory has changed
    soon();
  });
  window.webui.ready.then(soon);
}

/** What the form says of sizes, and of the units of extensions; nothing of prompts, nor pictures. */
export function bodyOfForm() {
  const form = window.webui.form;
  const values = form?.values() ?? {};
  const names = form?.mode === "txt2img" && values[`${HIRES}enabled`] ? [...FIELDS, ...SIZES] : FIELDS;
  const given = names.map((name) => [name, values[name]]).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const fields = Object.fromEntries(given);
  if (form?.checkpoint) fields.checkpoint = form.checkpoint;
  const extensions = {};
  for (const [name, value] of Object.entries(values)) {
    const extension = SECTION.exec(name)?.[1];
    if (extension && values[name.replace(/_options$/, "_enable")] === true) extensions[extension] = bare(value);
  }
  return { fields, extensions };
}

// Switches and short texts of options: names of files are among them, pictures are not.
function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value === "boolean" || (typeof value === "string" && value.length < 300)) return value;
  if (value === null || typeof value !== "object") return null;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, bare(inner)]));
}
