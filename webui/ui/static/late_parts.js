// Parts of the page whose scripts come when their tab is opened: a part that cannot be fetched says so, and tries again.
import { el, t } from "./kit.js";

/**
 * Fetch something. Where it cannot be, the element says so, with a button, until it can.
 * @param {() => Promise<unknown>} fetch
 * @param {HTMLElement} element
 */
export async function fetched(fetch, element) {
  for (;;) {
    try {
      await fetch();
      return;
    } catch (error) {
      console.warn("a part of the page could not be fetched:", error);
      await asked(element);
    }
  }
}

/** Until the button is pressed. */
async function asked(element) {
  await new Promise((resolve) => {
    const again = el("button", { type: "button", class: "small", onclick: resolve }, t("Try again"));
    element.replaceChildren(el("div", { class: "late-part", role: "alert" }, el("p", {}, t("This part of the page could not be fetched. Is the server running?")), again));
  });
  element.replaceChildren();
}
