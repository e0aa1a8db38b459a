// What this browser does when a picture is done while nobody looks.
import { el, t, toggle } from "./kit.js";
import { tone } from "./notifications.js";
import { browserRow } from "./settings_look.js";

/** @returns {import("./settings.js").Row[]} */
export function notificationRows() {
  const { webui } = window;
  const said = el("p", { class: "setting-note", role: "status" });
  const sound = toggle(t("Sound"), webui.kept("sound") === "on", (isOn) => {
    webui.keep("sound", isOn ? "on" : null);
    if (isOn) tone();
  });
  const system = toggle(t("Message of the system"), webui.kept("notify") === "on" && canNotify(), async (isOn) => {
    const isAllowed = !isOn || ("Notification" in window && (await Notification.requestPermission()) === "granted");
    said.textContent = isAllowed ? "" : t("The browser does not allow messages of this page.");
    system.checked = isOn && isAllowed;
    webui.keep("notify", isOn && isAllowed ? "on" : null);
  });
  return [
    browserRow("When a job ends", "While another tab or window is in view: of this browser's own jobs, also of those that fail.", el("div", {}, sound, system, said), "notifications"),
  ];
}

const canNotify = () => "Notification" in window && Notification.permission === "granted";
