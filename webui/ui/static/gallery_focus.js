// When pictures arrive Gradio's gallery focuses a thumbnail, which takes the keyboard from whoever is typing. Focus that
// no click or key asked for is given back.
const galleries = "#txt2img_gallery, #img2img_gallery";
let asked = 0;
const ask = () => { asked = performance.now(); };
document.addEventListener("pointerdown", (event) => event.target.closest?.(galleries) && ask(), true);
document.addEventListener("keydown", (event) => {
  if (event.key === "Tab" || event.target.closest?.(galleries)) ask();
}, true);
document.addEventListener("focusin", (event) => {
  if (!event.target.closest?.(galleries) || performance.now() - asked < 500) return;
  if (event.relatedTarget instanceof HTMLElement) event.relatedTarget.focus({ preventScroll: true });
  else event.target.blur();
});
