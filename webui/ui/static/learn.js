// The tab Learn: the list of views at the left, the view, the steps of the run below it, the explanation at the right.
import { hear } from "./bus.js";
import { el, icon, t } from "./kit.js";
import { Shared } from "./learn_shared.js";
import { RunSource } from "./learn_source.js";
import { TimeBar } from "./learn_time.js";
import { Tour } from "./learn_tour.js";
import { groups } from "./learn_views.js";
import { askedFor } from "./tabs.js";

const NARROW = matchMedia("(max-width: 1180px)"); // then the list has icons alone
const KEPT = "learn_view"; // in the browser: the view that was open last

export function mount({ element }) {
  const learn = new Learn(element);
  hear("learn:show", ({ view }) => learn.show(view));
  learn.start(askedFor === "png_info" ? askedFor : window.webui.kept(KEPT));
}

class Learn {
  #views = new Map(); // name -> its row, button, place, and what `mount` gave back once it was called
  #current = null;

  constructor(element) {
    this.element = element;
    const list = el("div", { class: "learn-list", role: "tablist", "aria-orientation": "vertical", "aria-label": t("Views of Learn") });
    const main = el("div", { class: "learn-main" });
    for (const group of groups()) {
      list.append(el("span", { class: "learn-group", role: "presentation" }, group.title));
      for (const row of group.views) this.#add(row, list, main);
    }
    this.title = el("h1", {});
    this.about = el("p", {});
    const tools = el("div", { class: "learn-tools" });
    const explanation = el("div", { class: "learn-why-in" });
    this.shared = new Shared({ explanation, tools, show: (view) => this.show(view) });
    this.shared.source = new RunSource(this.shared);
    this.time = new TimeBar(this.shared);
    this.tour = new Tour({ shared: this.shared, element });
    element.append(
      el("nav", { class: "learn-nav", "aria-label": t("Learn") }, list, this.tour.button),
      el("header", { class: "learn-head" }, this.title, this.about, tools),
      main,
      this.time.element,
      el("aside", { class: "learn-why", "aria-label": t("Explanation"), tabindex: "0" }, explanation),
    );
    this.shared.hear(() => this.#draw());
    list.addEventListener("keydown", (event) => this.#walk(event));
    document.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(main);
  }

  /** Show the first view. @param {string|null} wanted */
  start(wanted) {
    for (const view of this.#views.values()) if (view.row.isEager) this.#mount(view);
    if (!this.#current) this.show(this.#views.has(wanted) ? wanted : "run");
  }

  /** Show a view by its name; an unknown one is left alone. */
  show(name) {
    const view = this.#views.get(name);
    if (!view || view === this.#current) return;
    for (const other of this.#views.values()) {
      const isShown = other === view;
      other.button.setAttribute("aria-selected", String(isShown));
      other.button.tabIndex = isShown ? 0 : -1;
      other.place.hidden = !isShown;
    }
    this.#current = view;
    view.button.scrollIntoView?.({ block: "nearest", inline: "nearest" }); // on a phone the list is wider than the page
    this.element.dataset.view = name;
    this.title.textContent = view.row.title;
    this.about.textContent = view.row.about;
    this.time.element.hidden = !view.row.hasTime;
    this.shared.tools();
    this.shared.explain();
    this.#mount(view);
    window.webui.keep(KEPT, name);
    this.#draw();
  }

  #add(row, list, main) {
    const button = el("button", { type: "button", role: "tab", id: `learn_${row.name}_tab`, "aria-controls": `learn_${row.name}`, "aria-selected": "false", tabindex: "-1", title: NARROW.matches ? row.title : null, onclick: () => this.show(row.name) }, icon(row.icon), el("span", {}, row.title));
    const place = el("div", { class: "learn-view", role: "tabpanel", id: `learn_${row.name}`, "aria-labelledby": button.id, tabindex: "0" });
    place.hidden = true;
    list.append(button);
    main.append(place);
    this.#views.set(row.name, { row, button, place, made: null });
  }

  #mount(view) {
    view.made ??= view.row.mount(view.place, this.shared) ?? {};
  }

  #draw() {
    if (!this.#current || !this.element.getClientRects().length) return;
    if (this.#current.row.hasTime) this.time.draw();
    this.#current.made?.draw?.();
  }

  #walk(event) {
    const all = [...this.#views.values()];
    const at = all.findIndex((view) => view.button === event.target);
    const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = all[(to + all.length) % all.length];
    next.button.focus();
    this.show(next.row.name);
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || !this.element.getClientRects().length) return;
    if (document.querySelector("dialog[open]") || event.target.closest?.("input, textarea, select, [role=slider], [contenteditable=true]")) return;
    if (event.target.closest?.("[role=tab]") && !/^[1-9tT]$/.test(event.key)) return; // arrows and the space bar are the list's
    const view = /^[1-9]$/.test(event.key) ? [...this.#views.keys()][Number(event.key) - 1] : undefined;
    if (view) this.show(view);
    else if (this.tour.press(event)) event.stopPropagation();
    else if (!this.#current.row.hasTime || !this.time.press(event)) return;
    event.preventDefault();
  }
}
