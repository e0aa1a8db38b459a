// A picture in a declared form that may be drawn as a pose: when the editor is offered, and what goes with its map.

import { el, t } from "./kit.js";
import { CHOICE, OWN } from "./declared_state.js";
import { openPoseEditor } from "./pose_editor.js";
import { pictureSize } from "./size_in_form.js";

/** @typedef {import("./declared_state.js").DrawnField} DrawnField */
/** @typedef {import("./form_scope.js").Scope} Scope */

/** The JSON from which a picture was drawn; never sent. */
export const POSE = `${OWN}pose`;

/** What goes with a drawn pose: values by field. @returns {Record<string, *>} */
export function besidePose(/** @type {DrawnField} */ field, /** @type {*} */ json) {
  const { choice = "", sets = {} } = field.pose ?? {};
  return { ...sets, ...(choice ? { [CHOICE]: choice } : {}), [POSE]: json };
}

/** The button that opens the editor. @param {(file: File, beside: Record<string, *>) => void} take puts the map into the field, and other values with it */
export function poseButton(/** @type {DrawnField} */ field, /** @type {Scope} */ scope, /** @type {(file: File, beside: Record<string, *>) => void} */ take) {
  const about = /** @type {{choice?: string, of: string, word: string, sets?: *}} */ (field.pose);
  const isRead = () => String(scope.values[about.of] ?? "").includes(about.word);
  const read = async () => {
    const { data } = await scope.ask(field.preview ?? "");
    if (!data?.poses?.length) throw new Error(t("Nobody was found in the picture."));
    return data.poses[0];
  };
  const open = () => {
    const json = scope.values[POSE] ?? null;
    const picture = scope.get(field);
    const use = (/** @type {File} */ file, /** @type {*} */ made) => take(file, besidePose(field, made));
    openPoseEditor({ json, ...pictureSize(), behind: json ? "" : (picture?.url ?? ""), read: picture && isRead() ? read : null, use });
  };
  const button = el("button", { type: "button", class: "f-quiet", id: `${scope.id(field)}_pose`, onclick: open }, t("Edit pose"));
  const show = () => { button.hidden = !(isRead() || scope.choice === about.choice || scope.values[POSE]); };
  return { button, show };
}
