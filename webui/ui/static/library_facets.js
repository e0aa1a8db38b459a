// The panel at the left of the Library: values that pictures have, with counts. A click adds or removes a term of the
// search, so that what is looked for always stands in the search field.
import { el, icon, t } from "./kit.js";

const SHORT = 6; // values that are shown before "more"
const TITLES = [
  ["rating", "Stars"], ["kind", "Kind"], ["checkpoint", "Checkpoint"], ["lora", "LoRA"], ["tag", "Tags"], ["sampler", "Sampler"],
  ["scheduler", "Schedule type"], ["size", "Size"], ["month", "Month"], ["program", "Program"],
];
const FIELD = { month: "date" };

/** The term that looks for a value. */
export function termOf(facet, value) {
  const field = FIELD[facet] ?? facet;
  if (facet === "rating") return `rating:${value}`;
  if (facet === "month") return `date:${value}`;
  return `${field}:="${value.replaceAll('"', "")}"`;
}

/** The search with a term put in, or taken out where it was in. */
export function toggled(search, term) {
  if (has(search, term)) return search.replace(term, " ").replace(/\s+/g, " ").trim();
  return `${search.trim()} ${term}`.trim();
}

/** Whether a term stands in a search. */
export const has = (search, term) => ` ${search} `.includes(` ${term} `);

/** Show which values are looked for. @param {HTMLElement} panel @param {string} search */
export function markFacets(panel, search) {
  for (const button of panel.querySelectorAll(".facet")) button.setAttribute("aria-pressed", String(has(search, button.dataset.term)));
}

/**
 * Draw the panel.
 * @param {HTMLElement} panel
 * @param {Record<string, {value: string, count: number}[]>} facets
 * @param {string} search
 * @param {Set<string>} open names of the facets that are shown whole
 * @param {(term: string) => void} press puts a term into what is looked for now, or takes it out
 */
export function drawFacets(panel, facets, search, open, press) {
  const groups = TITLES.filter(([name]) => facets[name]?.length).map(([name, title]) => {
    const values = facets[name];
    const shown = open.has(name) ? values : values.slice(0, SHORT);
    const rows = shown.map(({ value, count }) => {
      const term = termOf(name, value);
      const label = name === "rating" ? "★".repeat(Number(value)) : value;
      const attributes = { type: "button", class: "facet", "data-term": term, onclick: () => press(term) };
      if (name === "rating") attributes["aria-label"] = t("{n} of 5 stars", { n: value });
      return el("button", attributes, el("span", {}, label), el("small", {}, count.toLocaleString()));
    });
    if (values.length > SHORT) {
      const more = () => {
        if (!open.delete(name)) open.add(name);
        drawFacets(panel, facets, search, open, press);
      };
      const label = open.has(name) ? t("Fewer") : t("{n} more", { n: values.length - SHORT });
      rows.push(el("button", { type: "button", class: "facet-more", "aria-expanded": String(open.has(name)), onclick: more }, icon("chevron"), label));
    }
    return el("section", { "aria-label": t(title) }, el("h3", {}, t(title)), ...rows);
  });
  panel.replaceChildren(...(groups.length ? groups : [el("p", { class: "library-hint" }, t("Nothing to choose from."))]));
  markFacets(panel, search);
}
