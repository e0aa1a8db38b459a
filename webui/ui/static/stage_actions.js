// What can be done with the picture on the stage, as one table: toolbar, menu and keys read it.

import { say } from "./bus.js";
import { el, iconButton } from "./kit.js";
import { t } from "./language.js";
import { menu } from "./menu.js";
import { plotOf } from "./sheet_data.js";
import { address } from "./stream.js";

/** @typedef {import("./store.js").Picture} Picture */

/**
 * @typedef {object} Action
 * @property {string} name
 * @property {() => string} label
 * @property {string} [icon] of those in the bar
 * @property {"bar"|"wide"|"menu"} place "wide": in the bar where there is room, else in the menu
 * @property {string} [key] as it is written in the list of keys
 * @property {boolean} [anyTime] whether it needs no picture
 * @property {boolean} [isSwitch] whether it is on or off
 * @property {boolean} [startsGroup]
 */

/** @type {readonly Action[]} */
const ACTIONS = Object.freeze([
  { name: "img2img", icon: "image", label: () => t("Send to img2img"), place: "bar" },
  { name: "inpaint", icon: "mask", label: () => t("Send to inpaint"), place: "bar" },
  { name: "upscale", icon: "up", label: () => t("Send to Upscale"), place: "wide" },
  { name: "controlnet", label: () => t("Send to ControlNet"), place: "menu" },
  { name: "pnginfo", label: () => t("Send to PNG Info"), place: "menu" },
  { name: "describe", label: () => t("Describe it in words"), place: "menu" },
  { name: "enlarge", label: () => t("Enlarge with Hires. fix"), place: "menu" },
  { name: "use", label: () => t("Use its parameters"), place: "menu", startsGroup: true },
  { name: "seed", label: () => t("Reuse its seed"), place: "menu" },
  { name: "library", label: () => t("Open in the library"), place: "menu" },
  { name: "sheet", label: () => t("Open its sheet"), place: "menu" },
  { name: "compare", icon: "compare", label: () => t("Compare with the one before"), place: "wide", key: "C", isSwitch: true, startsGroup: true },
  { name: "difference", label: () => t("Show the difference"), place: "menu", isSwitch: true },
  { name: "batch", label: () => t("All pictures of this job"), place: "menu", key: "G", isSwitch: true },
  { name: "parameters", icon: "info", label: () => t("Parameters"), place: "bar", key: "P", isSwitch: true },
  { name: "download", icon: "download", label: () => t("Download"), place: "wide" },
  { name: "full", icon: "full", label: () => t("Full screen"), place: "bar", key: "F", anyTime: true },
  { name: "delete", label: () => t("Delete"), place: "menu", startsGroup: true },
]); // prettier-ignore

const SENDS = ["img2img", "inpaint", "upscale", "controlnet", "pnginfo"];

/**
 * Do what needs nothing but the picture.
 *
 * @param {string} name
 * @param {Picture} picture
 * @returns {boolean} whether it was one of these
 */
export const doWith = (name, picture) => {
  if (SENDS.includes(name)) say("picture:send", { picture, to: name });
  else if (name === "describe") say("picture:describe", { address: address(picture.url) });
  else if (name === "enlarge") say("form:enlarge", { picture });
  else if (name === "use") say("form:fill", { text: picture.text });
  else if (name === "seed") say("form:fill", { text: picture.text, only: ["seed"] });
  else if (name === "library") say("library:show", { picture });
  else if (name === "sheet") say("plot:open", { id: plotOf(picture) });
  else if (name === "download") {
    const link = el("a", { href: address(picture.url), download: "" });
    document.body.append(link);
    link.click();
    link.remove();
  } else return false;
  return true;
};

/**
 * The toolbar.
 *
 * @param {{run: (name: string, picture?: Picture|null) => void, isPressed: (name: string) => boolean,
 *          picture: () => Picture|null, isOff: (name: string, picture: Picture|null) => boolean}} stage
 * @returns {{element: HTMLElement, draw: () => void}} `draw` brings pressed and disabled buttons up to date
 */
export const toolbar = (stage) => {
  const bar = el("div", { class: "stage_tools", role: "toolbar", "aria-label": t("Picture") });
  const isOff = (action, picture) => (!action.anyTime && !picture) || stage.isOff(action.name, picture);
  const buttons = ACTIONS.filter((action) => action.place !== "menu").map((action) => {
    const label = action.key ? `${action.label()} (${action.key})` : action.label();
    const button = iconButton(action.icon, label, { "data-act": action.name, onclick: () => stage.run(action.name) });
    if (action.place === "wide") button.classList.add("wide");
    if (action.startsGroup) bar.append(el("i", { class: "gap" }));
    bar.append(button);
    return { action, button };
  });
  const more = iconButton("more", t("More"), { id: "stage_more" });
  bar.append(more);
  menu(more, () => {
    const picture = stage.picture(); // another may come while the menu is open, and is not what it was opened for
    const isNarrow = buttons.some(({ action, button }) => action.place === "wide" && !button.offsetWidth);
    const listed = ACTIONS.filter((action) => action.place === "menu" || (isNarrow && action.place === "wide"));
    return listed.flatMap((action, index) => {
      const item = { name: action.name, label: action.label(), run: () => stage.run(action.name, picture), isOff: () => isOff(action, picture), hint: action.key }; // prettier-ignore
      if (action.isSwitch) item.isPressed = () => stage.isPressed(action.name);
      return action.startsGroup && index ? [null, item] : [item];
    });
  });
  const draw = () => {
    for (const { action, button } of buttons) {
      button.disabled = isOff(action, stage.picture());
      if (action.isSwitch) button.setAttribute("aria-pressed", String(stage.isPressed(action.name)));
    }
  };
  return { element: bar, draw };
};
