// What the bar above a sheet says.
import { t } from "./language.js";
import { duration } from "./progress_words.js";

/** What a plot can be taken along as, by the ending of its address. */
export const EXPORTS = Object.freeze({
  png: () => t("Picture (PNG)"),
  html: () => t("Page with its pictures (HTML)"),
  csv: () => t("Table (CSV)"),
});

/**
 * How far a sheet is.
 * @param {{all: number, there: number, failed: number}} counts
 * @param {boolean} isPlot whether it is more than a plan
 * @param {{state: string}|null} row of the job that makes it now
 * @param {{seconds_left: number|null}|undefined} progress
 */
export function statusOf(counts, isPlot, row, progress) {
  const { all, there, failed } = counts;
  if (!isPlot) return all === 1 ? t("1 picture") : t("{n} pictures", { n: all });
  if (row?.state === "waiting") return t("Waiting");
  if (row) {
    const parts = [t("Picture {n} of {all}", { n: Math.min(all, there + failed + 1), all })];
    if (failed) parts.push(t("{n} failed", { n: failed }));
    if (progress?.seconds_left) parts.push(t("{time} left", { time: duration(progress.seconds_left) }));
    return parts.join(" · ");
  }
  const made = there < all ? t("{n} of {all} pictures", { n: there, all }) : all === 1 ? t("1 picture") : t("{n} pictures", { n: all });
  return failed ? `${made} · ${t("{n} failed", { n: failed })}` : made;
}
