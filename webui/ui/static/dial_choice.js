// Which stop of the dial the form stands at, and what a stop changes in the form. Knows nothing of the page.

/**
 * @typedef {object} Stop
 * @property {string} name
 * @property {string} title "" for an approximation alone
 * @property {Record<string, *>} fields every field of the dial, by its path
 * @property {Record<string, Record<string, *>>} extensions options, by the names of extensions
 * @property {?number} gain times as fast as the exact picture; null where it was not measured
 * @property {?number} distance 0 to 1
 * @property {string} picture a JPEG in base64
 */
/** @typedef {Record<string, *>} Values by the name of a field, and `#` with the element id for what is none */

const same = (/** @type {*} */ one, /** @type {*} */ other) => String(one ?? "") === String(other ?? "");
const named = (/** @type {Values} */ values, /** @type {string} */ pattern) => Object.keys(values).find((name) => new RegExp(pattern).test(name));
const switchOf = (/** @type {Values} */ values, /** @type {string} */ path) => named(values, `^#[a-z0-9]+_${path.split(".")[0]}_enable$`);

/** The controls of an extension's section; undefined where it has none. */
function sectionOf(/** @type {Values} */ values, /** @type {string} */ extension) {
  const options = named(values, `^#[a-z0-9]+_extension_${extension}_options$`);
  const used = named(values, `^#[a-z0-9]+_extension_${extension}_enable$`);
  return options && used ? { options, used } : undefined;
}

/** The values at the ends of nested options, by their path. @returns {[string[], *][]} */
function leaves(/** @type {Record<string, *>} */ options, /** @type {string[]} */ path = []) {
  return Object.entries(options).flatMap(([name, value]) => (value !== null && typeof value === "object" && !Array.isArray(value) ? leaves(value, [...path, name]) : [/** @type {[string[], *]} */ ([[...path, name], value])]));
}

const at = (/** @type {*} */ options, /** @type {string[]} */ path) => path.reduce((inner, name) => inner?.[name], options);

/** Whether the form asks for what a stop sets. A field whose part is switched off counts as usual. */
export function stands(/** @type {Stop} */ stop, /** @type {Values} */ values, /** @type {Values} */ usual) {
  const areFields = Object.entries(stop.fields).every(([path, value]) => {
    const part = switchOf(values, path);
    return !(path in values) || same(part && !values[part] ? usual[path] : values[path], value);
  });
  return areFields && Object.entries(stop.extensions).every(([extension, options]) => {
    const section = sectionOf(values, extension);
    if (!section) return true;
    const given = values[section.used] ? values[section.options] : {};
    return leaves(options).every(([path, value]) => same(at(given, path) ?? false, value));
  });
}

/** The stop at which the form stands; "" where it is a mix of its own. @param {Stop[]} stops */
export const standing = (stops, /** @type {Values} */ values, /** @type {Values} */ usual) => stops.find((stop) => stands(stop, values, usual))?.name ?? "";

/**
 * What the form has to hold for a stop: its fields, and the switches of the parts that they stand in. What waited in a
 * part that was off goes back to the usual, since it was not measured.
 * @param {Values} usual what a field holds that nobody changed
 * @returns {Values}
 */
export function changesFor(/** @type {Stop} */ stop, /** @type {Values} */ values, usual) {
  /** @type {Values} */
  const changes = {};
  for (const [path, value] of Object.entries(stop.fields)) {
    if (!(path in values)) continue;
    changes[path] = value;
    const part = switchOf(values, path);
    if (!part || values[part] || same(value, usual[path])) continue;
    const group = `${path.split(".")[0]}.`;
    for (const name of Object.keys(values)) if (name.startsWith(group) && !(name in stop.fields)) changes[name] = usual[name];
    changes[part] = true;
  }
  for (const path of Object.keys(stop.fields)) {
    const part = switchOf(values, path);
    const group = `${path.split(".")[0]}.`;
    const isUsual = (/** @type {string} */ name) => same(changes[name] ?? values[name], usual[name]);
    if (part && values[part] && Object.keys(values).every((name) => !name.startsWith(group) || isUsual(name))) changes[part] = false;
  }
  for (const [extension, options] of Object.entries(stop.extensions)) Object.assign(changes, changesOfExtension(extension, options, values));
  return changes;
}

function changesOfExtension(/** @type {string} */ extension, /** @type {Record<string, *>} */ options, /** @type {Values} */ values) {
  const section = sectionOf(values, extension);
  const asks = leaves(options).some(([, value]) => value);
  if (!section || (!values[section.used] && !asks)) return {};
  const given = structuredClone((values[section.used] && values[section.options]) || {});
  for (const [path, value] of leaves(options)) {
    let inner = given;
    for (const name of path.slice(0, -1)) inner = inner[name] ??= {};
    inner[/** @type {string} */ (path.at(-1))] = value;
  }
  return { [section.options]: given, [section.used]: true };
}
