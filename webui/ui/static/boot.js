// Runs in <head>, before anything is drawn: chooses theme, accent and language, and makes `window.webui`, through which
// Gradio's components reach the modules in this folder.
(() => {
  const SLOW = 1000; // milliseconds
  const root = document.documentElement;
  const told = document.currentScript.dataset;
  const query = new URLSearchParams(location.search);
  const prefersLight = matchMedia("(prefers-color-scheme: light)");
  const kept = (name) => {
    try {
      return localStorage.getItem(`webui_${name}`);
    } catch {
      return null; // storage is forbidden here: the page works without it
    }
  };
  const keep = (name, value) => {
    try {
      if (value === null) localStorage.removeItem(`webui_${name}`);
      else localStorage.setItem(`webui_${name}`, value);
    } catch {
      // as above
    }
  };

  // The address of the page decides, then what its user chose, then the server's setting, then what the browser prefers.
  const chosenTheme = () => [query.get("__theme"), kept("theme"), told.theme].find((one) => one === "dark" || one === "light");
  const showTheme = () => {
    root.dataset.theme = chosenTheme() ?? (prefersLight.matches ? "light" : "dark");
    // Gradio chooses its own class by itself; a few of its styles go by it
    document.body?.classList.toggle("dark", root.dataset.theme === "dark");
    window.dispatchEvent(new Event("themechange"));
  };
  const languages = JSON.parse(told.languages ?? "{}");
  const chosenLanguage = () => [query.get("__lang"), kept("language"), told.language].find((one) => one) ?? "en";
  root.dataset.accent = kept("accent") ?? "iris";
  root.dataset.mode = "txt2img";
  root.dataset.loading = ""; // reveal.js takes it away
  showTheme();
  prefersLight.addEventListener("change", showTheme);
  document.addEventListener("DOMContentLoaded", () => {
    showTheme();
    new MutationObserver(() => {
      if (document.body.classList.contains("dark") !== (root.dataset.theme === "dark")) showTheme();
    }).observe(document.body, { attributeFilter: ["class"] });
  });

  // Gradio's status tracker takes this function for its own when it is loaded, and the one that stands for the start of
  // the page asks it for every frame as long as the page lives (its clock is never stopped). What has been taken by the
  // time that the page is shown is slow from then on, so that a page at rest is at rest.
  const everyFrame = window.requestAnimationFrame.bind(window);
  const frameWhileLoading = (draw) => {
    if (root.dataset.loading !== undefined) return everyFrame(draw);
    return setTimeout(() => everyFrame(draw), SLOW);
  };
  window.requestAnimationFrame = frameWhileLoading;
  new MutationObserver((_, observer) => {
    observer.disconnect();
    window.requestAnimationFrame = everyFrame;
  }).observe(root, { attributeFilter: ["data-loading"] });

  const modules = import("./joined.js"); // the modules of the first view in one file; it fetches those of other tabs
  const page = modules.then(({ of }) => of("page.js").ready);
  window.webui = {
    base: new URL("./", document.baseURI).href,
    version: told.version,
    language: chosenLanguage(),
    languages, // titles by name of those that there is a dictionary for
    t: (text, values = {}) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole), // page.js brings the language
    ready: page, // when `t` speaks it; scripts of events wait for this, as Gradio may call them sooner
    kept,
    keep,
    /** Shows "dark" or "light" from now on; null: what server and browser say. */
    setTheme(theme) {
      query.delete("__theme");
      keep("theme", theme);
      showTheme();
    },
    setAccent(accent) {
      keep("accent", accent);
      root.dataset.accent = accent;
    },
    /** Speaks another language; the page is loaded again. */
    setLanguage(language) {
      keep("language", language);
      const here = new URL(location.href);
      here.searchParams.delete("__lang");
      history.replaceState(history.state, "", here);
      location.reload();
    },
    /** Lets `mount` of a module draw a component; called by the component's own script (`own.py`). */
    async mount(name, context) {
      try {
        const [{ fetchFor, of }] = await Promise.all([modules, page]);
        await of("late_parts.js").fetched(() => fetchFor(`${name}.js`), context.element);
        await of(`${name}.js`).mount(context);
      } catch (error) {
        console.error(`the component ${name} cannot be drawn:`, error);
      }
    },
    /** Fetches the scripts and styles of a tab before it is opened. What fails is told when it is. */
    prepare: (tab) => modules.then(({ fetchTab }) => fetchTab(tab)).catch(() => {}),
  };
})();
