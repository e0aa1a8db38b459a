// The plan of an installation, an update, a way back or a removal: what it would do, and the button that does it.

import { el, t } from "./kit.js";
import { say } from "./bus.js";
import { request } from "./extension_actions.js";

const STEPS = () => [t("Fetched and read, not run"), t("You look at this plan"), t("Packages and files are put in place"), t("Started; put back if it fails")];
const PERMISSIONS = Object.freeze({ models: "reads models", files: "reads and writes files", network: "network" });
const HOW_FETCHED = 0;
const LOOKING = 1;
const DOING = 2;
const DONE = 4;

/** What an extension may do, in words. */
export function permissionsIn(/** @type {string[]} */ permissions) {
  if (!permissions.length) return [el("span", { class: "x-none" }, t("computes only"))];
  return permissions.map((one) => el("span", { class: one === "network" ? "x-network" : "" }, t(PERMISSIONS[one] ?? one)));
}

export class Plan {
  #turn = 0; // what was asked for last: an answer to something before it draws nothing

  /** @param {() => void} changed called when something was installed or removed */
  constructor(changed) {
    this.changed = changed;
    this.node = el("aside", { class: "x-plan", "aria-label": t("Plan"), id: "extensions_planned", hidden: true });
    this.token = "";
  }

  /** Fetch what would be installed and show it; nothing runs. */
  install(/** @type {string} */ source) {
    return this.#fetch({ source }, source);
  }

  /** Look for a newer version. */
  update(/** @type {string} */ name) {
    return this.#fetch({ update: name }, name);
  }

