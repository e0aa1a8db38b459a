// The second face of the left pane: an experiment, built from the form that stands there. Its value is `{open, total}`, so
// that the label of Generate can follow it; what is sent is asked for at the moment of the press (`submitted`).
import { hear, say } from "./bus.js";
import { axisCard, groupsOf } from "./experiment_axis.js";
import { scriptForm } from "./experiment_options.js";
import { LETTERS, begun, planFrom, planOf, secondsOf, sentPlan, sizeOf, textsIn, valuesIn } from "./experiment_plan.js";
import { slider } from "./form_ranges.js";
import { el, icon, iconButton, segments, toggle } from "./kit.js";
import { t } from "./language.js";
import { openPick } from "./pick_list.js";
import { duration } from "./progress_words.js";
import { ask } from "./stream.js";

const KEPT = "experiment"; // in the browser
const LATER = 250; // milliseconds after a change of the form until the foot counts again
const NAMED = Object.freeze(["xyz", "matrix", "lines", "loopback"]); // kinds with a button of their own
const TITLES = Object.freeze({ xyz: "X/Y/Z", matrix: "Matrix", lines: "Lines", loopback: "Loopback" });
const ALL_XYZ = Object.freeze({ kind: "xyz", name: "x/y/z plot", modes: ["txt2img", "img2img"], options: [] });

const modeNow = () => (document.documentElement.dataset.mode === "txt2img" ? "txt2img" : "img2img");

class Experiment {
  /** @type {import("./experiment_options.js").Script[]} */
  scripts = [ALL_XYZ];
  /** @type {import("./experiment_plan.js").AxisKind[]} */
  axes = [];
  /** @type {Record<string, number>} */
  pace = {};
  isOpen = false;
  /** @type {Promise<any>|null} what there is, as it was asked for last; null where that was not answered */
  asked = null;
  cards = [];
  form = null;

  constructor(element, props) {
    this.element = element;
    this.props = props;
    const kept = read();
    this.plan = planOf(kept.plan);
    this.faces = segments(t("Face of the pane"), [{ value: "form", label: t("Form") }, { value: "experiment", label: t("Experiment") }], "form", (face) => this.turn(face === "experiment"));
    this.faces.classList.add("e-faces");
    this.main = el("div", { class: "e-main declared" });
    this.foot = el("div", { class: "e-foot", role: "status" });
    this.body = el("div", { class: "e-face", hidden: true }, this.main, this.foot);
    element.append(this.faces, this.body);
    // what is drawn anew by its own click is in no sheet any more, so the click would count as one beside it
    element.addEventListener("click", (event) => { if (!event.target.isConnected) event.stopPropagation(); });
    this.listen();
    if (kept.isOpen) this.turn(true);
  }

  listen() {
    let timer = 0;
    const later = () => {
      clearTimeout(timer);
      timer = window.setTimeout(() => this.isOpen && this.count(), LATER);
    };
    document.addEventListener("input", later);
    document.addEventListener("change", later);
    hear("prompt:changed", later);
    hear("checkpoint:changed", later);
    hear("tab:opened", () => this.isOpen && this.draw());
    hear("files:changed", () => { if (this.asked || this.isOpen) this.load(); });
    hear("experiment:add", ({ at, value }) => this.addValue(at, value));
    hear("experiment:fill", ({ plan }) => this.fill(plan));
    hear("experiment:turn", ({ isOpen }) => this.turn(isOpen));
    document.addEventListener("click", (event) => this.nameClicked(event), true);
  }

  // ---- what is there

  /** Ask what there is. @returns {Promise<any>} */
  load() {
    const mine = Promise.all([ask("experiments"), ask("experiments/pace")]).then((answer) => (this.asked === mine ? this.take(answer) : this.asked));
    this.asked = mine;
    return mine;
  }

  take([found, known]) {
    const isFirst = !this.axes.length;
    if (found) {
      this.scripts = found.scripts;
      // what the cards show holds on to its axis: that becomes the new one
      this.axes = found.axes.map((one) => Object.assign(this.axes.find((old) => old.id === one.id && `${old.modes}` === `${one.modes}`) ?? {}, one));
    } else this.asked = null;
    this.pace = known?.seconds_per_step_megapixel ?? {};
    const isBusy = this.main.contains(document.activeElement) && document.activeElement?.matches("input, textarea, select");
    if (isBusy && !isFirst) this.count(); // somebody types
    else this.draw();
  }

  about = (id) => this.offered().find((one) => one.id === id) ?? null;

  offered() {
    return this.axes.filter((one) => !one.modes || one.modes.includes(modeNow()));
  }

