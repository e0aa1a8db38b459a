// How prompts are completed in this browser: whether at all, from which list, and how a tag is written.

const KEY = "completion";
export const USUAL = Object.freeze({ on: true, list: "", rows: 8, spaces: true, escape: true, comma: true });

/** What this browser wishes. @returns {typeof USUAL} */
export function chosen() {
  try {
    const found = JSON.parse(window.webui?.kept?.(KEY) ?? "{}") ?? {};
    return Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, typeof found[name] === typeof usual ? found[name] : usual]));
  } catch {
    return { ...USUAL };
  }
}

/** Keep a wish; whoever completes hears of it. */
export function wish(changes) {
  const next = { ...chosen(), ...changes };
  const own = Object.fromEntries(Object.entries(next).filter(([name, value]) => value !== USUAL[name]));
  window.webui.keep(KEY, Object.keys(own).length ? JSON.stringify(own) : null);
  window.dispatchEvent(new Event("webui:completion"));
}
