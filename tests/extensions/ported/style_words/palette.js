const list = document.createElement("div");
const shown = document.createElement("p");
document.body.append(list, shown);

webui.on("prompts", ({ prompt }) => { shown.textContent = prompt; });
webui.on("hello", async () => {
  const { data } = await webui.ask("styles");
  list.replaceChildren(...data.map((name) => {
    const button = document.createElement("button");
    button.textContent = name;
    button.onclick = () => webui.fill({ style: name });
    return button;
  }));
});