  get script() {
    const { kind, script } = this.plan;
    return this.scripts.find((one) => (kind === "xyz" ? one.kind === "xyz" : one.name === script)) ?? ALL_XYZ;
  }

  /** What the form holds of an axis. @param {import("./experiment_plan.js").AxisKind} about */
  formOf = (about) => this.formValue(about.path || about.id);

  /** What the form holds in a field. */
  formValue = (path) => {
    if (path === "checkpoint") return window.webui.form?.checkpoint ?? "";
    return window.webui.form?.values?.()[path];
  };

  get facts() {
    const of = (path, otherwise) => Number(this.formValue(path)) || otherwise;
    return {
      prompt: String(this.formValue("prompt") ?? ""), negative_prompt: String(this.formValue("negative_prompt") ?? ""),
      steps: of("steps", 20), width: of("width", 512), height: of("height", 512), n_iter: of("n_iter", 1),
      images: of("n_iter", 1) * of("batch_size", 1), checkpoint: String(this.formValue("checkpoint") ?? ""),
    }; // prettier-ignore
  }

  // ---- changes

  turn(isOpen) {
    if (this.isOpen === isOpen) return;
    this.isOpen = isOpen;
    this.body.hidden = !isOpen;
    this.faces.value = isOpen ? "experiment" : "form";
    document.documentElement.dataset.pane = isOpen ? "experiment" : "form";
    if (isOpen && !this.asked) this.load();
    this.draw();
  }

  put(changes) {
    this.plan = { ...this.plan, ...changes };
    this.keep();
    this.count();
  }

  putAnew(changes) {
    this.plan = { ...this.plan, ...changes };
    this.draw();
  }

  /** Take a plan over that was sent. */
  fill(sent) {
    const filled = planFrom(sent);
    this.putAnew({ ...filled, values: { ...this.plan.values, ...filled.values } });
  }

  putAxis(at, next) {
    this.put({ axes: this.plan.axes.with(at, next) });
  }

  /** Make something the next axis; the third is replaced when all are taken. */
  addAxis(about) {
    const { axes } = this.plan;
    if (axes.some((one) => one.id === about.id)) return this.putAnew({ kind: "xyz" });
    const fresh = begun(about, this.formOf(about));
    return this.putAnew({ kind: "xyz", axes: axes.length < LETTERS.length ? [...axes, fresh] : axes.with(LETTERS.length - 1, fresh) });
  }

  addValue(at, value) {
    const axis = this.plan.axes[at];
    const about = axis && this.about(axis.id);
    if (!about) return;
    const values = about.kind === "number" ? [...valuesIn(axis, about), value].join(", ") : [...textsIn(axis), value];
    this.putAxis(at, { ...axis, values });
  }

  /** Alt+click on a control's name makes it an axis. */
  async nameClicked(event) {
    if (!event.altKey) return;
    const name = event.target.closest?.("#txt2img_settings :is([data-testid=block-info], label, .f-name), #quicksettings [data-testid=block-info]");
    if (!name) return;
    event.preventDefault();
    event.stopPropagation();
    await (this.asked ?? this.load());
    if (!this.axes.length) return; // that the server did not answer is said already
    const found = this.axisOfControl(name);
    if (!found) return say("notice", { kind: "notice", text: t("“{name}” cannot be an axis.", { name: name.textContent.trim() }) });
    this.turn(true);
    this.addAxis(found);
  }

  axisOfControl(name) {
    const declared = optionOf(name);
    const label = name.textContent.trim().toLowerCase();
    const path = this.props.fields?.[name.closest(".block[id], [id]")?.id] ?? this.pathAround(name);
    const last = path?.split(".").at(-1);
    const offered = this.offered();
    return (
      (declared && offered.find((one) => one.id === declared || one.id === declared.replace(/\.[^.]+(?=\.\d+\.)/, ""))) ||
      offered.find((one) => path && one.path === path) ||
      offered.find((one) => one.id === last) ||
      offered.find((one) => one.label.toLowerCase() === label || t(one.label).toLowerCase() === label) ||
      null
    );
  }

  pathAround(name) {
    for (let one = name; one; one = one.parentElement) if (one.id && this.props.fields?.[one.id]) return this.props.fields[one.id];
    return undefined;
  }

  keep() {
    window.webui.keep(KEPT, JSON.stringify({ isOpen: this.isOpen, plan: this.plan }));
  }

  // ---- drawing

  draw() {
    this.keep();
    const isXyz = this.plan.kind === "xyz";
    this.form = null;
    this.cards = [];
    if (this.isOpen) this.main.replaceChildren(this.kinds(), ...(isXyz ? this.xyz() : this.options()));
    this.count();
  }

