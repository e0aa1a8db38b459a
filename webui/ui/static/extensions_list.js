// The tab Extensions: a row for each, and at the right the plan of what would be installed.

import { el, icon, iconButton, t } from "./kit.js";
import { say } from "./bus.js";
import { request } from "./extension_actions.js";
import { openSettings } from "./extension_settings.js";
import { permissionsIn, Plan } from "./extension_plan.js";

/**
 * @typedef {object} Row as the route of extensions gives it
 * @property {string} name
 * @property {string} title
 * @property {string} version
 * @property {string} description
 * @property {string[]} permissions
 * @property {"ok"|"failed"|"aside"|"disabled"} state
 * @property {string} error
 * @property {string} traceback
 * @property {string} notice
 * @property {number|null} seconds what its hooks took in the latest job that called them
 */

const ADDRESS = /^(https?:\/\/|git@|[/~.]|[A-Za-z]:[\\/])|\.zip$/;

/** Draw the tab. @param {{element: HTMLElement, props: *}} context */
export function mount({ element, props }) {
  const canInstall = Boolean(props.installs);
  const search = el("input", { type: "search", id: "extensions_source", placeholder: canInstall ? t("Search, or an address, a zip or a folder to install") : t("Search"), "aria-label": canInstall ? t("Search extensions, or name what to install") : t("Search extensions"), autocomplete: "off" });
  const fetchIt = el("button", { type: "button", class: "f-quiet", id: "extensions_plan", hidden: true }, t("Look at it"));
  const again = iconButton("reload", t("Look again"), { id: "extensions_refresh" });
  const rows = el("div", { class: "x-rows", id: "extensions_list" });
  const status = el("div", { class: "a-status", role: "status", id: "extensions_status" });
  const plan = new Plan(() => load());
  element.replaceChildren(
    el("div", { class: "x-left" }, el("div", { class: "x-head" }, el("label", { class: "x-search" }, icon("search"), search), fetchIt, again), status, rows),
    plan.node,
  );
  /** @type {Row[]} */
  let all = [];
  /** @type {Record<string, {now: *, previous: *, note: string}>} */
  let installed = {};

  const failed = (/** @type {Error} */ error) => status.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, error.message));
  let [turn, switching] = [0, 0]; // how often the list was asked for, and how many switches are being sent
  const load = async () => {
    const mine = (turn += 1);
    try {
      const found = await request("extensions");
      const theirs = canInstall ? await request("extensions/installed") : {};
      if (mine !== turn || switching) return; // the last of them asks for what all have made of it
      [all, installed] = [found, theirs];
      const focused = rows.contains(document.activeElement) ? document.activeElement?.id : "";
      draw();
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    } catch (error) {
      failed(/** @type {Error} */ (error));
    }
  };
  const isAddress = () => canInstall && ADDRESS.test(search.value.trim());
  const draw = () => {
    const words = isAddress() ? [] : search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fit = all.filter((one) => words.every((word) => `${one.title} ${one.name} ${one.description}`.toLowerCase().includes(word)));
    rows.replaceChildren(...(fit.length ? fit.map(row) : [el("p", { class: "f-none" }, all.length ? t("Nothing fits.") : t("There are no extensions."))]));
    fetchIt.hidden = !isAddress();
  };
  const switchIt = async (/** @type {Row} */ one, /** @type {boolean} */ on) => {
    switching += 1;
    try {
      const answer = await request(`extensions/${encodeURIComponent(one.name)}/enabled`, { enabled: on });
      status.replaceChildren(el("span", {}, answer.restart_needed ? t("Saved. It counts from the next start of the program.") : t("Saved. It counts for the jobs after the one in work; its form is on this page from the next start.")));
    } catch (error) {
      failed(/** @type {Error} */ (error));
    } finally {
      switching -= 1;
    }
    await load();
  };
  const row = (/** @type {Row} */ one) => {
    const isOn = one.state !== "disabled" && one.state !== "aside";
    const box = el("input", { type: "checkbox", role: "switch", id: `extension_${one.name}_enable`, "aria-label": t("Use {title}", { title: one.title }) });
    box.checked = isOn;
    box.addEventListener("change", () => switchIt(one, box.checked));
    const lock = installed[one.name];
    const act = (/** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ press) => el("button", { type: "button", class: "f-quiet", id: `extension_${one.name}_${name}`, onclick: press }, label);
    const acts = lock?.now
      ? [act("update", t("Update"), () => plan.update(one.name)), lock.previous ? act("rollback", t("Back to {version}", { version: lock.previous.version }), () => plan.confirmBack(one.title, one.name, lock)) : null, act("remove", t("Remove"), () => plan.confirmRemoval(one.title, one.name))]
      : [];
    const form = one.state === "ok" ? props.settings?.[one.name] : null;
    if (form) acts.unshift(act("settings", t("Settings"), () => openSettings(one, form).catch(failed)));
    const place = lock?.now ? [lock.now.source, lock.now.ref, lock.now.commit?.slice(0, 12)].filter(Boolean).join(" · ") : "";
    return el(
      "article",
      { class: `x-row ${one.state}`, id: `extension_row_${one.name}` },
      el("div", { class: "x-what" }, el("h3", {}, one.title), el("small", {}, one.version), el("p", {}, t(one.description)), place && el("p", { class: "x-place" }, place)),
      cost(one),
      el("div", { class: "x-may" }, ...permissionsIn(one.permissions)),
      el("div", { class: "x-acts" }, ...acts.filter(Boolean), el("label", { class: "toggle" }, box)),
      one.error || one.notice ? problem(one) : null,
    );
  };
  // What it takes in a job, with a bar relative to the dearest, or to a second where none takes as long as that.
  const cost = (/** @type {Row} */ one) => {
    const most = Math.max(1, ...all.map((other) => other.seconds ?? 0));
    const node = el("div", { class: "x-cost" }, one.seconds === null || one.seconds === undefined ? "" : t("{n} s a job", { n: one.seconds < 0.1 ? "< 0.1" : one.seconds.toFixed(1) }));
    if (one.seconds) {
      const bar = el("i", { "aria-hidden": "true" });
      bar.style.setProperty("--share", `${(100 * one.seconds) / most}%`);
      node.append(bar);
    }
    return node;
  };
  const problem = (/** @type {Row} */ one) => {
    const place = /File "[^"]*?([^"/\\]+)", line (\d+)(?![\s\S]*File ")/.exec(one.traceback);
    const text = [one.error || one.notice, place && t("{file}, line {line}", { file: place[1], line: place[2] })].filter(Boolean).join(" · ");
    const report = [`${one.name} ${one.version}: ${one.state}`, one.error, one.notice, one.traceback].filter(Boolean).join("\n");
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(report);
        say("notice", { kind: "notice", text: t("Copied.") });
      } catch {
        status.replaceChildren(el("pre", { class: "x-report" }, report)); // the browser does not let us: it can be marked there
      }
    };
    const start = one.state === "aside" ? el("button", { type: "button", class: "f-quiet", onclick: () => switchIt(one, true) }, t("Start it again")) : null;
    return el("div", { class: `x-error ${one.error ? "bad" : ""}` }, el("span", {}, text), start, el("button", { type: "button", class: "f-quiet", onclick: copy }, t("Copy the report")));
  };
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && isAddress()) {
      event.preventDefault();
      plan.install(search.value.trim());
    }
  });
  fetchIt.addEventListener("click", () => plan.install(search.value.trim()));
  again.addEventListener("click", load);
  load();
}
