// Keys of the page: Ctrl/Cmd+Enter generates, Esc interrupts, Alt+Enter skips. And focus stays where the user put it.
() => {
  const press = (id) => document.getElementById(id)?.click();
  document.addEventListener("keydown", (event) => {
    const tab = ["txt2img", "img2img"].find((name) => document.getElementById(`${name}_generate`)?.offsetParent);
    if (!tab) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      press(`${tab}_generate`);
    } else if (event.key === "Enter" && event.altKey) {
      event.preventDefault();
      press(`${tab}_skip`);
    } else if (event.key === "Escape" && document.querySelector(`#${tab}_progress .bar`)) {
      press(`${tab}_interrupt`);
    }
  });

  // When pictures arrive the gallery focuses a thumbnail, which scrolls the page and takes the keyboard from whoever is
  // typing. Focus that no click or key asked for is given back.
  const galleries = "#txt2img_gallery, #img2img_gallery";
  let asked = 0;
  let top = window.scrollY; // scroll events come a frame late: at focusin this is still where the user was
  document.addEventListener("scroll", () => { top = window.scrollY; }, { passive: true });
  const ask = () => { asked = performance.now(); };
  document.addEventListener("pointerdown", (event) => event.target.closest?.(galleries) && ask(), true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.target.closest?.(galleries)) ask();
  }, true);
  document.addEventListener("focusin", (event) => {
    if (!event.target.closest?.(galleries) || performance.now() - asked < 500) return;
    if (event.relatedTarget instanceof HTMLElement) event.relatedTarget.focus({ preventScroll: true });
    else event.target.blur();
    window.scrollTo({ top, behavior: "instant" });
  });
}
