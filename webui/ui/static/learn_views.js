// The views of Learn, in the order of the list at the left. A new view is one row here and a module with `mount`.
import * as comparing from "./compare_pictures.js";
import { t } from "./kit.js";
import * as checkpoints from "./learn_checkpoints.js";
import * as network from "./learn_network.js";
import * as noise from "./learn_noise.js";
import * as run from "./learn_run.js";
import * as scheduler from "./learn_scheduler.js";
import * as words from "./learn_words.js";
import * as pnginfo from "./pnginfo.js";

/**
 * `mount(place, shared)` is called once, before the view is shown for the first time; `isEager`: at the start, because
 * others may send something to it. `hasTime`: the steps of the run stand below the view.
 * @typedef {{name: string, title: string, about: string, icon: string, hasTime?: boolean, isEager?: boolean, id?: string,
 *   mount: (place: HTMLElement, shared: import("./learn_shared.js").Shared) => import("./learn_shared.js").View|void}} Row
 * @returns {{title: string, views: Row[]}[]}
 */
export function groups() {
  return [
    { title: t("One run"), views: [
      { name: "run", title: t("Run under the glass"), about: t("What the sampler sees at each step, four ways, at the same step."), icon: "four", hasTime: true, mount: run.mount },
      { name: "words", title: t("Words"), about: t("Where each word of the prompt looks, by step and by block."), icon: "text", hasTime: true, mount: words.mount },
      { name: "network", title: t("The network"), about: t("The network of the checkpoint, drawn from its own parts."), icon: "network", hasTime: true, mount: network.mount },
    ] },
    { title: t("Basics"), views: [
      { name: "scheduler", title: t("Scheduler"), about: t("How the noise falls from step to step. Drag a point to make your own list."), icon: "curve", mount: scheduler.mount },
      { name: "noise", title: t("Noise your own picture"), about: t("How training works: add noise, ask the network what was added, measure the error."), icon: "noise", mount: noise.mount },
    ] },
    { title: t("Files"), views: [
      { name: "png_info", title: t("PNG Info"), about: t("What is written in a picture, whichever program made it; and the picture made again."), icon: "info", isEager: true, id: "pnginfo", mount: (place, shared) => pnginfo.mount({ element: within(place, "pnginfo"), shared }) },
      { name: "compare_pictures", title: t("Compare"), about: t("Two pictures, and what differs in their pixels and parameters."), icon: "compare", id: "compare_pictures", mount: (place) => comparing.mount({ element: within(place, "compare_pictures") }) },
      { name: "checkpoints", title: t("Two checkpoints"), about: t("How far the weights of each block of two checkpoints lie apart."), icon: "layers", mount: checkpoints.mount },
    ] },
  ];
}

/** A component that was written for a place of its own. */
function within(place, name) {
  const made = document.createElement("div");
  made.className = `own ${name}`;
  place.append(made);
  return made;
}
