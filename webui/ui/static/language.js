// The language of the page: a dictionary from English texts to another language, in A1111's form.
//
// Scripts ask for a text with `t`. What Gradio draws is translated in the page as it appears: texts, hints in empty
// boxes, names and tooltips that are, as a whole, in the dictionary. What people typed or made is left alone.

import { SINGULARS } from "./singulars.js";

const SKIPPED = "textarea, input, select, pre, code, script, style, .own, [translate=no]";
const ATTRIBUTES = ["placeholder", "aria-label", "title", "data-tip"];
let dictionary = {};

/**
 * A text in the language of the page; where `n` is one, in the singular that English has for it.
 * @param {string} text the English text; `{n}` stands for `values.n`
 */
export function t(text, values = {}) {
  const isOne = String(values.n) === "1" && Object.hasOwn(SINGULARS, text);
  const found = Object.hasOwn(dictionary, text) ? dictionary[text] : isOne ? SINGULARS[text] : text;
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Kept when `t` knows its words. It is never broken: without a dictionary the page is English. */
export const ready = load();

async function load() {
  const { language, languages } = window.webui ?? {};
  if (!language || !languages || !Object.hasOwn(languages, language)) return;
  try {
    const answer = await fetch(new URL(`localizations/${language}.json`, import.meta.url));
    if (!answer.ok) throw new Error(`the dictionary was refused (${answer.status})`);
    dictionary = await answer.json();
  } catch (error) {
    console.error("the page stays English:", error);
    return;
  }
  const root = document.documentElement;
  const name = () => {
    if (root.lang !== language.replace("_", "-")) root.lang = language.replace("_", "-");
  };
  name();
  new MutationObserver(name).observe(root, { attributeFilter: ["lang"] }); // Gradio writes its own there
  if (document.body) watch();
  else document.addEventListener("DOMContentLoaded", watch);
}

function watch() {
  translate(document.body);
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "childList") change.addedNodes.forEach(translate);
      else if (change.type === "characterData") translate(change.target);
      else if (isOpen(change.target)) translateAttributes(change.target);
    }
  }).observe(document.body, { childList: true, characterData: true, subtree: true, attributeFilter: ATTRIBUTES });
}

/** Whether an element's names and tooltips are Gradio's; unlike its contents also those of a box that is typed in. */
function isOpen(element) {
  return !element.closest(".own, [translate=no]");
}

function translate(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (!node.parentElement?.closest(SKIPPED)) translateText(node);
    return;
  }
  if (node.nodeType !== Node.ELEMENT_NODE || !isOpen(node)) return;
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (one) =>
    one.nodeType === Node.ELEMENT_NODE && one.matches(".own, [translate=no], script, style") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  );
  for (let one = node; one; one = walker.nextNode()) {
    if (one.nodeType === Node.ELEMENT_NODE) translateAttributes(one);
    else if (!one.parentElement.closest(SKIPPED)) translateText(one);
  }
}

function translateText(node) {
  const text = node.data.trim();
  const found = text && Object.hasOwn(dictionary, text) ? dictionary[text] : text;
  if (found !== text) node.data = node.data.replace(text, () => found);
}

/** The name that Gradio gives to a box or a track of a number, from that of the control. */
function nameOfNumber(text) {
  const [, kind, name] = /^(number input|range slider) for (.+)$/s.exec(text) ?? [];
  return kind && Object.hasOwn(dictionary, name) ? t(kind === "range slider" ? "range slider for {name}" : "number input for {name}", { name: t(name) }) : text;
}

function translateAttributes(element) {
  for (const name of ATTRIBUTES) {
    const text = element.getAttribute(name);
    if (!text) continue;
    const found = Object.hasOwn(dictionary, text) ? dictionary[text] : nameOfNumber(text);
    if (found !== text) element.setAttribute(name, found);
  }
}
