// What is on the stage before the first picture: what can be painted, on what, and where models go.
import { hear, say } from "./bus.js";
import { perform, showKeys } from "./keys.js";
import { el, t, write } from "./kit.js";
import { ask } from "./server_answers.js";

const PROMPTS = [
  ["a red circle on a blue background", "first_circle.webp"],
  ["a yellow square on a green background", "first_square.webp"],
  ["a white triangle on a black background", "first_triangle.webp"],
];

/**
 * @typedef {{checkpoints: number, miniature: string, cards: string[], threads: number, memory: number, card_memory: number,
 *   fits: {kind: string, width: number, height: number}[], device: string,
 *   places: {kind: string, folder: string}[], programs: {name: string, folder: string}[], used: string[]}} Facts
 */

/** Fill the place on the empty stage, where nobody has made a picture yet. @param {HTMLElement} place */
export async function fill(place) {
  let isOver = false;
  hear("job:picture", () => {
    isOver = true;
    place.replaceChildren();
  });
  try {
    if ((await ask("history?limit=1")).pictures.length) return;
    const facts = await ask("first_run");
    if (!isOver) place.replaceChildren(...(facts.checkpoints ? welcome(facts) : nothingToPaintWith()), table(facts), ways(facts));
  } catch (error) {
    console.warn("the first page is not shown:", error);
  }
}

/** @param {Facts} facts */
function welcome(facts) {
  const about = facts.miniature
    ? t("A miniature is loaded. It paints coloured shapes of 128 × 128, so that you can try everything before a large file is here.")
    : t("Write what the picture shall show, or begin with one of these.");
  return [el("h2", {}, t("Press Generate.")), el("p", {}, about), ...(facts.miniature ? [examples()] : [])];
}

function nothingToPaintWith() {
  return [
    el("h2", {}, t("There is no checkpoint yet.")),
    el("p", { role: "alert" }, t("Put a file into the folder of checkpoints below, then press ↻ beside the list of checkpoints.")),
  ];
}

function examples() {
  const cards = PROMPTS.map(([prompt, file]) => {
    const picture = el("img", { src: new URL(file, import.meta.url).href, alt: "", width: 128, height: 128, draggable: "false" });
    return el("button", { type: "button", class: "first-prompt", translate: "no", onclick: () => begin(prompt) }, picture, el("span", {}, prompt));
  });
  return el("div", { class: "first-prompts" }, ...cards);
}

function begin(prompt) {
  const box = document.querySelector("#txt2img_prompt textarea");
  if (!box) return;
  write(box, prompt);
  setTimeout(() => perform("generate"), 50); // Gradio takes the text in first
}

/** @param {Facts} facts */
function table(facts) {
  const processor = t("CPU with {n} threads, {memory} GB of memory", { n: facts.threads, memory: facts.memory });
  const isCard = facts.cards.length && facts.device !== "cpu";
  const card = facts.card_memory ? t("{name}, {memory} GB", { name: facts.cards.join(", "), memory: facts.card_memory }) : facts.cards.join(", ");
  const sizes = facts.fits.map((one) => t("{kind} up to about {width} × {height}", { ...one })).join(" · ");
  const fits = sizes || t("Little memory: only small checkpoints fit.");
  const rows = [[t("Device"), isCard ? card : processor], ...(!isCard || facts.card_memory ? [[t("What fits"), fits]] : []), ...facts.places.map((place) => [t(place.kind), el("code", {}, place.folder)])];
  return el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { translate: "no" }, value)]));
}

/** @param {Facts} facts */
function ways(facts) {
  const said = el("p", { class: "setting-note", role: "status" });
  const found = facts.programs.map((program) => el(
    "li",
    {},
    el("span", {}, t("{name} was found at", { name: program.name }), " ", el("code", { translate: "no" }, program.folder)),
    el("button", { type: "button", class: "plain-button", onclick: (event) => use(program.folder, facts, event.target, said) }, t("Use its models")),
  ));
  const open = el("button", { type: "button", class: "text-button", onclick: () => say("tab:open", { tab: "settings" }) }, t("Use a folder that I have"));
  const keys = el("button", { type: "button", class: "text-button", onclick: showKeys }, t("Keys"));
  return el("div", { class: "first-ways" }, found.length ? el("ul", {}, ...found) : null, said, el("div", {}, open, keys));
}

let last = Promise.resolve();

// One after the other: the setting is sent as a whole, with the folders that were taken before.
function use(folder, facts, button, said) {
  button.disabled = true;
  last = last.then(() => add(folder, facts, button, said));
}

async function add(folder, facts, button, said) {
  try {
    const { outcomes } = await ask("preferences", { values: { use_models_of: [...facts.used, folder] } });
    const { state, text } = outcomes.use_models_of;
    said.textContent = state === "refused" ? t(text) : t("Its models are there from the next start on.");
    said.classList.toggle("error", state === "refused");
    button.disabled = state !== "refused";
    if (state !== "refused") facts.used.push(folder);
  } catch (error) {
    said.textContent = error.message;
    said.classList.add("error");
    button.disabled = false;
  }
}
