// The prompt and what stands around it: counters, which open its explanation, brackets that do not match, the fold of
// the negative prompt, history, and the keys of the boxes. `completion.js` completes words in them.

import { hear, say } from "./bus.js";
import { Completion } from "./completion.js";
import { Counter } from "./counter.js";
import { ExplainPanel } from "./explain_panel.js";
import { HistoryPanel } from "./history_panel.js";
import { el, iconButton, t } from "./kit.js";
import { action } from "./keys.js";
import { send } from "./page_requests.js";
import { box, chosenStyles, lastUsed, prompts, ready, setPrompt } from "./prompt_boxes.js";
import * as drops from "./prompt_drop.js";
import * as keys from "./prompt_keys.js";
import { PromptHistory } from "./prompt_history.js";
import { appended, around, brackets, without } from "./prompt_text.js";

const USUAL_CHUNK = 75; // tokens; shown until the server has counted
const MOST_STYLES = 200; // that the server counts
const CLOSING = Object.freeze({ "(": ")", "[": "]", "{": "}" });

export async function mount({ element }) {
  await ready();
  const fold = foldOf(element);
  const history = new PromptHistory();
  new HistoryPanel(element, history);
  element.append(clearButton());
  const counters = countersOf(element);
  for (const which of ["prompt", "negative"]) {
    new Completion(which); // first, so that its keys are its own while its list is open
    keys.listen(box(which));
    box(which).addEventListener("keydown", (event) => walk(event, history));
  }
  drops.listen();
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("#txt2img_generate")) history.add(prompts().prompt, prompts().negative);
  }, true);
  const changed = () => {
    fold.note(prompts().negative);
    counters.note();
  };
  hear("prompt:changed", changed);
  document.addEventListener("webui:styles", changed);
  document.addEventListener("input", (event) => {
    if (event.target instanceof Element && event.target.closest('[id^="txt2img_prompting_"], #txt2img_steps, #txt2img_sampling')) counters.note();
  });
  hear("prompt:insert", ({ text, which = lastUsed() }) => setPrompt(which, appended(prompts()[which], text)));
  hear("prompt:remove", ({ text }) => {
    for (const [which, value] of Object.entries(prompts())) {
      const at = value.indexOf(text);
      if (at >= 0) setPrompt(which, without(value, at, at + text.length));
    }
  });
  changed();
}

function clearButton() {
  return iconButton("clear", t("Clear both prompts"), {
    id: "txt2img_clear",
    onclick: () => {
      setPrompt("negative", "");
      setPrompt("prompt", "");
      box("prompt").focus();
    },
  });
}

// ---- the fold of the negative prompt

function foldOf(element) {
  const dot = el("i", { class: "dot", hidden: true });
  const button = el("button", { type: "button", class: "quiet negative-fold", id: "txt2img_negative_fold", "aria-controls": "txt2img_neg_prompt" }, t("Negative"), dot);
  const root = document.documentElement;
  const show = (isOpen) => {
    root.dataset.negative = isOpen ? "open" : "closed";
    button.setAttribute("aria-expanded", String(isOpen));
    window.webui.keep("negative", isOpen ? "open" : null);
  };
  const open = () => {
    show(true);
    box("negative").focus();
  };
  button.addEventListener("click", () => (root.dataset.negative === "open" ? show(false) : open()));
  action("negative", open);
  element.append(button);
  show(window.webui.kept("negative") === "open");
  return {
    note(text) {
      const holds = text.trim() !== "";
      dot.hidden = !holds;
      button.setAttribute("aria-label", holds ? t("Negative prompt, holds a text") : t("Negative prompt, empty"));
      button.title = holds ? text.slice(0, 300) : "";
    },
  };
}

// ---- counters and brackets

