// The tab Library: what is looked for, the thumbnails of what was found, and what is done with those that are chosen.
import { hear, say } from "./bus.js";
import { el, icon, iconButton, pickList, segments, t } from "./kit.js";
import { openComparison } from "./library_compare.js";
import { Found, addressOf, ask } from "./library_data.js";
import { complain, openPicture } from "./library_dialog.js";
import { drawFacets, has, markFacets, toggled } from "./library_facets.js";
import { Grid } from "./library_grid.js";
import { openMore, wordsOf } from "./library_more.js";
import { whenSent } from "./sent_pictures.js";

const TYPING = 180; // milliseconds after the last key until is looked for
const SHORTCUTS = [["", "All"], ["rating:>=1", "Favourites"], ['kind:="txt2img"', "txt2img"], ['kind:="img2img"', "img2img"], ['kind:="grid"', "Grids"]];
const UNDO = 12_000; // milliseconds that a notice offers to undo
const SCAN = 1500; // milliseconds between two looks at how far a scan is
const MAX_ZIP = 2000;
const NEAR = 200; // places from where a picture was to where it is looked for in a newer list

export function mount({ element }) {
  const query = { q: "", sort: "newest", shelf: "here" };
  const openFacets = new Set();
  let found = null, asked = 0, isStale = false, changes = -1, waiting = 0, soon = 0;
  let abilities = { folders: false, reveal: false, trash_days: 30 };

  const search = el("input", { type: "search", placeholder: t("Search prompts, models, seeds"), "aria-label": t("Search"), spellcheck: "false", autocomplete: "off", title: t('Words, "phrases", -not, checkpoint:name, lora:name, tag:name, rating:>=3, date:2026-11, size:512x768, seed:7') });
  const shortcuts = segments(t("Show"), SHORTCUTS.map(([value, label]) => ({ value, label: t(label) })), "", (value) => {
    for (const [term] of SHORTCUTS) if (term && has(query.q, term)) query.q = toggled(query.q, term);
    if (value) query.q = toggled(query.q, value);
    setQuery(query.q);
  });
  const sorts = [["newest", "Newest"], ["oldest", "Oldest"], ["rating", "Most stars"], ["size", "Largest"]].map(([value, label]) => ({ value, label: t(label) }));
  const sort = pickList(t("Order"), sorts, "newest", (value) => { query.sort = value; look(); });
  const shelves = [["here", "Pictures"], ["trash", "Trash"], ["damaged", "Damaged files"]].map(([value, label]) => ({ value, label: t(label) }));
  const shelf = pickList(t("Shelf"), shelves, "here", (value) => { query.shelf = value; grid.choose([]); look(); });
  const count = el("span", { class: "library-count", role: "status" });
  const size = el("input", { type: "range", min: "96", max: "384", step: "8", value: window.webui.kept("library_size") ?? "176", "aria-label": t("Size of the thumbnails") });
  const filters = iconButton("sliders", t("Filters"), { "aria-pressed": "false", "aria-controls": "library_facets" });
  const more = iconButton("folder", t("Folders and trash"), { onclick: () => openMore(abilities, { changed: () => look(true), scan: watchScan }) });
  const bar = el("div", { class: "library-bar" }, filters, el("label", { class: "library-search" }, icon("search"), search), shortcuts, el("span", { class: "library-scan", role: "status" }), count, shelf, sort, el("label", { class: "library-size" }, el("span", {}, t("Size")), size), more);
  const facets = el("aside", { class: "library-facets", id: "library_facets", "aria-label": t("Filters"), hidden: true });
  const empty = el("div", { class: "library-empty", hidden: true });
  const chosenBar = el("div", { class: "library-chosen", role: "toolbar", "aria-label": t("Chosen pictures"), hidden: true });
  const notice = el("div", { class: "library-notice", role: "status", hidden: true });

  const grid = new Grid({ open: (place) => openAt(place), chosen: drawChosen, rate: (stars) => rated(grid.targets(), stars).catch(complain), remove: () => remove(grid.targets()).catch(complain), fault: complain });
  grid.side = Number(size.value);
  element.append(bar, el("div", { class: "library-main" }, facets, el("div", { class: "library-found" }, grid.scroll, empty)), chosenBar, notice);

  // ---- looking for pictures
  let looking = Promise.resolve();
  function look(keep = false) {
    looking = lookNow(keep);
    return looking;
  }
  async function lookNow(keep) {
    const turn = ++asked;
    isStale = false;
    try {
      const fresh = await new Found(query).begin();
      if (turn !== asked) return;
      search.setCustomValidity("");
      found = fresh;
      grid.show(found, keep);
      count.textContent = found.total === 1 ? t("1 picture") : t("{n} pictures", { n: found.total.toLocaleString() });
      drawEmpty();
      if (!facets.hidden) await drawFilters(turn);
    } catch (error) {
      if (turn !== asked) return;
      count.textContent = error.message;
    }
  }
  async function drawFilters(turn = asked) {
    const told = await ask("GET", `facets?${new URLSearchParams({ q: query.q, shelf: query.shelf })}`);
    if (turn === asked) drawFacets(facets, told, search.value, openFacets, (term) => setQuery(toggled(search.value, term)));
  }
  function setQuery(text) {
    clearTimeout(waiting); // what is typed is in the text already
    query.q = search.value = text;
    markFacets(facets, text);
    shortcuts.value = SHORTCUTS.findLast(([term]) => !term || has(text, term))[0];
    look();
  }
  function drawEmpty() {
    empty.hidden = found.total > 0;
    const text = query.shelf === "trash" ? t("The trash is empty.") : query.q || query.shelf !== "here" ? t("Nothing was found.") : t("Every picture that you make appears here.");
    empty.replaceChildren(el("p", {}, text));
    if (query.q) empty.append(el("button", { type: "button", class: "small", onclick: () => setQuery("") }, t("Show all")));
  }
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => setQuery(search.value), TYPING);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") grid.focus(0);
    else if (event.key !== "Enter") return;
    event.preventDefault();
  });
  const fillTrack = () => size.style.setProperty("--range_progress", `${(100 * (size.value - size.min)) / (size.max - size.min)}%`);
  fillTrack();
  size.addEventListener("input", () => {
    fillTrack();
    grid.side = Number(size.value);
    window.webui.keep("library_size", size.value);
  });
  filters.addEventListener("click", () => {
    facets.hidden = !facets.hidden;
    filters.setAttribute("aria-pressed", String(!facets.hidden));
    window.webui.keep("library_filters", facets.hidden ? null : "open");
    if (!facets.hidden) drawFilters().catch(complain);
    grid.later();
  });
  if (window.webui.kept("library_filters") && innerWidth > 720) filters.click();

  // ---- one picture
  function openAt(start) {
    let place = start;
    const picture = found.at(place);
    if (!picture || picture.fault) return;
    let { number } = picture;
    const step = async (by, from) => {
      const list = found;
      if (list.placeOf(from) < 0) await list.load(place - NEAR, place + NEAR);
      if (list.placeOf(from) >= 0) place = list.placeOf(from); // pictures before it may have come or gone
      if (place + by < 0 || place + by >= list.total) return null;
      place += by;
      await list.load(place, place + 1);
      number = list.at(place)?.number ?? null;
      return number;
    };
    openNumber(number, step).addEventListener("close", () => {
      const now = found.placeOf(number);
      grid.focus(now < 0 ? place : now);
    });
  }
  function openNumber(number, step) {
    const dialog = openPicture(number, {
      step, rated, remove, fault: complain, canReveal: abilities.reveal,
      changed: () => { isStale = true; },
      search: (text) => { dialog.close(); setQuery(text); },
    });
    return dialog;
  }
  /** Open a picture that another part of the page shows. */
  async function openSent(picture) {
    const { number } = picture.job ? ((await ask("GET", `of-job/${picture.job}/${picture.index}`)) ?? {}) : { number: Number(picture.id.split(":")[1]) };
    if (!number) {
      say("notice", { kind: "notice", text: t("This picture is not in the library: it was not saved, or its file is gone.") });
      return;
    }
    query.shelf = shelf.value = "here";
    setQuery("");
    await looking;
    const place = found?.placeOf(number) ?? -1;
    if (place >= 0) openAt(place);
    else openNumber(number, async () => null);
  }

  // ---- several pictures
  const tag = el("input", { type: "text", placeholder: t("Add a tag"), "aria-label": t("Add a tag to the chosen pictures"), maxlength: "80" });
  tag.addEventListener("keydown", (event) => {
    const typed = tag.value;
    if (event.key !== "Enter" || !typed.trim()) return;
    tag.value = ""; // the next one may be typed before the answer
    ask("POST", "tags", { ids: [...grid.chosen], add: [typed] }).then(() => look(true), (error) => {
      tag.value ||= typed;
      complain(error);
    });
  });
  function drawChosen() {
    const numbers = [...grid.chosen];
    chosenBar.hidden = !numbers.length;
    if (!numbers.length) {
      tag.value = "";
      return;
    }
    const isTyping = document.activeElement === tag;
    const button = (name, label, act, attributes = {}) => el("button", { type: "button", class: "small", onclick: () => Promise.resolve(act()).catch(complain), ...attributes }, icon(name), label);
    const inTrash = query.shelf === "trash";
    const stars = pickList(t("Give stars"), [0, 1, 2, 3, 4, 5].map((n) => ({ value: String(n), label: n ? "★".repeat(n) : t("No stars") })), "", (value) => rated([...grid.chosen], Number(value)).catch(complain));
    stars.value = t("Stars");
    const zip = el("a", { class: "small", href: addressOf(`internal/page/library/zip?ids=${numbers.slice(0, MAX_ZIP).join(",")}`), download: "pictures.zip" }, icon("download"), t("Zip"));
    chosenBar.replaceChildren(el("b", {}, t("{n} chosen", { n: numbers.length.toLocaleString() })), ...(inTrash
      ? [button("undo", t("Restore"), () => restore(numbers)), button("clear", t("Delete for good"), () => purge(numbers))]
      : [stars, tag, button("compare", t("Compare"), compare, { disabled: numbers.length !== 2 }), zip, button("clear", t("Delete"), () => remove(numbers))]),
    iconButton("close", t("Choose none"), { onclick: () => grid.choose([]) }));
    if (isTyping) tag.focus({ preventScroll: true });
  }
  async function rated(numbers, stars) {
    await ask("POST", "rating", { ids: numbers, rating: stars });
    for (const number of numbers) {
      found.change(number, { rating: stars });
      grid.refresh(number);
    }
  }
  async function compare() {
    const [first, second] = await Promise.all([...grid.chosen].map((number) => ask("GET", `pictures/${number}`)));
    openComparison({ url: first.picture.url, name: first.picture.name, told: first.told }, { url: second.picture.url, name: second.picture.name, told: second.told });
  }
  /** These have gone elsewhere; others may have been chosen meanwhile. */
  async function changed(numbers) {
    const gone = new Set(numbers);
    grid.choose([...grid.chosen].filter((number) => !gone.has(number)));
    await look(true);
  }
  async function remove(numbers) {
    if (!numbers.length) return;
    if (query.shelf === "trash") {
      await purge(numbers);
      return;
    }
    const { done, refused } = await ask("POST", "trash", { ids: numbers });
    await changed(numbers);
    tell(t("{n} pictures were put into the trash.", { n: done.length }), refused, done.length ? () => restore(done) : null);
  }
  async function restore(numbers) {
    const { done, refused } = await ask("POST", "restore", { ids: numbers });
    await changed(numbers);
    tell(t("{n} pictures are back where they were.", { n: done.length }), refused);
  }
  async function purge(numbers) {
    if (!confirm(t("Delete {n} pictures for good? This cannot be undone.", { n: numbers.length }))) return;
    const { done, refused } = await ask("POST", "purge", { ids: numbers });
    await changed(numbers);
    tell(t("{n} pictures were deleted for good.", { n: done.length }), refused);
  }
  let fading = 0;
  function tell(text, refused, undo = null) {
    clearTimeout(fading);
    const why = refused.length ? ` ${refused[0].reason}` : "";
    notice.replaceChildren(el("span", {}, text + why));
    if (undo) notice.append(el("button", { type: "button", class: "small", onclick: () => undo().catch(complain) }, icon("undo"), t("Undo")));
    notice.hidden = false;
    fading = setTimeout(() => { notice.hidden = true; }, UNDO);
  }

  // ---- what happens elsewhere
  const isInView = () => Boolean(element.offsetParent) && !document.hidden;
  const refreshSoon = () => {
    isStale = true;
    clearTimeout(soon);
    soon = setTimeout(() => { if (isStale && isInView() && !document.querySelector("dialog[open]")) look(true); }, 400);
  };
  // an event that does not bubble: while a dialog is open nothing is drawn anew under it
  document.addEventListener("close", () => { if (isStale) refreshSoon(); }, true);
  hear("job:picture", refreshSoon);
  hear("tab:opened", ({ tab }) => { if (tab === "image_browser") watchScan().then(() => isStale && look(true)); });
  let isWatching = false;
  async function watchScan() {
    if (isWatching) return;
    isWatching = true;
    const told = bar.querySelector(".library-scan");
    try {
      const scan = await ask("GET", "scan");
      told.textContent = wordsOf(scan);
      if (changes >= 0 && scan.changes !== changes) refreshSoon();
      changes = scan.changes;
      if (scan.running && isInView()) setTimeout(watchScan, SCAN);
    } catch (error) {
      told.textContent = error.message;
    }
    isWatching = false;
  }
  look();
  watchScan();
  whenSent("library", (pictures) => openSent(pictures.at(-1)).catch(complain));
  ask("GET", "abilities").then((told) => { abilities = told; }, complain);
}
