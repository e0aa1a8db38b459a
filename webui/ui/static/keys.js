// The keys of the page, in one table. Components say what an action does: `action("interrupt", stop)`.
import { el, openDialog } from "./kit.js";
import { t } from "./language.js";

/**
 * Where a key acts: `anywhere`, also while somebody types; `page`, while nobody types; `stage`, while nobody types and
 * the picture is in view; `listed`, elsewhere, and the row is only shown in the list.
 * @typedef {{keys: string[], shown: string, where: "anywhere"|"page"|"stage"|"listed", name: string, title: string}} Row
 * @type {readonly Row[]}
 */
export const KEYS = Object.freeze([
  { keys: ["Ctrl+Enter"], shown: "Ctrl Enter", where: "anywhere", name: "generate", title: "Generate; again: put another into the queue" },
  { keys: ["Escape"], shown: "Esc", where: "anywhere", name: "escape", title: "Close what is open, else interrupt" },
  { keys: ["Alt+Enter"], shown: "Alt Enter", where: "anywhere", name: "skip", title: "Skip this picture" },
  { keys: ["/"], shown: "/", where: "page", name: "prompt", title: "Go to the prompt" },
  { keys: ["n"], shown: "N", where: "page", name: "negative", title: "Negative prompt" },
  { keys: [], shown: "Ctrl ↑ ↓", where: "listed", name: "weight", title: "Weight of the marked words" },
  { keys: [], shown: "Alt ← →", where: "listed", name: "order", title: "Move the marked part of the prompt" },
  { keys: [], shown: "Ctrl Shift ↑ ↓", where: "listed", name: "sent", title: "Older and newer prompt that was sent" },
  { keys: ["ArrowLeft"], shown: "←", where: "stage", name: "newer", title: "Newer picture" },
  { keys: ["ArrowRight"], shown: "→", where: "stage", name: "older", title: "Older picture" },
  { keys: ["+", "="], shown: "+", where: "stage", name: "in", title: "Zoom in" },
  { keys: ["-"], shown: "−", where: "stage", name: "out", title: "Zoom out" },
  { keys: ["0"], shown: "0", where: "stage", name: "fit", title: "Fit the picture" },
  { keys: ["1"], shown: "1", where: "stage", name: "one", title: "Show every pixel (100 %)" },
  { keys: ["c"], shown: "C", where: "stage", name: "compare", title: "Compare with the picture before" },
  { keys: ["p"], shown: "P", where: "stage", name: "parameters", title: "Generation parameters" },
  { keys: ["f"], shown: "F", where: "stage", name: "full", title: "Full screen" },
  { keys: ["g"], shown: "G", where: "stage", name: "batch", title: "All pictures of the job" },
  { keys: ["q"], shown: "Q", where: "page", name: "queue", title: "The queue" },
  { keys: ["b"], shown: "B", where: "stage", name: "brush", title: "Brush" },
  { keys: ["e"], shown: "E", where: "stage", name: "eraser", title: "Eraser" },
  { keys: ["["], shown: "[", where: "stage", name: "smaller", title: "Smaller brush" },
  { keys: ["]"], shown: "]", where: "stage", name: "larger", title: "Larger brush" },
  { keys: ["r"], shown: "R", where: "stage", name: "rectangle", title: "Rectangle" },
  { keys: ["l"], shown: "L", where: "stage", name: "lasso", title: "Lasso" },
  { keys: ["k"], shown: "K", where: "stage", name: "picker", title: "Take a colour from the picture" },
  { keys: ["i"], shown: "I", where: "stage", name: "invert", title: "Invert the mask" },
  { keys: ["o"], shown: "O", where: "stage", name: "outpaint", title: "Outpaint: grow the picture" },
  { keys: ["x"], shown: "X", where: "stage", name: "flip", title: "Compare with the result" },
  { keys: ["Ctrl+z"], shown: "Ctrl Z", where: "stage", name: "undo", title: "Undo" },
  { keys: ["Ctrl+Shift+z", "Ctrl+y"], shown: "Ctrl Shift Z", where: "stage", name: "redo", title: "Redo" },
  { keys: ["Ctrl+Alt+z"], shown: "Ctrl Alt Z", where: "anywhere", name: "undo_form", title: "Undo a change of the form" },
  { keys: ["Ctrl+Alt+Shift+z"], shown: "Ctrl Alt Shift Z", where: "anywhere", name: "redo_form", title: "Redo a change of the form" },
  { keys: [], shown: "Alt Click", where: "listed", name: "axis", title: "On the name of a control: vary it in an experiment" },
  { keys: [], shown: "Space", where: "listed", name: "pan", title: "Hold and drag: move the picture" },
  { keys: ["?"], shown: "?", where: "page", name: "help", title: "This list" },
]);

