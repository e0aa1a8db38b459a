// Stands before the script of a frame of an extension, inside the frame. It words the messages that the page knows.
// The page checks each of them again (`frame_messages.js`), as a script may also send what it likes.
const webui = (() => {
  const heard = new Map();
  const asked = new Map();
  let number = 0;
  const send = (message) => parent.postMessage(message, "*"); // only the program's own page may hold this frame
  addEventListener("message", ({ source, data }) => {
    if (source !== parent || typeof data?.type !== "string") return;
    if (data.type === "hello") document.documentElement.dataset.theme = data.theme;
    if (data.type === "answer") {
      const { resolve, reject } = asked.get(data.id) ?? {};
      asked.delete(data.id);
      if (data.error) reject?.(new Error(data.error));
      else resolve?.(data.result);
    }
    for (const listener of heard.get(data.type) ?? []) listener(data);
  });
  addEventListener("load", () => {
    new ResizeObserver(() => send({ type: "height", pixels: Math.ceil(document.body.scrollHeight) })).observe(document.body);
    send({ type: "ready" });
  });
  return Object.freeze({
    on(type, listener) {
      heard.set(type, [...(heard.get(type) ?? []), listener]);
    },
    insert: (text, which = "prompt") => send({ type: "insert", text, which }),
    fill: (options) => send({ type: "fill", options }),
    notice: (text) => send({ type: "notice", text }),
    ask(action, options = {}) {
      number += 1;
      const id = number;
      return new Promise((resolve, reject) => {
        asked.set(id, { resolve, reject });
        send({ type: "ask", id, action, options });
      });
    },
  });
})();