function countersOf(element) {
  const fault = el("button", { type: "button", class: "quiet fault brackets", hidden: true });
  const shown = { prompt: tokens("txt2img_token_counter", t("Tokens of the prompt")), negative: tokens("txt2img_negative_token_counter", t("Tokens of the negative prompt")) };
  element.append(el("span", { class: "counters" }, fault, shown.negative, shown.prompt));
  const panel = new ExplainPanel(element, shown.prompt, () => ({ ...read(), sampler: samplerOf() }));
  shown.prompt.addEventListener("click", () => panel.choose("prompt"));
  shown.negative.setAttribute("aria-haspopup", "dialog");
  shown.negative.addEventListener("click", () => panel.open("negative"));
  let place = null;
  fault.addEventListener("click", () => {
    const found = place && box(place.which);
    if (!found) return;
    if (place.which === "negative" && !found.offsetParent) document.getElementById("txt2img_negative_fold").click();
    found.focus();
    found.setSelectionRange(place.at, place.at + 1);
  });
  const counter = new Counter((asked, signal) => send("tokens", asked, "POST", { signal }), (answer) => {
    for (const which of ["prompt", "negative"]) showCount(shown[which], answer[which]);
  });
  return {
    note() {
      place = firstFault();
      fault.hidden = place === null;
      if (place) {
        fault.textContent = place.short;
        fault.title = place.told;
        fault.setAttribute("aria-label", place.told);
      }
      counter.note(read);
      panel.changed();
    },
  };
}

function tokens(id, label) {
  const count = el("span", { class: "tokens", role: "status" }, `0/${USUAL_CHUNK}`);
  return el("button", { type: "button", id, class: "token-counter", "data-label": label, "aria-label": `${label}: 0/${USUAL_CHUNK}` }, count);
}

function showCount(counter, { used, limit, fault }) {
  const text = counter.firstElementChild;
  text.textContent = fault ? "?" : `${used}/${limit || USUAL_CHUNK}`;
  text.classList.toggle("wrong", fault !== "");
  text.title = fault;
  counter.setAttribute("aria-label", `${counter.dataset.label}: ${text.textContent}`);
}

/** The first bracket that has no partner, in words; null where all have one. */
function firstFault() {
  for (const [which, text] of Object.entries(prompts())) {
    const [first] = brackets(text).alone;
    if (first) {
      const values = { bracket: first.char, place: around(text, first.at) };
      const told = first.char in CLOSING ? t("{bracket} is not closed: {place}", values) : t("{bracket} closes nothing: {place}", values);
      return { which, at: first.at, told, short: `${first.char} ${values.place}` };
    }
  }
  return null;
}

/** What the counter needs of the form, read from the page when it is asked. */
function read() {
  return { ...prompts(), styles: chosenStyles().slice(0, MOST_STYLES), steps: stepsOf(), rules: rulesOf() };
}

function stepsOf() {
  const steps = Number(document.querySelector("#txt2img_steps input[type=number]")?.value);
  return Number.isInteger(steps) && steps >= 1 ? Math.min(steps, 150) : 20;
}

function samplerOf() {
  return document.querySelector("#txt2img_sampling input")?.value ?? "";
}

function rulesOf() {
  const rules = {};
  for (const control of document.querySelectorAll('[id^="txt2img_prompting_"]')) {
    const input = control.querySelector("input");
    const name = control.id.slice("txt2img_prompting_".length);
    if (input) rules[name] = input.type === "checkbox" ? input.checked : input.type === "number" ? Number(input.value) : input.value;
  }
  return rules;
}

// ---- history by keys

function walk(event, history) {
  if (!(event.ctrlKey || event.metaKey) || !event.shiftKey || event.altKey || !/^Arrow(Up|Down)$/.test(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  const found = history.walk(event.key === "ArrowUp" ? 1 : -1, prompts());
  if (!found) {
    say("notice", { kind: "", text: event.key === "ArrowUp" ? t("There is no older prompt.") : t("This is the newest prompt.") });
    return;
  }
  setPrompt("prompt", found.prompt);
  setPrompt("negative", found.negative);
}
