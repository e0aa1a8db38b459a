// Keys of the page: Ctrl/Cmd+Enter generates, Esc interrupts, Alt+Enter skips.
() => {
  const press = (id) => document.getElementById(id)?.click();
  document.addEventListener("keydown", (event) => {
    const visible = document.getElementById("txt2img_generate")?.offsetParent;
    if (!visible) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      press("txt2img_generate");
    } else if (event.key === "Enter" && event.altKey) {
      event.preventDefault();
      press("txt2img_skip");
    } else if (event.key === "Escape" && document.querySelector("#txt2img_progress .bar")) {
      press("txt2img_interrupt");
    }
  });
}
