// Asks actions of extensions by the page's own routes. A light one answers at once, another is a job.

const kept = new Map();

const base = () => /** @type {*} */ (window).webui.base;
const address = (/** @type {string} */ path) => `${base()}internal/page/${path}`;

/** An answer of the server as an Error with its sentence. */
async function refused(/** @type {Response} */ answer) {
  const body = await answer.json().catch(() => ({}));
  const detail = body.detail ?? body.error ?? body.message;
  const first = Array.isArray(detail) ? detail[0]?.msg : detail;
  return new Error(typeof first === "string" ? first : `The server answered ${answer.status}.`);
}

/** A JSON request of the page. @returns {Promise<*>} */
export async function request(/** @type {string} */ path, /** @type {*} */ body = undefined, /** @type {AbortSignal|undefined} */ signal = undefined) {
  const more = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(address(path), { ...more, signal });
  if (!answer.ok) throw await refused(answer);
  return answer.json();
}

const route = (/** @type {string} */ extension, /** @type {string} */ action) => `extensions/${encodeURIComponent(extension)}/actions/${encodeURIComponent(action)}`;

/** The result of a light action: `{text, files, data, images}`; pictures are base64 of PNGs. */
export function ask(/** @type {string} */ extension, /** @type {string} */ action, /** @type {*} */ options, /** @type {AbortSignal|undefined} */ signal = undefined) {
  return request(`${route(extension, action)}?wait=true`, options, signal);
}

/** The same, remembered: for lists that follow from their options alone. `forget` makes them be asked again. */
export function askOnce(/** @type {string} */ extension, /** @type {string} */ action, /** @type {*} */ options) {
  const key = JSON.stringify([extension, action, options]);
  if (!kept.has(key)) {
    const asked = ask(extension, action, options);
    asked.catch(() => kept.delete(key));
    kept.set(key, asked);
  }
  return kept.get(key);
}

/** Ask again what was remembered of an extension, or of files. */
export function forget(/** @type {string} */ extension) {
  for (const key of kept.keys()) if (JSON.parse(key)[0] === extension) kept.delete(key);
}

/** Start an action that is a job. @returns {Promise<{id: string, state: string}>} */
export function start(/** @type {string} */ extension, /** @type {string} */ action, /** @type {*} */ options) {
  return request(route(extension, action), options);
}

/** An action on its way: `{id, state, progress: {fraction, text}, error, result?}`; answers when something changed. */
export function look(/** @type {string} */ id, /** @type {string} */ seen = "") {
  return request(`actions/${encodeURIComponent(id)}?seen=${encodeURIComponent(seen)}`);
}

/** Stop an action. */
export function cancel(/** @type {string} */ id) {
  return request(`actions/${encodeURIComponent(id)}/cancel`, {});
}

/** The address of a picture that an action made. */
export function pictureOf(/** @type {string} */ id, /** @type {number} */ number) {
  return address(`actions/${encodeURIComponent(id)}/images/${number}`);
}

/** Files of a kind: `{name, title, stem, family, size, ...}`. @returns {Promise<*[]>} */
export function files(/** @type {string} */ kind) {
  const key = JSON.stringify(["", "files", kind]);
  if (!kept.has(key)) {
    const asked = request(`files/${encodeURIComponent(kind)}`).then((answer) => answer.files);
    asked.catch(() => kept.delete(key));
    kept.set(key, asked);
  }
  return kept.get(key);
}

/** The checkpoint that is chosen above the page. */
export function checkpoint() {
  const box = /** @type {HTMLInputElement|null} */ (document.querySelector(":is(#setting_sd_model_checkpoint, #txt2img_checkpoint) input"));
  return box?.value ?? "";
}

/** A picture of the page as base64, as options carry it. */
export async function asBase64(/** @type {{url: string}} */ picture) {
  const blob = await (await fetch(picture.url)).blob();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1]);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