  kinds() {
    const there = this.scripts.filter((one) => one.modes.includes(modeNow()) || one === this.script);
    const choose = (one) => this.putAnew({ kind: one.kind, script: one.kind === "xyz" ? "" : one.name });
    const chosen = this.script;
    const button = (one) => el("button", { type: "button", "aria-pressed": String(one === chosen), onclick: () => choose(one) }, t(TITLES[one.kind]));
    const others = there.filter((one) => !NAMED.includes(one.kind));
    const isOther = others.includes(chosen);
    const more = isOther
      ? el("button", { type: "button", "aria-haspopup": "dialog", "aria-pressed": "true" }, titleOf(chosen), icon("chevron"))
      : iconButton("more", t("Further kinds"), { class: "icon-button e-others", "aria-haspopup": "dialog" });
    more.addEventListener("click", () => openPick(more, t("Kind of experiment"), [{ title: "", entries: others.map((one) => ({ value: one.name, label: titleOf(one) })) }], (name) => choose(others.find((one) => one.name === name))));
    const earlier = iconButton("repeat", t("Earlier sheets"), { class: "icon-button e-earlier" });
    earlier.addEventListener("click", () => this.pickEarlier(earlier));
    const named = NAMED.flatMap((kind) => there.filter((one) => one.kind === kind));
    return el("div", { class: "e-kinds", role: "group", "aria-label": t("Kind of experiment") }, ...named.map(button), others.length ? more : null, earlier);
  }

  async pickEarlier(pressed) {
    pressed.focus(); // not every browser does
    const found = (await ask("plots")) ?? [];
    // who was at a button that was drawn anew meanwhile is at nothing, and is still meant
    const isLeft = document.activeElement !== (pressed.isConnected ? pressed : document.body);
    const anchor = this.main.querySelector(".e-earlier");
    if (isLeft || !anchor?.checkVisibility()) return;
    const entries = found.map((one) => ({ value: one.id, label: one.title, hint: `${one.done}/${one.count} · ${new Date(one.made).toLocaleDateString()}` }));
    openPick(anchor, t("Earlier sheets"), [{ title: "", entries }], (id) => say("plot:open", { id }));
  }

  xyz() {
    const { plan } = this;
    const does = (at) => ({
      csv: plan.csv,
      kinds: () => this.offered(),
      change: (next) => this.putAxis(at, next),
      replace: (id) => this.putAnew({ axes: this.plan.axes.with(at, begun(this.about(id), this.formOf(this.about(id)))) }),
      swap: () => this.putAnew({ axes: this.plan.axes.with(at, this.plan.axes[at - 1]).with(at - 1, this.plan.axes[at]) }),
      remove: () => this.putAnew({ axes: this.plan.axes.toSpliced(at, 1) }),
    });
    this.cards = plan.axes.map((axis, at) => axisCard(axis, at, this.about(axis.id), does(at)));
    const parts = this.cards.map((card) => card.node);
    const next = LETTERS[plan.axes.length];
    if (next) {
      const add = el("button", { type: "button", class: "e-addaxis", "aria-haspopup": "dialog" }, t("+ {letter} axis", { letter: next }));
      add.addEventListener("click", () => openPick(add, t("What varies"), groupsOf(this.offered()), (id) => this.addAxis(this.about(id))));
      parts.push(add);
    }
    if (!plan.axes.length) parts.push(el("p", { class: "e-hint" }, t("Choose what varies, or hold Alt and click the name of a control in the form.")));
    return [...parts, ...this.sheetOptions()];
  }

  sheetOptions() {
    const quiet = (label, name, hint = "") => {
      const made = toggle(label, this.plan[name], (isOn) => this.put({ [name]: isOn }));
      if (hint) made.firstChild.append(" ", el("small", {}, hint));
      return made;
    };
    const vary = LETTERS.map((letter, at) => {
      const button = el("button", { type: "button", "aria-pressed": String(this.plan.vary[at]), "aria-label": t("Vary seeds along {letter}", { letter }) }, letter);
      button.addEventListener("click", () => {
        this.put({ vary: this.plan.vary.with(at, !this.plan.vary[at]) });
        button.setAttribute("aria-pressed", String(this.plan.vary[at]));
      });
      return button;
    });
    const margin = slider({ label: t("Margin"), low: 0, high: 40, step: 2, whole: true }, this.plan.margin, (value) => this.put({ margin: value }));
    const csv = toggle(t("Values as text (CSV)"), this.plan.csv, (isOn) => this.putAnew({ csv: isOn }));
    return [
      el("h2", { class: "e-sub" }, t("Sheet")),
      el("div", { class: "e-options" },
        quiet(t("Legend"), "legend"), quiet(t("Keep lone pictures"), "lone"), quiet(t("Sub-grids"), "subgrids", t("one sheet for each Z")),
        el("div", { class: "toggle e-vary", role: "group", "aria-label": t("Vary seeds along") }, el("span", {}, t("Vary seeds along")), el("span", { class: "e-minis" }, ...vary)),
        margin.node,
        el("details", { class: "f-rest" }, el("summary", {}, t("More")), quiet(t("Keep -1 for seeds"), "keep_random"), csv)),
    ]; // prettier-ignore
  }

