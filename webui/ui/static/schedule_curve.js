// The small curve below the list of schedules: where the steps of the form land. A press opens it in Learn.
import { hear, say } from "./bus.js";
import { el, t } from "./kit.js";
import { path, svg } from "./learn_svg.js";
import { fieldsOfForm, levelsOf } from "./schedule_levels.js";

const SETTLED = 250; // milliseconds without a change of the form until the server is asked
const WIDTH = 84, HEIGHT = 34, RIM = 3;

export function mount({ element }) {
  const button = el("button", { type: "button", class: "schedule-small", id: "schedule_curve_open", onclick: open }, el("span", {}, t("The noise levels of the steps appear here when the engine has started.")));
  element.append(button);
  let timer = 0, shown = "", asked = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(draw, SETTLED);
  };
  const draw = async () => {
    const fields = fieldsOfForm();
    const wanted = JSON.stringify(fields);
    if (wanted === shown || !fields.sampler) return;
    shown = wanted;
    const mine = ++asked;
    let parts;
    try {
      parts = partsOf(await levelsOf(fields));
    } catch (error) {
      parts = [el("span", {}, error.message)];
      shown = "";
    }
    if (mine !== asked) return;
    button.replaceChildren(...parts);
    button.title = button.textContent;
  };
  hear("form:changed", soon);
  hear("checkpoint:changed", soon);
  window.webui.ready.then(soon);
}

function open() {
  window.webui.keep("learn_view", "scheduler"); // for Learn that is drawn only now
  say("learn:show", { view: "scheduler" });
  say("tab:open", { tab: "learn" });
}

function partsOf({ schedule, sigmas }) {
  if (!sigmas.length) return [el("span", {}, t("This sampler chooses its levels while it runs."))];
  const levels = sigmas.filter((level) => level > 0);
  const [high, low] = [Math.log(levels[0]), Math.log(levels.at(-1))];
  const points = levels.map((level, at) => [
    RIM + ((WIDTH - 2 * RIM) * at) / Math.max(1, levels.length - 1),
    RIM + (HEIGHT - 2 * RIM) * (1 - (Math.log(level) - low) / (high - low || 1)),
  ]);
  const dots = points.length > 40 ? [] : points.map(([x, y]) => svg("circle", { class: "learn-dot", cx: x, cy: y, r: 1.9 }));
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, svg("path", { class: "learn-line", d: path(points) }), ...dots);
  const layout = sigmas.slice(0, -1).filter((level) => level >= 1).length;
  const name = schedule || t("Its own levels");
  return [drawing, el("span", {}, t("{name}: σ {high} to {low}; {layout} steps above 1, {detail} below", {
    name: schedule === "Automatic" ? "Uniform" : name, high: levels[0].toFixed(1), low: levels.at(-1).toFixed(3), layout, detail: sigmas.length - 1 - layout,
  }))];
}
