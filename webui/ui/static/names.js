// Names that Gradio has no parameter for: of buttons that show a sign only, and of the parts of the page.
import { t } from "./language.js";

/** @type {Readonly<Record<string, string>>} by element id; buttons show it as their tooltip, too */
const BUTTONS = Object.freeze({
  refresh_checkpoints: "Look for new model files",
  txt2img_res_switch_btn: "Swap width and height",
  txt2img_random_seed: "Random seed (-1)",
  txt2img_reuse_seed: "Seed of the shown picture",
  txt2img_random_subseed: "Random variation seed (-1)",
  txt2img_reuse_subseed: "Variation seed of the shown picture",
  img2img_res_switch_btn: "Swap width and height",
  img2img_random_seed: "Random seed (-1)",
  img2img_reuse_seed: "Seed of the shown picture",
  img2img_random_subseed: "Random variation seed (-1)",
  img2img_reuse_subseed: "Variation seed of the shown picture",
});
const PARTS = Object.freeze({
  header: "Program",
  quicksettings: "Model",
  txt2img_settings: "Settings of the picture",
  stage: "Picture",
  dock: "Prompt",
  strip: "Queue and history",
});

function name() {
  for (const [id, text] of Object.entries(BUTTONS)) {
    const button = document.getElementById(id);
    if (!button || button.ariaLabel) continue;
    button.ariaLabel = t(text);
    button.dataset.tip = t(text);
  }
  for (const [id, text] of Object.entries(PARTS)) {
    const part = document.getElementById(id);
    if (!part || part.role) continue;
    part.role = "region";
    part.ariaLabel = t(text);
  }
}

let isAsked = false;
function start() {
  new MutationObserver(() => {
    if (isAsked) return;
    isAsked = true; // once a frame is enough, however much is drawn
    requestAnimationFrame(() => {
      isAsked = false;
      name();
    });
  }).observe(document.body, { childList: true, subtree: true });
}

if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
