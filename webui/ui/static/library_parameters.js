// Generation parameters as a table with ticks, and the buttons that send a picture, with the chosen ones, elsewhere.
import { say } from "./bus.js";
import { el, icon, t } from "./kit.js";

const LONG = new Set(["Prompt", "Negative prompt"]);
const PLACES = [["img2img", "img2img"], ["inpaint", "Inpaint"], ["upscale", "Upscale"], ["controlnet", "ControlNet"]];

/**
 * A table of what a picture tells. Rows that a field of the form stands for have a tick.
 * @param {import("./library_data.js").Told} told
 * @returns {HTMLElement} with `only()`: the paths of the ticked fields, undefined where all are ticked
 */
export function parameterTable(told) {
  const boxes = [];
  const rows = ordered(told.parameters).map(({ key, value, fields }) => {
    const box = fields.length ? el("input", { type: "checkbox", "aria-label": t("Use {name}", { name: key }) }) : null;
    if (box) {
      box.checked = true;
      boxes.push([box, fields]);
    }
    return el("tr", { class: LONG.has(key) ? "long" : "" }, el("td", { class: "tick" }, box), el("th", { scope: "row" }, key), el("td", {}, value));
  });
  const table = el("table", { class: "parameters" }, el("tbody", {}, ...rows));
  const all = el("button", { type: "button", class: "link" }, t("None"));
  all.addEventListener("click", () => {
    const isOn = boxes.every(([box]) => !box.checked);
    for (const [box] of boxes) box.checked = isOn;
    all.textContent = isOn ? t("None") : t("All");
  });
  const made = el("div", { class: "parameter-table" }, el("div", { class: "parameter-head" }, el("h3", {}, t("Parameters")), el("small", {}, told.program), boxes.length > 1 && all), table);
  made.only = () => (boxes.every(([box]) => box.checked) ? undefined : boxes.filter(([box]) => box.checked).flatMap(([, fields]) => fields));
  return made;
}

/** What is read first comes first, and the two sides of a size are one line. */
function ordered(parameters) {
  const joined = [];
  for (const one of parameters) {
    const [, name, side] = /^(.*)-([12])$/.exec(one.key) ?? [];
    const before = joined.at(-1);
    if (side === "1") joined.push({ ...one, key: name });
    else if (side === "2" && before?.key === name) Object.assign(before, { value: `${before.value} × ${one.value}`, fields: [...before.fields, ...one.fields] });
    else joined.push(one);
  }
  return [...joined.filter((one) => LONG.has(one.key)), ...joined.filter((one) => !LONG.has(one.key))];
}

/**
 * The buttons that send a picture.
 * @param {() => import("./bus.js").Picture} picture
 * @param {import("./library_data.js").Told} told
 * @param {{only: () => string[]|undefined}} table whose ticks say which parameters go with it
 * @param {() => void} sent
 */
export function sendButtons(picture, told, table, sent) {
  const use = el("button", {
    type: "button", class: "primary", onclick: () => {
      say("form:fill", { text: told.text, only: table.only() });
      say("tab:open", { tab: "txt2img" });
      sent();
    },
  }, t("Use its parameters"));
  use.disabled = !told.text;
  const others = PLACES.map(([to, label]) => el("button", {
    type: "button", class: "small", onclick: () => {
      if (told.text && (to === "img2img" || to === "inpaint")) say("form:fill", { text: told.text, only: table.only() });
      say("picture:send", { picture: picture(), to });
      sent();
    },
  }, t(label)));
  const describe = el("button", { type: "button", class: "small", onclick: () => say("picture:describe", { address: window.webui.base + picture().url }) }, t("Describe it in words"));
  return el("div", { class: "send" }, use, describe, el("div", { class: "send-to", role: "group", "aria-label": t("Send to") }, el("span", { class: "send-label" }, t("Send to")), ...others));
}

/** A button that copies a text. */
export function copyButton(text) {
  const button = el("button", { type: "button", class: "small" }, icon("copy"), t("Copy text"));
  button.disabled = !text;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("notice", { kind: "notice", text: t("Copied.") });
    } catch {
      say("notice", { kind: "error", text: t("The browser does not allow copying here.") });
    }
  });
  return button;
}

/**
 * The parameters in which two pictures differ.
 * @param {import("./library_data.js").Told} first
 * @param {import("./library_data.js").Told} second
 * @returns {{key: string, first: string, second: string}[]}
 */
export function differences(first, second) {
  const [a, b] = [first, second].map((told) => new Map(told.parameters.map((one) => [one.key, one.value])));
  const keys = new Set([...a.keys(), ...b.keys()]);
  return [...keys].filter((key) => a.get(key) !== b.get(key)).map((key) => ({ key, first: a.get(key) ?? "", second: b.get(key) ?? "" }));
}
