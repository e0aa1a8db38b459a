// What every page needs: language, tabs and keys. `ready` is kept when components may be drawn.
import { ready as words } from "./language.js";
import "./names.js";
import "./reveal.js";
import "./tabs.js";
import "./keys.js";
import "./sent_pictures.js";

export const ready = words;
