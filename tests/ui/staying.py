"""A page that stays open for the tests of a file: after each it is brought back to what it was when it was opened.

Opening the page costs a browser more than most tests do with it. What cannot be brought back is opened anew.
"""

from playwright.sync_api import BrowserContext, Error, Page, Request, expect

from tests.ui.driving import WAIT
from tests.ui.house import House
from tests.ui.visiting import forget, visit

OVER_THE_PAGE = "dialog[open], .dock-panel, [role=menu], .completion"
CLOSED = f"() => [...document.querySelectorAll('{OVER_THE_PAGE}')].every((one) => !one.checkVisibility())"
EMPTIED = """async () => {
  const { take } = await import(`${webui.base}internal/page/static/${webui.version}/stream.js`);
  const none = { paused: false, reason: "", jobs: [], history: [], more: false, forever: false };
  take("state", { server: "of a test that has ended", ...none });
  document.querySelector(".unfold[aria-expanded=true]")?.click();
  document.querySelector("#txt2img_negative_fold[aria-expanded=true]")?.click();
  document.querySelectorAll(".notices .notice").forEach((one) => one.remove());
  webui.setTheme(null);
  webui.form.trigger("reset");
}"""
AS_AT_FIRST = """() => {
  const { state } = webui.form;
  const text = JSON.stringify;
  const isUsual = (value, at) => state.remembered.has(state.names[at]) || text(value) === text(state.usual[at]);
  return !state.now || state.now.every(isUsual);
}"""
FORGOTTEN = """() => {
  const { state } = webui.form;
  state.settle();
  state.kept = {};
  state.begin(null, state.now ?? state.usual);  // there is nothing to undo
  localStorage.clear();
  sessionStorage.clear();
}"""
CHECKPOINT = "#setting_sd_model_checkpoint input"
MINI = "mini.safetensors [0123456789]"


class Staying:
    """The page of a file, and what went wrong in it since the test began."""

    def __init__(self, context: BrowserContext, home: House) -> None:
        self._context = context
        self._home = home
        self._page: Page | None = None
        self._asked: list[str] = []
        self._faults: list[str] = []

    def open(self) -> Page:
        """The page as it is when it has just been opened."""
        if self._page is not None:
            return self._page
        page = self._page = visit(self._context)
        page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        page.on("request", self._note_request)
        page.on("pageerror", self._note_fault)
        page.goto(self._home.address)
        expect(page.locator("#txt2img_generate")).to_be_visible()
        expect(page.locator(CHECKPOINT)).to_have_value(MINI)
        page.wait_for_function("window.webui.form?.state.can !== undefined")
        return page

    def leave(self) -> None:
        """The next test finds the page opened anew."""
        if self._page is not None:
            self._page.remove_listener("request", self._note_request)
            self._page.remove_listener("pageerror", self._note_fault)
            forget(self._context, self._home.address)
            self._page = None

    def tidy(self) -> None:
        """Bring the page back to its beginning, after its engine was."""
        page = self._page
        if page is None:
            return
        page.unroute_all()
        if page.evaluate("webui.canvas?.size() != null") or page.locator(CHECKPOINT).input_value() != MINI:
            self.leave()
            return
        for _ in range(4):
            if page.evaluate(CLOSED):
                break
            page.keyboard.press("Escape")
        page.mouse.move(0, 0)
        page.locator("#tab_txt2img-button").click()
        page.evaluate(EMPTIED)
        page.wait_for_function(AS_AT_FIRST)
        page.evaluate(FORGOTTEN)

    def check(self) -> None:
        """Fails where the test has left a fault, or has asked another address for something."""
        page = self._page
        # Gradio swallows what goes wrong in a script of an event; it only writes "Error" over that event's outputs
        swallowed = page.locator("[data-testid=status-tracker] .error").count() if page is not None else 0
        asked, faults = [*self._asked], [*self._faults]
        self._asked.clear()
        self._faults.clear()
        assert [url for url in asked if not url.startswith((self._home.address, "data:", "blob:"))] == []
        assert faults == []
        assert swallowed == 0

    def _note_request(self, request: Request) -> None:
        self._asked.append(request.url)

    def _note_fault(self, error: Error) -> None:
        self._faults.append(str(error))
