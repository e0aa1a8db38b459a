// What every page needs: language, tabs and keys. `ready` is kept when components may be drawn.
import { ready as words, t } from "./language.js";
import "./names.js";
import "./reveal.js";
import "./tabs.js";
import "./keys.js";
import "./notifications.js";
import "./presets.js";
import "./sent_pictures.js";
import "./describe_picture.js";

window.webui.t = t; // for the scripts that Gradio runs
export const ready = words;