  options() {
    const { script } = this;
    if (script.kind === "xyz") return [el("p", { class: "e-hint" }, t("This kind is not there. Choose another."))];
    const change = (name, value) => {
      const { values } = this.plan;
      this.put({ values: { ...values, [script.name]: { ...this.given, [name]: value } } });
      Object.assign(this.given, { [name]: value });
      this.form?.show();
    };
    this.given = { ...this.plan.values[script.name] };
    this.form = scriptForm(script, this.given, change, () => this.facts);
    const elsewhere = script.modes.includes(modeNow()) ? null : el("p", { class: "e-hint" }, t("This kind starts from a picture: open img2img."));
    return [elsewhere, this.form.node].filter(Boolean);
  }

  /** The foot, the cards' sentences, the label of Generate and the sheet follow the plan. */
  count() {
    const size = sizeOf(this.plan, this.about, this.facts, this.script.options);
    if (this.axes.length) this.cards.forEach((card, at) => card.show(this.plan.axes[at], size.faults[at]));
    this.form?.show();
    this.drawFoot(size);
    const total = size.faults.some(Boolean) ? 0 : (size.total ?? 0);
    const value = { open: this.isOpen, total };
    if (this.props.value?.open !== value.open || this.props.value?.total !== value.total) this.props.value = value; // an event of the component
    say("experiment:changed", { isOpen: this.isOpen, plan: this.plan, sent: this.submitted(), axes: this.shownAxes(size), aspect: this.facts.width / this.facts.height });
  }

  shownAxes(size) {
    if (this.plan.kind !== "xyz" || !size.total) return [];
    return this.plan.axes.map((axis) => ({ label: this.about(axis.id).label, values: valuesIn(axis, this.about(axis.id)), about: this.about(axis.id) }));
  }

  drawFoot(size) {
    const { total } = size;
    const words = total === null ? t("As many pictures as the script makes") : total === 1 ? t("1 picture") : t("{n} pictures", { n: total });
    const seconds = secondsOf(size, this.facts, this.pace);
    const facts = [size.sizes.length > 1 && total ? size.sizes.join(" × ") : "", seconds ? t("about {time}", { time: duration(seconds) }) : ""].filter(Boolean).join(" · ");
    const loads = total && size.loads && t("{name} loads {n} times: it becomes the outer loop", { name: t(size.loads.label), n: size.loads.count });
    const drawn = JSON.stringify([words, facts, loads]);
    if (this.foot.dataset.drawn === drawn) return;
    this.foot.dataset.drawn = drawn;
    this.foot.replaceChildren(...[el("b", {}, words), el("span", {}, facts), loads && el("small", {}, loads)].filter(Boolean));
  }

  /** What Generate sends: "" for a picture of the form, else the plan as JSON. */
  submitted() {
    const isNothing = this.plan.kind === "xyz" && !this.plan.axes.length;
    return this.isOpen && !isNothing ? JSON.stringify(sentPlan(this.plan)) : "";
  }
}

/** The option of an extension whose control has this name: `controlnet.units.0.weight`. @param {Element} name */
function optionOf(name) {
  const field = /** @type {HTMLElement|null} */ (name.closest("[data-field]"));
  const [, extension] = /_extension_(.+)_options$/.exec(name.closest("[id$='_options']")?.id ?? "") ?? [];
  return field && extension ? `${extension}.${field.dataset.field}` : null;
}

const titleOf = (script) => t(script.title ?? script.name.charAt(0).toUpperCase() + script.name.slice(1));

function read() {
  try {
    return JSON.parse(window.webui.kept(KEPT) ?? "{}") ?? {};
  } catch {
    return {}; // what cannot be read counts as nothing
  }
}

/** @param {{element: HTMLElement, props: any}} context */
export function mount({ element, props }) {
  const made = new Experiment(element, props);
  window.webui.experiment = { submitted: () => made.submitted() };
}
