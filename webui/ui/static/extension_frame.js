// A part of the page that an extension draws itself. Its script runs in a frame with an origin of its own, without a
// network; what it wants is read by `frame_messages.js`, and what would change the form counts only while the user is in it.

import { el, t } from "./kit.js";
import { hear, say } from "./bus.js";
import { ask } from "./extension_actions.js";
import { Patience, readMessage } from "./frame_messages.js";
import { prompts } from "./prompt_boxes.js";

const SOON = 30; // milliseconds from a message to what is done about it

/** @param {{element: HTMLElement, props: {extension: string, frame: string, title: string, owner: string, actions: string[], sees_prompts: boolean}}} context */
export function mount({ element, props }) {
  element.classList.add("extension-frame");
  /** @type {HTMLIFrameElement|null} */
  let frame = null;
  let patience = new Patience();
  let isReady = false;

  const tell = (/** @type {*} */ message) => frame?.contentWindow?.postMessage(message, "*"); // its origin has no name
  const tellPrompts = () => isReady && props.sees_prompts && tell({ type: "prompts", ...prompts() });
  const hello = () => tell({ type: "hello", theme: document.documentElement.dataset.theme ?? "dark", language: /** @type {*} */ (window).webui.language });
  const open = () => {
    isReady = false;
    patience = new Patience();
    const { base } = /** @type {*} */ (window).webui;
    frame = /** @type {HTMLIFrameElement} */ (el("iframe", { sandbox: "allow-scripts", title: props.title, referrerpolicy: "no-referrer", allow: "", id: `${props.extension}_${props.frame}_frame` }));
    frame.src = `${base}internal/page/frames/${encodeURIComponent(props.extension)}/${encodeURIComponent(props.frame)}`;
    element.replaceChildren(frame);
  };
  const close = (/** @type {string} */ why) => {
    frame = null;
    isReady = false;
    element.replaceChildren(el("div", { class: "f-say bad", role: "alert" }, why, el("button", { type: "button", class: "f-quiet", onclick: open }, t("Open it again"))));
  };
  const answer = async (/** @type {*} */ message) => {
    const asked = frame;
    try {
      if (!props.actions.includes(message.action)) throw new Error(t("{title} has no light action {name}.", { title: props.owner, name: message.action }));
      const result = await ask(props.extension, message.action, message.options);
      if (asked === frame) tell({ type: "answer", id: message.id, result });
    } catch (error) {
      if (asked === frame) tell({ type: "answer", id: message.id, error: /** @type {Error} */ (error).message });
    }
  };
  const act = (/** @type {*} */ message, /** @type {boolean} */ hadFocus) => {
    switch (message.type) {
      case "ready":
        isReady = true;
        hello();
        tellPrompts();
        break;
      case "height":
        if (frame) frame.style.height = `${message.pixels}px`;
        break;
      case "notice":
        say("notice", { kind: "notice", text: `${props.owner}: ${message.text}` });
        break;
      case "ask":
        answer(message);
        break;
      case "insert":
        if (hadFocus) say("prompt:insert", { text: message.text, which: message.which });
        break;
      case "fill":
        if (hadFocus) say("extension:fill", { extension: props.extension, options: message.options });
        break;
    }
  };
  // Messages are counted as they come, and acted on some time later: were each acted on at once, those of a flood would
  // come only as fast as the page can work, which may be slow enough to be borne.
  /** @type {{message: *, hadFocus: boolean}[]} */
  let waiting = [];
  let timer = 0;
  const listen = () => {
    timer = 0;
    const now = waiting;
    waiting = [];
    if (frame) for (const { message, hadFocus } of now) act(message, hadFocus);
  };
  window.addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== "null") return;
    if (!patience.bears(performance.now())) {
      waiting = [];
      close(t("{title} said more than the page can listen to, so its frame was closed.", { title: props.owner }));
      return;
    }
    const message = readMessage(event.data);
    if (!message) return;
    waiting.push({ message, hadFocus: document.activeElement === frame });
    timer ||= window.setTimeout(listen, SOON);
  });
  window.addEventListener("themechange", hello);
  hear("prompt:changed", tellPrompts);
  open();
}
