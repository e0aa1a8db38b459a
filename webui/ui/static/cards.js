// Cards of networks: a click puts the card's text into the prompt and a second one takes it out; the search box hides
// the cards that do not match. A card of an embedding goes into whichever prompt box was used last.
import { write } from "./kit.js";

let used = null;
document.addEventListener("focusin", (event) => {
  if (event.target.matches?.("#txt2img_prompt textarea, #txt2img_neg_prompt textarea")) used = event.target;
});
document.addEventListener("click", (event) => {
  const card = event.target.closest?.(".cards .card");
  if (!card) return;
  const list = card.closest(".extra-networks");
  if (card.dataset.kind === "checkpoint") {
    const box = list?.querySelector(".cards-chosen textarea, .cards-chosen input");
    if (!box) return;
    write(box, ""); // so that the same card can be chosen twice
    setTimeout(() => write(box, card.dataset.file), 50); // milliseconds, for the page to see both
    return;
  }
  const prompt = document.querySelector("#txt2img_prompt textarea");
  const box = card.dataset.kind === "embedding" && used?.isConnected ? used : prompt;
  if (!box) return;
  const text = card.dataset.text;
  const position = box.value.indexOf(text);
  if (position >= 0) {
    const before = box.value.slice(0, position).replace(/ $/, "");
    write(box, before + box.value.slice(position + text.length));
  } else {
    write(box, box.value && !box.value.endsWith(" ") ? `${box.value} ${text}` : box.value + text);
  }
});
document.addEventListener("input", (event) => {
  const box = event.target;
  if (!box.closest?.(".cards-search")) return;
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const card of box.closest(".extra-networks").querySelectorAll(".cards .card")) {
    card.hidden = !words.every((word) => card.dataset.search.includes(word));
  }
});
