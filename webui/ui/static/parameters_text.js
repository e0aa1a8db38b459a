// Generation parameters as text, as far as the browser has to understand them: the server reads the rest.

const DETAILS = /^\s*Steps: \d+, .*\b(Sampler|Seed|CFG scale|Size): /m;

/** Whether a text has a line of generation parameters. */
export const holdsParameters = (text) => DETAILS.test(text);

/** The value of a key in the line of parameters, as text; null where it has none. @param {string} key a plain word or words */
export function valueIn(text, key) {
  const line = text.slice(text.search(DETAILS));
  return new RegExp(`(?:^|, )${key}: ([^,\n]*)`).exec(line)?.[1].trim() ?? null;
}
