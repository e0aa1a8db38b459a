// Settings of an extension that last: a form in a dialog, kept by the server.

import { el, openDialog, t } from "./kit.js";
import { say } from "./bus.js";
import { FormState, OWN } from "./declared_state.js";
import { translated } from "./form_words.js";
import { Scope } from "./form_scope.js";
import { bodyOf } from "./form_body.js";
import { request } from "./extension_actions.js";

const without = (/** @type {Record<string, *>} */ values) => Object.fromEntries(Object.entries(values).filter(([name, value]) => !name.startsWith(OWN) && value !== undefined && value !== null));

/** Open the form. @param {{name: string, title: string}} extension @param {*} form as `drawn_form.py` makes it */
export async function openSettings(extension, form) {
  const path = `extensions/${encodeURIComponent(extension.name)}/settings`;
  const { values } = await request(path);
  const drawn = translated(form);
  const state = new FormState(drawn, values);
  const status = el("div", { class: "a-status", role: "status" });
  const failed = (/** @type {string} */ text) => status.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, text));
  const upload = () => Promise.reject(new Error(t("Settings hold no pictures.")));
  const scope = new Scope(state, [], state.fields, { elemId: `settings_of_${extension.name}`, hints: drawn, isWide: false, upload, failed });
  const body = bodyOf(scope);
  const save = el("button", { type: "button", class: "f-go", id: `settings_of_${extension.name}_save` }, t("Save"));
  const usual = el("button", { type: "button", class: "f-go second", id: `settings_of_${extension.name}_usual` }, t("As usual"));
  const made = openDialog({ title: t("Settings of {title}", { title: extension.title }), className: "extension-settings" }, el("div", { class: "declared in-dialog" }, body.node, status, el("div", { class: "a-go" }, usual, save)));
  state.hear((from) => {
    body.show(from);
    save.disabled = state.wrong.size > 0;
  });
  state.wake();
  usual.addEventListener("click", () => state.fill({}));
  let typed = 0; // some boxes tell their values only when they are left
  body.node.addEventListener("input", () => { typed += 1; });
  save.addEventListener("click", async () => {
    const values = without(state.values);
    const [sent, before] = [JSON.stringify(values), typed];
    try {
      await request(path, { values });
      if (typed === before && JSON.stringify(without(state.values)) === sent) made.close(); // else there is more to save
      say("notice", { kind: "notice", text: t("Saved. It counts from the next job on.") });
    } catch (error) {
      failed(/** @type {Error} */ (error).message);
    }
  });
}
