// Questions to the routes of the page, with their answers as JSON.
import { t } from "./language.js";

/**
 * Ask the server.
 * @param {string} path below `internal/page/`
 * @param {object} [body] sent as JSON; without one, the question is a GET
 * @returns {Promise<any>} the answer; an Error with a sentence where there is none
 */
export async function ask(path, body) {
  const told = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(`${window.webui.base}internal/page/${path}`, told);
  } catch {
    throw new Error(t("The program does not answer."));
  }
  const found = await answer.json().catch(() => null);
  if (answer.ok && found !== null) return found;
  throw new Error(sentence(found?.detail) ?? found?.error ?? t("The program refused ({status}).", { status: answer.status }));
}

function sentence(detail) {
  if (typeof detail === "string") return detail;
  return Array.isArray(detail) && detail.length ? detail.map((one) => one.msg).join("; ") : null;
}