  /** Ask before the earlier version comes back. */
  confirmBack(/** @type {string} */ title, /** @type {string} */ name, /** @type {*} */ lock) {
    this.#ask(t("{title}, back to {version}", { title, version: lock.previous.version }), t("Version {now} is put aside, and {before} takes its place. Running jobs end first; waiting ones stay.", { now: lock.now.version, before: lock.previous.version }), t("Go back"), async () => {
      const { installed } = await request(`extensions/${encodeURIComponent(name)}/rollback`, {});
      return t("{name} is at version {version} again.", { name: title, version: installed.version });
    });
  }

  /** Ask before an extension is removed. */
  confirmRemoval(/** @type {string} */ title, /** @type {string} */ name) {
    this.#ask(t("Remove {title}", { title }), t("Its folder is removed. Packages that came with it stay."), t("Remove"), async () => {
      const answer = await request(`extensions/${encodeURIComponent(name)}/remove`, {});
      const left = answer.unneeded_packages ?? [];
      return left.length ? t("{name} is removed. Nobody needs these packages any more: {list}.", { name: title, list: left.join(", ") }) : t("{name} is removed.", { name: title });
    });
  }

  close() {
    this.#turn += 1;
    this.node.hidden = true;
    this.node.replaceChildren();
    this.token = "";
  }

  async #fetch(/** @type {*} */ body, /** @type {string} */ what) {
    this.#turn += 1;
    const mine = this.#turn;
    const from = document.activeElement;
    const before = this.#discard();
    this.#show(el("h2", {}, what), steps(HOW_FETCHED), el("p", { role: "status" }, t("Fetching and reading …")));
    await before;
    if (mine !== this.#turn) return;
    try {
      const told = await request("extensions/plan", body);
      if (mine !== this.#turn) {
        if (told.token) await discarded(told.token);
        return;
      }
      if (told.action === "none") this.#show(el("h2", {}, what), said("good", t("It is up to date.")), this.#leave(t("Close")));
      else this.#draw(told, from);
    } catch (error) {
      if (mine !== this.#turn) return;
      this.#show(el("h2", {}, what), said("bad", /** @type {Error} */ (error).message), this.#leave(t("Close")));
    }
    this.node.scrollIntoView?.({ block: "nearest" });
  }

  #draw(/** @type {*} */ told, /** @type {Element|null} */ from) {
    this.token = told.token;
    const { manifest } = told;
    const title = manifest.title || manifest.name;
    const heading = told.action === "update" ? t("Update {title} from {before} to {version}", { title, before: told.before?.version ?? "?", version: manifest.version }) : t("Install {title} {version}", { title, version: manifest.version });
    const status = el("div", { class: "a-status", role: "status" });
    const go = el("button", { type: "button", class: "f-go", id: "extensions_apply" }, told.action === "update" ? t("Update") : t("Install"));
    const apply = async () => {
      const mine = this.#turn;
      const { token } = this;
      this.token = ""; // it is used up: nobody discards it
      go.disabled = true;
      this.node.querySelector(".x-steps")?.replaceWith(steps(DOING));
      try {
        const { installed } = await request("extensions/apply", { token });
        this.#finish(mine, t("{name} {version} is installed. Its form is on this page from the next start of the program.", { name: title, version: installed.version }), el("h2", {}, heading), steps(DONE));
      } catch (error) {
        const { message } = /** @type {Error} */ (error);
        if (mine !== this.#turn) {
          say("notice", { kind: "error", text: message });
          return;
        }
        this.token = token;
        // a plan that is no longer true is refused: it is drawn anew by looking again
        this.node.querySelector(".x-steps")?.replaceWith(steps(LOOKING));
        status.replaceChildren(said("bad", message));
        go.disabled = false;
      }
    };
    go.addEventListener("click", apply);
    this.#show(
      el("h2", {}, heading),
      el("p", {}, manifest.description),
      el("p", { class: "x-from" }, told.source, told.ref ? ` (${told.ref}) ` : " ", el("code", {}, told.commit ? t("commit {commit}", { commit: told.commit.slice(0, 12) }) : t("content {hash}", { hash: told.sha256.slice(0, 12) }))),
      steps(LOOKING),
      el("h3", {}, t("It may")),
      el("div", { class: "x-may" }, ...permissionsIn(manifest.permissions)),
      el("p", {}, told.trust),
      el("h3", {}, t("Packages: {n} change", { n: told.packages.length })),
      told.packages.length ? packages(told.packages) : el("p", {}, t("It needs no further packages.")),
      ...told.warnings.map((/** @type {string} */ one) => said("warn", one)),
      el("p", {}, t("Running jobs end first; waiting ones stay.")),
      status,
      el("div", { class: "a-go" }, this.#leave(t("Leave it")), go),
    );
    if ([from, document.body].includes(document.activeElement)) go.focus({ preventScroll: true }); // else somebody is at something else by now
  }

  #ask(/** @type {string} */ heading, /** @type {string} */ text, /** @type {string} */ label, /** @type {() => Promise<string>} */ work) {
    this.#turn += 1;
    const mine = this.#turn;
    const status = el("div", { class: "a-status", role: "status" });
    const go = el("button", { type: "button", class: "f-go", id: "extensions_apply" }, label);
    go.addEventListener("click", async () => {
      go.disabled = true;
      try {
        this.#finish(mine, await work(), el("h2", {}, heading));
      } catch (error) {
        const { message } = /** @type {Error} */ (error);
        go.disabled = false;
        status.replaceChildren(said("bad", message));
        if (mine !== this.#turn) say("notice", { kind: "error", text: message });
      }
    });
    this.#show(el("h2", {}, heading), el("p", {}, text), status, el("div", { class: "a-go" }, this.#leave(t("Leave it")), go));
    go.focus({ preventScroll: true });
  }

  #leave(/** @type {string} */ label) {
    return el("button", { type: "button", class: "f-go second", id: "extensions_discard", onclick: () => { this.#discard(); this.close(); } }, label);
  }

  // Something was done. Where another plan is in view by then, a notice tells of it.
  #finish(/** @type {number} */ mine, /** @type {string} */ text, /** @type {Node[]} */ ...head) {
    if (mine === this.#turn) this.#show(...head, said("good", text), this.#leave(t("Close")));
    else say("notice", { kind: "notice", text });
    this.changed();
  }

  async #discard() {
    const { token } = this;
    this.token = "";
    if (token) await discarded(token);
  }

  #show(/** @type {Node[]} */ ...parts) {
    this.node.hidden = false;
    this.node.replaceChildren(...parts);
  }
}

const discarded = (/** @type {string} */ token) => request("extensions/discard", { token }).catch(() => {}); // it is gone already

const said = (/** @type {string} */ kind, /** @type {string} */ text) => el("div", { class: `f-say ${kind}`, role: kind === "bad" ? "alert" : "status" }, text);

function steps(/** @type {number} */ reached) {
  return el("ol", { class: "x-steps" }, ...STEPS().map((text, at) => el("li", { class: at < reached ? "done" : at === reached ? "now" : "", "aria-current": at === reached ? "step" : undefined }, text)));
}

function packages(/** @type {{name: string, version: string, before: string}[]} */ changes) {
  const rows = changes.map((one) => el("tr", {}, el("td", {}, one.name), el("td", {}, one.before || "–"), el("td", {}, one.version), el("td", {}, one.before ? t("changes") : t("new"))));
  return el("table", {}, el("tbody", {}, ...rows));
}
