// Questions to the server. An answer that is no success is thrown as an Error with the server's sentence.

/** @param {string} path below `internal/page/`, @param {RequestInit} more */
export async function ask(path, more = {}) {
  let answer;
  try {
    answer = await fetch(`${window.webui.base}internal/page/${path}`, more);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.");
  }
  if (answer.ok) return answer.json();
  throw Object.assign(new Error(await sentence(answer)), { status: answer.status });
}

/** Ask with a JSON body. @param {"POST"|"PUT"|"DELETE"} method */
export function send(path, body = {}, method = "POST", more = {}) {
  return ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...more });
}

async function sentence(answer) {
  const body = await answer.json().catch(() => ({}));
  const detail = Array.isArray(body.detail) ? body.detail.map((one) => `${one.loc?.at(-1) ?? ""}: ${one.msg}`).join("; ") : body.detail;
  return detail || body.errors || `The server refused (${answer.status}).`;
}
