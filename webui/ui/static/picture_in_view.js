// Which picture the stage shows, and its file, for parts of the page that take it over.

import { hear } from "./bus.js";

let shown = null;
hear("picture:shown", ({ picture }) => { shown = picture ?? null; });

/** @returns {import("./bus.js").Picture|null} null where none is shown */
export function pictureInView() {
  return shown;
}

/** A form that sends the very file of a picture, with the text of its making inside. @returns {Promise<FormData>} */
export async function asForm(picture) {
  const answer = await fetch(new URL(picture.url, window.webui.base));
  if (!answer.ok) throw new Error("The picture is not there any more.");
  const form = new FormData();
  form.append("picture", await answer.blob());
  return form;
}