const KEPT = "keys"; // in the browser: another key by the name of an action
const SHOWN = Object.freeze({ ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space", "-": "−" });

/** The keys that this browser has instead of those of the table, by the name of an action. */
export function ownKeys() {
  try {
    const found = JSON.parse(window.webui?.kept?.(KEPT) ?? "{}");
    return Object.fromEntries(Object.entries(found ?? {}).filter(([, key]) => typeof key === "string" && key));
  } catch {
    return {};
  }
}

/** How a key is shown. @param {string} key as `nameOf` has it */
export function shownKey(key) {
  const parts = key.endsWith("+") ? [...key.slice(0, -1).split("+").filter(Boolean), "+"] : key.split("+");
  return parts.map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ");
}

/** The table with the keys of this browser. @returns {Row[]} */
export function rows() {
  return current;
}

/** Have another key in this browser; null: that of the table. */
export function setKey(name, key) {
  const { [name]: _, ...others } = ownKeys();
  const own = key === null ? others : { ...others, [name]: key };
  window.webui.keep(KEPT, Object.keys(own).length ? JSON.stringify(own) : null);
  current = effective();
}

/** The other row that has a key already, where both could act. */
export function holderOf(key, row) {
  return rows().find((one) => one.name !== row.name && one.keys.includes(key));
}

function effective() {
  const own = ownKeys();
  return KEYS.map((row) => (row.name in own ? { ...row, keys: [own[row.name]], shown: shownKey(own[row.name]) } : row));
}

let current = effective();

const actions = new Map(); // name -> functions, the newest last

/**
 * Say what an action does.
 * @param {(event?: KeyboardEvent) => unknown} act `false`: it had nothing to do, and the one registered before is asked
 * @returns {() => void} what takes it back
 */
export function action(name, act) {
  if (!actions.has(name)) actions.set(name, []);
  actions.get(name).push(act);
  return () => actions.set(name, actions.get(name).filter((one) => one !== act));
}

/** Do an action; whether anybody did it. */
export function perform(name, event) {
  return (actions.get(name) ?? []).toReversed().some((act) => act(event) !== false);
}

const isTyping = (target) =>
  target.matches?.("textarea, select, [contenteditable=true], input:not([type=range], [type=checkbox], [type=radio], [type=button])");
// arrow keys and the space bar belong to these themselves
const isUsed = (target) => target.matches?.("[role=tab], [role=slider], [role=option], [role=menuitem], input");

/** The name of a pressed key as the table has it: `Ctrl+Shift+z`. */
export function nameOf(event) {
  const named = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isLetter = event.key.toLowerCase() !== event.key.toUpperCase();
  const shift = event.shiftKey && (isLetter || event.key.length > 1);
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${named}`;
}

function acts(row, event) {
  if (row.where === "anywhere") return true;
  if (isTyping(event.target)) return false;
  if (row.where === "page") return true;
  return row.where === "stage" && Boolean(document.getElementById("stage")?.getClientRects().length) && !isUsed(event.target);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.key === undefined) return;
  if (document.querySelector("dialog[open]")) return; // an open dialog has its own keys
  const pressed = nameOf(event);
  const row = current.find((one) => one.keys.includes(pressed) && acts(one, event));
  if (row && perform(row.name, event)) event.preventDefault();
});

const press = (id) => () => {
  const button = document.getElementById(id);
  if (!button?.offsetParent) return false;
  button.click();
  return true;
};
for (const form of ["img2img", "txt2img"]) {
  for (const name of ["generate", "skip", "interrupt"]) action(name, press(`${form}_${name}`));
}
action("escape", () => perform("interrupt"));
// registered later, so asked earlier: what is open is closed first
action("escape", () => perform("close"));
action("prompt", () => document.querySelector("#txt2img_prompt textarea")?.focus() ?? undefined);
action("help", showKeys);

/** Show the list of keys. */
export function showKeys() {
  const list = current.flatMap((row) => [el("dt", {}, t(row.title)), el("dd", {}, ...row.shown.split(" ").map((key) => el("kbd", {}, key)))]);
  openDialog({ title: t("Keys"), className: "keys" }, el("dl", {}, ...list));
}
