"""A page that stays open for the tests of a file: after each it is brought back to what it was when it was opened.

Opening the page costs a browser more than most tests do with it. What cannot be brought back is opened anew.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, Response, TimeoutError, expect

from tests.ui.driving import WAIT, eventually
from tests.ui.visiting import DESKTOP, forget, visit

PASSED = pytest.StashKey[bool]()  # whether a test has passed, while its fixtures end
OVER_THE_PAGE = "dialog[open], .dock-panel, [role=menu], .completion"
CLOSED = f"() => [...document.querySelectorAll('{OVER_THE_PAGE}')].every((one) => !one.checkVisibility())"
READY = "window.webui?.form?.state.started"  # the form holds what the program starts with
AT_REST = """async () => {
  const { current } = await import(`${webui.base}internal/page/static/${webui.version}/stream.js`);
  return current().jobs.every((job) => !["waiting", "running"].includes(job.state));
}"""
BARE_CANVAS = """() => {
  const { canvas } = webui, { dataset } = document.documentElement;
  const isOpen = document.querySelector(".canvas-options")?.hidden === false;
  const wasUsed = canvas?.size() || isOpen || localStorage.getItem("webui_canvas_tools");
  if (!wasUsed) return;
  const mode = dataset.mode;
  dataset.mode = "inpaint";  // where either layer can be taken in hand
  for (const [layer, hardness] of [["palette", 0.8], ["mask", 1]]) {
    canvas.command(layer);
    canvas.command("hardness", hardness);
  }
  canvas.command("brush");
  canvas.command("size", 64);
  canvas.command("colour", "#e03131");
  canvas.command("subtracts", false);
  canvas.command("hatched", false);
  if (isOpen) canvas.command("options");
  canvas.command("forget");  // what is opened next begins a history of its own
  dataset.mode = mode;
  document.querySelector(".stage_faces [data-value=source]").click();
}"""
EMPTIED = """async () => {
  const { take } = await import(`${webui.base}internal/page/static/${webui.version}/stream.js`);
  if (document.documentElement.dataset.pane === "experiment") {
    const { say } = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
    say("experiment:fill", { plan: { kind: "xyz", axes: [] } });
    say("experiment:turn", { isOpen: false });
  }
  const none = { paused: false, reason: "", jobs: [], history: [], more: false, forever: false };
  take("state", { server: "of a test that has ended", ...none });
  const open = [".unfold", "#txt2img_negative_fold", "#txt2img_queue .open"].map((one) => `${one}[aria-expanded=true]`);
  const folded = ".section.folded .fold";
  document.querySelectorAll([...open, folded].join()).forEach((one) => one.click());
  document.querySelectorAll(".notices .notice").forEach((one) => one.remove());
  webui.setTheme(null);
  webui.form.trigger("reset");
}"""
CHANGED = """() => {  // fields that do not hold what they held at first
  const { state } = webui.form;
  const text = JSON.stringify;
  // the form of an extension spells its usual options out once it is drawn, with the first of its units
  const isDrawn = (name, at) => name.endsWith("_options") && !/"(path|url)":|data:/.test(text(state.now[at]));
  const isAsAtFirst = (name, at) => text(state.now[at]) === text(state.usual[at]) || isDrawn(name, at);
  const isUsual = (name, at) => state.remembered.has(name) || isAsAtFirst(name, at);
  const told = (name, at) => `${name}: ${text(state.now[at])}, not ${text(state.usual[at])}`;
  return state.now ? state.names.flatMap((name, at) => (isUsual(name, at) ? [] : [told(name, at)])) : [];
}"""
RESET = f"""() => {{  // and where pictures are all that a form of an extension has kept
  const kept = (told) => /^\\S+_options: .*("(path|url)":|data:)/.test(told);
  return ({CHANGED})().every(kept);
}}"""
FORGOTTEN = """() => {
  const { state } = webui.form;
  state.settle();
  state.kept = {};
  state.begin(null, state.now ?? state.usual);  // there is nothing to undo
  localStorage.clear();
  sessionStorage.clear();
}"""
ANSWERED = "Failed to load resource: the server responded with a status"  # what Chromium's console says of an answer
CHECKPOINT = "#setting_sd_model_checkpoint input"
MINI = re.compile(r"^mini\.safetensors \[0123456789\]$")


class Served(Protocol):
    """What serves the page."""

    @property
    def address(self) -> str: ...


def _as_is(page: Page) -> None:
    """Do nothing before the page is opened."""


class Staying:
    """The page of a file, and what went wrong in it since the test began."""

    def __init__(
        self,
        context: BrowserContext,
        home: Served,
        *,
        size: tuple[int, int] = DESKTOP,
        checkpoint: re.Pattern[str] = MINI,
        hears_errors: bool = False,
    ) -> None:
        """
        Args:
            size: of the window, in CSS pixels.
            checkpoint: what the page shows as the one in use.
            hears_errors: whether what the console calls an error, and an answer of 400 or above, is a fault.
        """
        self._context = context
        self._home = home
        self._size = size
        self._checkpoint = checkpoint
        self._page: Page | None = None
        self._asked: list[Request] = []
        self._faults: list[str] = []
        self._refused: list[str] = []
        self._heard: list[tuple[str, Callable[..., None]]] = [
            ("request", self._note_request), ("pageerror", self._note_fault),
        ]  # fmt: skip
        if hears_errors:
            self._heard += [("console", self._note_console), ("response", self._note_response)]

    def open(
        self, query: str = "", *, size: tuple[int, int] | None = None, before: Callable[[Page], None] = _as_is
    ) -> Page:
        """The page as it is when it has just been opened.

        Args:
            query: what follows the address, where it is opened now.
            size: of the window, where it is not that of the file.
            before: called with the tab before the page is opened in it.
        """
        if self._page is not None:
            return self._page
        page = self._page = visit(self._context, size or self._size)
        page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        for name, note in self._heard:
            page.on(name, note)  # type: ignore[call-overload]
        before(page)
        page.goto(self._home.address + query)
        expect(page.locator("#txt2img_generate")).to_be_attached()
        expect(page.locator(CHECKPOINT)).to_have_value(self._checkpoint)
        page.wait_for_function(READY)
        return page

    @contextmanager
    def opened(
        self, query: str = "", *, size: tuple[int, int] | None = None, before: Callable[[Page], None] = _as_is
    ) -> Iterator[Page]:
        """A page that is opened now, for one test alone; the arguments are those of `open`."""
        self.leave()
        try:
            yield self.open(query, size=size, before=before)
            self.check()
        finally:
            self.leave()

    def leave(self) -> None:
        """The next test finds the page opened anew."""
        if self._page is not None:
            for name, note in self._heard:
                self._page.remove_listener(name, note)
            forget(self._context, self._home.address)
            self._page = None

    def tidy(self) -> None:
        """Bring the page back to its beginning, after its engine was."""
        page = self._page
        if page is None:
            return
        page.unroute_all()
        page.wait_for_function(READY)  # a test may have ended with a reload
        if not self._checkpoint.search(page.locator(CHECKPOINT).input_value()):
            self.leave()
            return
        page.set_viewport_size({"width": self._size[0], "height": self._size[1]})
        for _ in range(4):
            if page.evaluate(CLOSED):
                break
            page.keyboard.press("Escape")
        page.mouse.move(0, 0)
        page.evaluate(BARE_CANVAS)
        page.locator("#tab_txt2img-button").click()
        eventually(page, lambda: bool(page.evaluate(AT_REST)))
        page.evaluate(EMPTIED)
        try:
            page.wait_for_function(RESET, polling=50)
        except TimeoutError as error:
            raise AssertionError(f"these do not go back to their first values: {page.evaluate(CHANGED)}") from error
        if page.evaluate(CHANGED):
            self.leave()
            return
        page.evaluate(FORGOTTEN)
        self._asked.clear()  # pictures that are gone with the test may have been asked for,
        self._refused.clear()  # and that they are gone may be told later

    def check(self) -> None:
        """Fails where the test has left a fault, or has asked another address for something."""
        page = self._page
        # Gradio swallows what goes wrong in a script of an event; it only writes "Error" over that event's outputs
        swallowed = page.locator("[data-testid=status-tracker] .error").count() if page is not None else 0
        asked, faults = [one.url for one in self._asked], [*self._faults, *self._refused]
        for noted in (self._asked, self._faults, self._refused):
            noted.clear()
        assert [url for url in asked if not url.startswith((self._home.address, "data:", "blob:"))] == []
        assert faults == [], faults
        assert swallowed == 0

    def give_back(self, *, is_of_use: bool, before: Callable[[], None] = lambda: None) -> None:
        """End a test's use of the page: look for what went wrong, then bring the page back, or leave it.

        Args:
            is_of_use: whether further tests can have it.
            before: brings back what the file's own tests have changed.
        """
        try:
            self.check()
            if is_of_use:
                before()
                self.tidy()
            else:
                self.leave()
        except BaseException:
            self.leave()
            raise

    def _note_request(self, request: Request) -> None:
        self._asked.append(request)

    def _note_fault(self, error: Error) -> None:
        self._faults.append(str(error))

    def _note_console(self, told: ConsoleMessage) -> None:
        if told.type == "error" and not told.text.startswith(ANSWERED):  # those are noted with their addresses
            self._refused.append(told.text)

    def _note_response(self, told: Response) -> None:
        if told.status >= 400 and told.request in self._asked:
            self._refused.append(f"{told.status} {told.url}")
