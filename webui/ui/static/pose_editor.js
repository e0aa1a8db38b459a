// The editor of poses: people whose joints are dragged, by mouse, finger or arrow keys. Hands and faces that were read
// from a picture are kept and move with their wrists and nose.

import { el, openDialog, t } from "./kit.js";
import { send } from "./page_requests.js";
import { Figure, svg } from "./pose_drawing.js";
import { fresh, fromJson, jointNames, MOST, standing, toJson, withAnother, withJoint, without, withShift } from "./pose_figure.js";

/** @typedef {import("./pose_figure.js").Pose} Pose */

const STEPS = Object.freeze({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
const MOST_UNDONE = 100;
/** Pixels of the screen up to which a joint is taken, also where the press was beside it: a finger is wide. */
const REACH = Object.freeze({ touch: 28, pen: 18, mouse: 9 });
const ON_A_LIMB = 12; // pixels up to which a press on a limb means its joint, and not the whole figure

/**
 * Open it.
 * @param {object} about
 * @param {*} about.json OpenPose's JSON to begin with; null: somebody who stands
 * @param {number} about.width of a new canvas
 * @param {number} about.height
 * @param {string} [about.behind] the address of a picture that is seen behind the figures
 * @param {(() => Promise<*>)|null} [about.read] reads the JSON from the picture
 * @param {(file: File, json: *) => void} about.use is given the map, as a PNG, and its JSON
 */
export function openPoseEditor({ json, width, height, behind = "", read = null, use }) {
  const editor = new PoseEditor(json ? fromJson(json) : fresh(width, height), behind);
  const done = el("button", { type: "button", class: "f-go", id: "pose_use" }, t("Use this pose"));
  const reading = read && el("button", { type: "button", class: "f-quiet", id: "pose_read" }, t("Read it from the picture"));
  const body = el("div", { class: "declared in-dialog" }, editor.bar, editor.node, editor.lacking, editor.status, el("div", { class: "a-go" }, reading, done));
  const dialog = openDialog({ title: t("Pose"), className: "pose-dialog" }, body);
  // What would be moved meanwhile would be lost: the answer is about the pose as it was. Escape cancels all the same.
  const guarded = async (/** @type {HTMLButtonElement} */ button, /** @type {() => Promise<void>} */ work) => {
    body.inert = button.disabled = true;
    try {
      await work();
    } catch (error) {
      editor.say(/** @type {Error} */ (error).message);
    } finally {
      body.inert = button.disabled = false;
      if (dialog.open && !dialog.contains(document.activeElement)) button.focus();
    }
  };
  reading?.addEventListener("click", () => guarded(reading, async () => editor.change(fromJson(await read()))));
  done.addEventListener("click", () =>
    guarded(done, async () => {
      const made = toJson(editor.pose);
      const { image } = await send("pose", made);
      if (!dialog.open) return;
      const bytes = Uint8Array.from(atob(image), (one) => one.charCodeAt(0));
      use(new File([bytes], "pose.png", { type: "image/png" }), made);
      dialog.close();
    }),
  );
}

class PoseEditor {
  constructor(/** @type {Pose} */ pose, /** @type {string} */ behind) {
    this.pose = pose;
    this.behind = behind;
    this.at = 0;
    /** @type {Pose[]} */ this.past = [];
    /** @type {Pose[]} */ this.future = [];
    /** @type {{pointer: number, joint: number|null, person: number, x: number, y: number, before: Pose}|null} */ this.held = null;
    this.node = svg("svg", { class: "pose-canvas", role: "group", "aria-label": t("Figures: drag a joint, or move it by arrow keys") });
    this.lacking = el("div", { class: "pose-lacking" });
    this.status = el("div", { class: "a-status", role: "status" });
    const act = (/** @type {string} */ id, /** @type {string} */ label, /** @type {() => void} */ press) => el("button", { type: "button", class: "f-quiet", id: `pose_${id}`, onclick: press }, label);
    this.undoing = act("undo", t("Undo"), () => this.#go(this.past, this.future));
    this.redoing = act("redo", t("Redo"), () => this.#go(this.future, this.past));
    this.another = act("add", t("Another person"), () => this.#add());
    this.removing = act("remove", t("Remove this person"), () => this.change(without(this.pose, this.at)));
    const file = el("input", { type: "file", accept: ".json,application/json", hidden: true, id: "pose_file" });
    file.addEventListener("change", () => this.#load(file));
    this.bar = el("div", { class: "pose-bar" }, this.undoing, this.redoing, this.another, this.removing, file, act("load", t("Load JSON"), () => file.click()), act("save", t("Save JSON"), () => this.#save()));
    this.node.addEventListener("pointerdown", (event) => this.#take(/** @type {PointerEvent} */ (event)));
    this.node.addEventListener("pointermove", (event) => this.#drag(/** @type {PointerEvent} */ (event)));
    for (const name of ["pointerup", "pointercancel"]) this.node.addEventListener(name, () => this.#letGo());
    this.node.addEventListener("focusin", (event) => this.#choose(Number(/** @type {SVGElement} */ (event.target).dataset.person ?? this.at)));
    this.node.addEventListener("keydown", (event) => this.#key(/** @type {KeyboardEvent} */ (event)));
    this.#build();
  }

  say(/** @type {string} */ text) {
    this.status.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, text));
  }

  /** Another pose, which can be undone. */
  change(/** @type {Pose} */ pose) {
    this.past = [...this.past.slice(1 - MOST_UNDONE), this.pose];
    this.future = [];
    this.#show(pose);
  }

  #show(/** @type {Pose} */ pose) {
    const isBuilt = pose.people.length === this.figures.length && pose.width === this.pose.width && pose.height === this.pose.height;
    this.pose = pose;
    if (isBuilt) this.#place();
    else this.#build();
  }

  #build() {
    const { width, height, people } = this.pose;
    this.at = Math.max(0, Math.min(this.at, people.length - 1));
    this.figures = people.map((_, number) => new Figure(number));
    this.node.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const ground = svg("rect", { width, height, fill: "black" });
    const picture = this.behind ? [svg("image", { href: this.behind, width, height, opacity: 0.45, preserveAspectRatio: "xMidYMid slice" })] : [];
    this.node.replaceChildren(ground, ...picture, ...this.figures.map((one) => one.node));
    this.#place();
  }

  #place() {
    this.figures.forEach((figure, number) => figure.place(this.pose.people[number], (name, { x, y }) => t("Person {n}: {name}, {x} to the right, {y} down", { n: number + 1, name, x: Math.round(x), y: Math.round(y) })));
    this.#choose(this.at);
    this.undoing.disabled = !this.past.length;
    this.redoing.disabled = !this.future.length;
    this.another.disabled = this.pose.people.length >= MOST.people;
    this.removing.disabled = !this.pose.people.length;
  }

  #choose(/** @type {number} */ number) {
    this.at = number;
    this.figures.forEach((figure, one) => figure.node.classList.toggle("chosen", one === number && this.figures.length > 1));
    const person = this.pose.people[number];
    const missing = person ? jointNames().flatMap((name, joint) => (person.body[joint] ? [] : [el("button", { type: "button", class: "f-quiet", onclick: () => this.#restore(joint) }, `+ ${name}`)])) : [];
    this.lacking.replaceChildren(...missing);
  }

  /** A joint that is missing, where it would be if the person stood. */
  #restore(/** @type {number} */ joint) {
    const { width, height, people } = this.pose;
    const usual = standing(width, height).body;
    const neck = people[this.at].body[1];
    const [from, to] = [/** @type {{x: number, y: number}} */ (usual[1]), /** @type {{x: number, y: number}} */ (usual[joint])];
    const place = neck ? { x: neck.x + to.x - from.x, y: neck.y + to.y - from.y } : to;
    this.change(withJoint(this.pose, this.at, joint, place));
    this.figures[this.at].joints[joint].joint.focus();
  }

  #add() {
    this.change(withAnother(this.pose));
    this.#choose(this.pose.people.length - 1);
  }

  #go(/** @type {Pose[]} */ from, /** @type {Pose[]} */ to) {
    const pose = from.pop();
    if (!pose) return;
    to.push(this.pose);
    this.#show(pose);
  }

  /** A place of the screen on the canvas, which may have bars beside it. */
  #point(/** @type {PointerEvent} */ event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(/** @type {SVGGraphicsElement} */ (this.node).getScreenCTM()?.inverse());
    return { x, y };
  }

  /** The joint that is nearest to a press; of several people alike, that of the chosen one. */
  #near(/** @type {PointerEvent} */ event) {
    const press = this.#point(event);
    const scale = /** @type {SVGGraphicsElement} */ (this.node).getScreenCTM()?.a ?? 1;
    const isLimb = /** @type {Element} */ (event.target).closest(".pose-limb") !== null;
    const reach = Math.min(REACH[/** @type {keyof typeof REACH} */ (event.pointerType)] ?? REACH.touch, isLimb ? ON_A_LIMB : Infinity);
    let [nearest, least] = [/** @type {Element|null} */ (null), reach / scale];
    this.pose.people.forEach((person, number) =>
      person.body.forEach((point, joint) => {
        if (!point) return;
        const far = Math.hypot(point.x - press.x, point.y - press.y) * (number === this.at ? 0.999 : 1);
        if (far <= least) [nearest, least] = [this.figures[number].joints[joint].joint, far];
      }),
    );
    return nearest;
  }

  #take(/** @type {PointerEvent} */ event) {
    const target = this.#near(event) ?? /** @type {Element} */ (event.target).closest("[data-joint], .pose-limb");
    if (!target || event.button !== 0 || this.held) return;
    const { person, joint } = /** @type {SVGElement} */ (target).dataset;
    event.preventDefault();
    this.node.setPointerCapture(event.pointerId);
    /** @type {SVGElement} */ (target).focus?.({ preventScroll: true });
    this.held = { pointer: event.pointerId, joint: joint === undefined ? null : Number(joint), person: Number(person), ...this.#point(event), before: this.pose };
    this.#choose(Number(person));
  }

  #drag(/** @type {PointerEvent} */ event) {
    const { held } = this;
    if (!held || event.pointerId !== held.pointer) return;
    const to = this.#point(event);
    const pose = held.joint === null ? withShift(held.before, held.person, to.x - held.x, to.y - held.y) : withJoint(held.before, held.person, held.joint, to);
    this.#show(pose);
  }

  #letGo() {
    const { held } = this;
    this.held = null;
    if (!held || held.before === this.pose) return;
    const now = this.pose;
    this.pose = held.before;
    this.change(now);
  }

  #key(/** @type {KeyboardEvent} */ event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      event.stopPropagation();
      if (event.shiftKey) this.#go(this.future, this.past);
      else this.#go(this.past, this.future);
      return;
    }
    const { person, joint } = /** @type {SVGElement} */ (event.target).dataset;
    if (joint === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const point = this.pose.people[Number(person)].body[Number(joint)];
    const step = STEPS[/** @type {keyof typeof STEPS} */ (event.key)];
    if (step && point) {
      const far = event.shiftKey ? 10 : 1;
      this.change(withJoint(this.pose, Number(person), Number(joint), { x: point.x + far * step[0], y: point.y + far * step[1] }));
    } else if (event.key === "Delete" || event.key === "Backspace") this.change(withJoint(this.pose, Number(person), Number(joint), null));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async #load(/** @type {HTMLInputElement} */ input) {
    const [file] = input.files ?? [];
    input.value = "";
    if (!file) return;
    try {
      this.change(fromJson(JSON.parse(await file.text())));
      this.status.replaceChildren();
    } catch (error) {
      this.say(error instanceof SyntaxError ? t("{name} is no JSON.", { name: file.name }) : /** @type {Error} */ (error).message);
    }
  }

  #save() {
    const address = URL.createObjectURL(new Blob([JSON.stringify(toJson(this.pose))], { type: "application/json" }));
    el("a", { href: address, download: "pose.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}
