// The tabs of the page. Gradio draws them and opens them at a click; here they get arrow keys and addresses, and
// txt2img, img2img and Inpaint get one panel: the panels of those that share are empty, and that of the first is shown.
import { hear, say } from "./bus.js";
import { write } from "./kit.js";

const MODES = ["txt2img", "img2img", "inpaint"];
const SHARING = ["img2img", "inpaint"]; // modes whose own panel is empty
export const NAMES = [...MODES, "extras", "image_browser", "modelmerger", "pnginfo", "train", "extensions", "settings"];
// what people call them, in links
const OTHER_NAMES = { create: "txt2img", upscale: "extras", library: "image_browser", models: "modelmerger", learn: "pnginfo", png_info: "pnginfo" };
const root = document.documentElement;
const list = () => document.querySelector("#tabs > .tab-wrapper [role=tablist]");
const button = (name) => document.getElementById(`tab_${name}-button`);
const KEPT = "tabs"; // in the browser: the order of the tabs, and those that are hidden
const ALWAYS = ["txt2img", "settings"]; // never hidden
let current = "";
/** What the address asked for when the page was opened, also where that is a part of a tab. */
export const askedFor = new URLSearchParams(location.search).get("tab");

/**
 * The tabs in their order in this browser, and those that it hides.
 * @returns {{order: string[], hidden: string[]}}
 */
export function arrangement() {
  let kept = {};
  try {
    kept = JSON.parse(window.webui.kept(KEPT) ?? "{}") ?? {};
  } catch {
    // what cannot be read counts as nothing
  }
  const list = (names) => (Array.isArray(names) ? names.filter((name) => NAMES.includes(name)) : []);
  const order = [...new Set(list(kept.order))];
  const missing = NAMES.filter((name) => !order.includes(name));
  return { order: order.length ? [...order, ...missing] : missing, hidden: list(kept.hidden).filter((name) => !ALWAYS.includes(name)) };
}

/** Show the tabs in another order, some of them not. @param {{order: string[], hidden: string[]}} wanted */
export function arrange(wanted) {
  const isUsual = !wanted.hidden.length && wanted.order.join() === NAMES.join();
  window.webui.keep(KEPT, isUsual ? null : JSON.stringify(wanted));
  place();
}

function place() {
  const { order, hidden } = arrangement();
  const isUsual = !hidden.length && order.join() === NAMES.join();
  for (const tab of list()?.querySelectorAll("[role=tab]") ?? []) {
    const name = tab.dataset.tabId;
    const at = isUsual ? "" : String(order.indexOf(name) + 1);
    if (tab.style.order !== at) tab.style.order = at;
    const isHidden = hidden.includes(name);
    if (tab.hidden !== isHidden) tab.hidden = isHidden;
  }
}


/** The tab in view. */
export const openTab = () => current;

/** Open a tab by its name; an unknown one is left alone. */
export function open(name) {
  const known = OTHER_NAMES[name] ?? name;
  if (NAMES.includes(known)) button(known)?.click();
}

hear("tab:open", ({ tab }) => open(tab));

function look() {
  const chosen = list()?.querySelector("[role=tab][aria-selected=true]");
  const name = chosen?.dataset.tabId;
  place();
  for (const tab of list()?.querySelectorAll("[role=tab]") ?? []) {
    tab.tabIndex = tab === chosen ? 0 : -1;
    const panel = `tab_${panelOf(tab.dataset.tabId)}`;
    if (tab.getAttribute("aria-controls") !== panel) tab.setAttribute("aria-controls", panel);
  }
  if (!name || name === current) return;
  current = name;
  root.dataset.tab = name;
  root.dataset.panel = panelOf(name);
  if (MODES.includes(name)) {
    root.dataset.mode = name;
    const box = document.querySelector("#create_mode textarea, #create_mode input");
    if (box) write(box, name);
  }
  chosen.scrollIntoView({ block: "nearest", inline: "center" }); // in the middle nothing of it is faded
  address(name);
  say("tab:opened", { tab: name });
  window.dispatchEvent(new Event("resize")); // what was drawn while hidden measures again
}

/** Whose panel is shown in a tab. */
function panelOf(name) {
  return SHARING.includes(name) ? "txt2img" : name;
}

function address(name) {
  const here = new URL(location.href);
  if (name === "txt2img") here.searchParams.delete("tab");
  else here.searchParams.set("tab", name);
  if (here.href !== location.href) history.replaceState(history.state, "", here);
}

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[role=tablist] > [role=tab]");
  if (!tab || event.ctrlKey || event.altKey || event.metaKey) return;
  const all = [...tab.parentElement.querySelectorAll(":scope > [role=tab]:not(:disabled, [hidden])")].sort((one, other) => one.style.order - other.style.order);
  const at = all.indexOf(tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  const next = all[(to + all.length) % all.length];
  next.focus();
  next.click();
}, true);

// what a tab needs is fetched while the pointer is on its way to the button
document.addEventListener("pointerover", (event) => {
  const tab = event.target.closest?.("#tabs > .tab-wrapper [role=tab]");
  if (tab) window.webui.prepare(tab.dataset.tabId);
});

function start() {
  const drawn = new MutationObserver(() => {
    // the first tab is drawn before another is opened, because others share its panel
    if (!list()?.querySelector("[role=tab]") || !document.querySelector("#tab_txt2img > .column > *")) return;
    drawn.disconnect();
    look();
    new MutationObserver(look).observe(list(), { childList: true, subtree: true, attributeFilter: ["aria-selected"] });
    if (askedFor) open(askedFor);
  });
  drawn.observe(document.body, { childList: true, subtree: true });
}

if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
