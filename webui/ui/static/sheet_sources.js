// Where the sheet has its plots from, and what it keeps: the plot that belongs to the plan, in the browser.
import { address, ask } from "./stream.js";

const KEPT = "sheet";

const routeOf = (/** @type {string} */ id) => `plots/${encodeURIComponent(id)}`;

/** @returns {{plot?: string, sent?: string}} the plot, and the plan that it was made of, as it was sent */
export function kept() {
  try {
    return JSON.parse(window.webui.kept(KEPT) ?? "{}") ?? {};
  } catch {
    return {}; // what cannot be read counts as nothing
  }
}

/** @param {string} plot @param {string} sent */
export const keep = (plot, sent) => window.webui.keep(KEPT, JSON.stringify({ plot, sent }));

/**
 * Ask for a plot.
 * @param {string} id
 * @param {boolean} isQuiet a plot that is gone is no news to somebody who did not ask for it
 * @returns {Promise<any>} nothing where it is not there
 */
export async function askFor(id, isQuiet) {
  if (!isQuiet) return ask(routeOf(id));
  try {
    const answer = await fetch(address(`internal/page/${routeOf(id)}`));
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** Have the browser save a plot as a file. @param {string} id @param {string} kind a key of `EXPORTS` */
export function download(id, kind) {
  const link = document.createElement("a");
  link.href = address(`internal/page/${routeOf(id)}/export.${kind}`);
  link.download = "";
  document.body.append(link);
  link.click();
  link.remove();
}
