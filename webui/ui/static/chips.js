// The networks that the prompt uses, as chips: the wheel or the arrow keys on the number change the weight, the cross
// takes the network out. A name that no file has is marked, with a sentence.

import { send } from "./page_requests.js";
import { el, t } from "./kit.js";
import { prompts, setPrompt } from "./prompt_boxes.js";
import { tagsIn, withWeight, without, written } from "./prompt_text.js";

const STEP = 0.05;
const PAUSE = 300; // milliseconds before the server is asked about new names
const KINDS = Object.freeze({ lora: "lora", hypernet: "hypernetwork" });

export class Chips {
  /** @param {HTMLElement} list  a `<ul>` */
  constructor(list) {
    this.list = list;
    this.known = new Map(); // "lora:name" -> {id, base} or null
    this.timer = 0;
    list.addEventListener("wheel", (event) => this.turned(event), { passive: false });
    list.addEventListener("keydown", (event) => this.pressed(event));
    list.addEventListener("click", (event) => this.clicked(event));
  }

  /** Draw the chips of a prompt, changing those that are there. */
  show(text) {
    const tags = tagsIn(text);
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    const place = focused ? [...this.list.children].indexOf(focused.closest("li")) : -1;
    while (this.list.children.length > tags.length) this.list.lastElementChild.remove();
    tags.forEach((tag, index) => {
      const chip = this.list.children[index] ?? this.list.appendChild(draw());
      this.fill(chip, tag, index);
    });
    if (place >= 0 && !this.list.contains(document.activeElement)) this.list.children[Math.min(place, tags.length - 1)]?.querySelector("button").focus();
    this.list.hidden = tags.length === 0;
    this.askAbout(tags);
  }

  /** The server was asked to look at its folders again: names may be known now. */
  forget() {
    this.known.clear();
    this.show(prompts().prompt);
  }

  fill(chip, tag, index) {
    const weight = written(tag.weight ?? 1);
    const missing = this.known.get(keyOf(tag)) === null;
    const [name, number, away] = chip.children;
    chip.dataset.index = String(index);
    chip.classList.toggle("missing", missing);
    name.textContent = missing ? `${tag.name} ?` : tag.name;
    number.textContent = weight;
    number.setAttribute("aria-label", t("Weight of {name}: {weight}. Arrow keys change it", { name: tag.name, weight }));
    away.setAttribute("aria-label", t("Take {name} out of the prompt", { name: tag.name }));
    const told = missing ? t("There is no file of the name {name}: it has no effect.", { name: tag.name }) : tag.name;
    name.title = told;
    if (missing) name.setAttribute("aria-label", told);
    else name.removeAttribute("aria-label");
  }

  askAbout(tags) {
    const fresh = tags.filter((tag) => !this.known.has(keyOf(tag)));
    clearTimeout(this.timer);
    if (fresh.length === 0) return;
    this.timer = setTimeout(async () => {
      const names = { lora: [], hypernetwork: [] };
      for (const tag of fresh.slice(0, 100)) names[KINDS[tag.kind]].push(tag.name.slice(0, 400));
      try {
        const found = await send("networks/named", names);
        for (const tag of fresh) this.known.set(keyOf(tag), found[KINDS[tag.kind]][tag.name] ?? null);
      } catch {
        return; // it is asked again when the prompt changes
      }
      this.show(prompts().prompt);
    }, PAUSE);
  }

  tagOf(target) {
    const chip = target instanceof Element ? target.closest("li") : null;
    const text = prompts().prompt;
    return chip ? { text, tag: tagsIn(text)[Number(chip.dataset.index)] } : {};
  }

  change(target, by) {
    const { text, tag } = this.tagOf(target);
    if (tag) setPrompt("prompt", withWeight(text, tag, (tag.weight ?? 1) + by));
  }

  turned(event) {
    if (!(event.target instanceof Element) || !event.target.closest(".chip-value") || event.deltaY === 0) return;
    event.preventDefault();
    this.change(event.target, event.deltaY < 0 ? STEP : -STEP);
  }

  pressed(event) {
    if (!event.target.closest(".chip-value") || event.ctrlKey || event.altKey || event.metaKey) return;
    const by = { ArrowUp: STEP, ArrowRight: STEP, ArrowDown: -STEP, ArrowLeft: -STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.change(event.target, by);
  }

  clicked(event) {
    if (!event.target.closest(".chip-away")) return;
    const { text, tag } = this.tagOf(event.target);
    if (tag) setPrompt("prompt", without(text, tag.start, tag.end));
  }
}

function draw() {
  return el("li", { class: "chip" },
    el("span", { class: "chip-name" }),
    el("button", { type: "button", class: "chip-value" }),
    el("button", { type: "button", class: "chip-away" }, "×"),
  );
}

const keyOf = (tag) => `${tag.kind}:${tag.name}`;
