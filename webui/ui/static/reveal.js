// Shows the page when its first tab is whole. Gradio fetches the code of each kind of control by itself, and what arrived
// late would push the rest aside.

const QUIET = 60; // milliseconds without a new part, after which it is looked whether any is missing
const LONG = 500; // milliseconds of quiet after which the tab counts as whole whatever is missing
const PATIENCE = 5000; // milliseconds after which it is shown as it is

const root = document.documentElement;
let short = 0;
let long = 0;
let awaited = null; // element ids

/** The element ids of the first tab, from Gradio's description of the page; without what is in tabs of its own or closed. */
function expected() {
  const { components = [], layout } = window.gradio_config ?? {};
  const known = new Map(components.map((one) => [one.id, one]));
  const first = find(layout, (node) => known.get(node.id)?.props?.elem_id === "tab_txt2img");
  const ids = [];
  const collect = (node) => {
    const { type, props } = known.get(node.id) ?? {};
    if (props?.visible === false || type === "tabs") return;
    const isClosed = type === "accordion" && props?.open === false; // its contents are drawn when it is opened
    if (props?.elem_id && !["state", "browserstate"].includes(type)) ids.push(props.elem_id);
    if (!isClosed) for (const child of node.children ?? []) collect(child);
  };
  if (first) collect(first);
  return ids;
}

function find(node, isWanted) {
  if (!node || isWanted(node)) return node;
  for (const child of node.children ?? []) {
    const found = find(child, isWanted);
    if (found) return found;
  }
  return undefined;
}

function reveal() {
  parts.disconnect();
  clearTimeout(short);
  clearTimeout(long);
  if (root.dataset.loading === undefined) return;
  delete root.dataset.loading;
  const prompt = document.querySelector("#txt2img_prompt textarea");
  if (prompt?.offsetParent && document.activeElement === document.body && matchMedia("(hover: hover)").matches) prompt.focus({ preventScroll: true });
}

function look() {
  awaited ??= expected();
  awaited = awaited.filter((id) => !document.getElementById(id));
  if (!awaited.length) reveal();
}

const parts = new MutationObserver(() => {
  if (!document.querySelector("#txt2img_generate")) return;
  clearTimeout(short);
  clearTimeout(long);
  short = setTimeout(look, QUIET);
  long = setTimeout(reveal, LONG);
});

function start() {
  parts.observe(document.body, { childList: true, subtree: true });
  setTimeout(reveal, PATIENCE);
}

if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
