// The other kinds of experiments than X/Y/Z, drawn from what each script declares: Matrix, Lines, Loopback and further ones.
import { linesOf, matrixParts, wrongLines } from "./experiment_plan.js";
import { CONTROLS } from "./form_controls.js";
import { el } from "./kit.js";
import { t } from "./language.js";

/**
 * @typedef {{name: string, label: string, kind: "number"|"text"|"choice"|"flag"|"choices", value: any, low?: number, high?: number,
 *   step?: number, choices?: string[]}} Option
 * @typedef {{name: string, kind: string, modes: string[], options: Option[]}} Script
 */

const FEW = 3; // choices that stand beside each other; more are a list
const ROWS = 9; // of the field for lines

const INTRODUCTIONS = Object.freeze({
  matrix: () => t("Write a | b | c in the prompt: every combination of b and c, with a always there."),
  lines: () => t("One job a line. A line may be a command: --prompt \"a fox\" --steps 30 --seed 7."),
  loopback: () => t("Each result is the next start: a film of small changes."),
});

const controlOf = ({ kind, choices = [], low, high }) => {
  if (kind === "flag") return "switch";
  if (kind === "choices") return "words";
  if (kind === "choice") return choices.length > FEW ? "choice" : "segments";
  if (kind === "number") return typeof low === "number" && typeof high === "number" && high - low <= 4096 ? "slider" : "number";
  return "text";
};

/**
 * @param {Script} script
 * @param {Record<string, any>} given the values that people set
 * @param {(name: string, value: any) => void} change
 * @param {() => {prompt: string, negative_prompt: string}} prompts
 * @returns {{node: HTMLElement, show: () => void}}
 */
export function scriptForm(script, given, change, prompts) {
  const scope = {
    get: (field) => given[field.name] ?? field.default,
    set: (field, value) => { change(field.name, value); },
    id: (field) => `experiment_${field.name.replaceAll(/\W/g, "_")}`,
    narrowed: () => null,
    fail: () => {},
    state: { whenUsed: () => {}, whenFilesChange: () => {} },
  };
  const isOfLines = (option) => script.kind === "lines" && option.kind === "text";
  const parts = script.options.map((option) => {
    const whole = Number.isInteger(option.value) && Number.isInteger(option.step ?? 1);
    const field = { ...option, label: t(option.label), default: option.value, whole, choices: (option.choices ?? []).map((one) => [one, t(one)]) };
    const { node, show } = isOfLines(option) ? linesField(field, scope) : CONTROLS[controlOf(option)](field, scope);
    return { node: el("div", { id: `experiment_values_${option.name}` }, node), show }; // errors name it so
  });
  const introduction = INTRODUCTIONS[script.kind]?.();
  const chips = el("div", { class: "e-chips", role: "list", "aria-label": t("Parts of the prompt") });
  const showParts = () => {
    const values = script.options.map((one) => given[one.name] ?? one.value);
    const text = values.includes("negative") ? prompts().negative_prompt : prompts().prompt;
    chips.replaceChildren(...matrixParts(text).map((part, at) => el("span", { class: at ? "e-chip plain" : "e-chip plain first", role: "listitem" }, part || "–")));
  };
  const node = el("div", { class: "e-script" }, el("div", { class: "f-body" }, introduction && el("p", { class: "e-hint" }, introduction), script.kind === "matrix" && chips, ...parts.map((part) => part.node)));
  const show = () => {
    if (script.kind === "matrix") showParts();
  };
  show();
  return { node, show };
}

function linesField(field, scope) {
  const box = el("textarea", { rows: ROWS, class: "e-lines", spellcheck: "false", "aria-label": field.label, id: scope.id(field) });
  const wrong = el("ul", { class: "e-wrong" });
  const look = () => {
    const found = wrongLines(box.value);
    wrong.hidden = !found.length;
    wrong.replaceChildren(el("li", {}, t("These lines count as prompts as a whole:")), ...found.slice(0, 5).map(([at, reason]) => el("li", {}, el("b", {}, t("Line {n}", { n: at })), ` ${reason}`)));
  };
  box.value = String(scope.get(field) ?? "");
  box.addEventListener("input", () => {
    scope.set(field, box.value);
    look();
  });
  look();
  return { node: el("div", { class: "f-field" }, el("span", { class: "f-name" }, field.label, " ", el("small", {}, linesOf(box.value).length ? "" : t("one a line"))), box, wrong), show: look };
}
