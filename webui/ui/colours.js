// Shows the page light or dark, as the server's setting says, unless its address says which (?__theme=dark).
// Gradio has chosen by then, and chooses again when the browser's preference changes.
(colours) => {
  if (new URL(location.href).searchParams.has("__theme")) return;
  const show = () => document.body.classList.toggle("dark", colours === "dark");
  show();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
}
