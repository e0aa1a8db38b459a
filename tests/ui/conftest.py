"""A page over an engine without models, and a browser that looks at it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Request, expect, sync_playwright

from tests.ports import open_port
from tests.ui.canvas_page import Site, visiting
from tests.ui.driving import FLAGS, WAIT, chromium, visited_page
from tests.ui.fakes import FakeEngine
from tests.ui.visiting import DESKTOP, PHONE, forget, visit, visited


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    made = FakeEngine(outputs)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounting sets two of Gradio's variables; they are put back after each test."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")


@dataclass(frozen=True)
class Running:
    """The browser of this process and the event loop of what drives it, which is nobody's while no file uses it.

    Attributes:
        lasting: contexts that stay open from file to file, by what they are for.
    """

    browser: Browser
    loop: asyncio.AbstractEventLoop
    lasting: dict[str, BrowserContext] = field(default_factory=dict)

    def context(self, name: str, **options: Any) -> BrowserContext:
        """One that stays open; `options` are those of `Browser.new_context`."""
        if name not in self.lasting:
            self.lasting[name] = visited(self.browser, **options)
        return self.lasting[name]


@pytest.fixture(scope="session")
def running_browser() -> Iterator[Running]:
    with sync_playwright() as playwright:
        loop = asyncio.get_running_loop()
        started = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        asyncio._set_running_loop(None)
        yield Running(started, loop)
        asyncio._set_running_loop(loop)
        started.close()


@pytest.fixture(scope="module")
def browser(running_browser: Running) -> Iterator[Browser]:
    """The browser of this process. While a file has it, nothing else in this thread runs an event loop; what does so
    afterwards must not find the browser's.
    """
    asyncio._set_running_loop(running_browser.loop)
    yield running_browser.browser
    for context in running_browser.browser.contexts:
        if context not in running_browser.lasting.values():
            context.close()
    asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def port() -> int:
    """One for all files of a process, which serve their pages one after the other."""
    return open_port()


@pytest.fixture(scope="module")
def shared_context(browser: Browser, running_browser: Running) -> BrowserContext:
    """Its tab has the visits of one test after the other, each of which begins without what those before have kept."""
    size = {"width": DESKTOP[0], "height": DESKTOP[1]}
    # a browser without a graphics card draws each frame of a transition anew: of what moves there is all on the phone
    return running_browser.context("desktop", viewport=size, permissions=[], reduced_motion="reduce")


@pytest.fixture(scope="module")
def phone_context(browser: Browser, running_browser: Running) -> BrowserContext:
    """The same with the screen of a phone, which is touched."""
    size = {"width": PHONE[0], "height": PHONE[1]}
    return running_browser.context("phone", viewport=size, has_touch=True, is_mobile=True)


@pytest.fixture
def phone_page(phone_context: BrowserContext, address: str) -> Iterator[Page]:
    """A page that is open on a phone."""
    with visited_page(phone_context, address, PHONE) as opened:
        expect(opened.locator("#txt2img_generate")).to_be_visible()
        yield opened


@pytest.fixture(scope="module")
def canvas_site() -> Iterator[Site]:
    """Serves the canvas alone."""
    with Site() as running:
        yield running


@pytest.fixture
def bare_canvas(shared_context: BrowserContext, canvas_site: Site) -> Iterator[Page]:
    """A page with nothing on it but the canvas."""
    with visiting(shared_context, canvas_site) as page:
        yield page


@pytest.fixture
def page(shared_context: BrowserContext, address: str) -> Iterator[Page]:
    """An open page; what it fetched from elsewhere and what went wrong in its scripts is checked at the end.

    The next test finds nothing of what it kept but the files that never change.
    """
    opened = visit(shared_context)
    opened.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    asked: list[str] = []
    faults: list[str] = []

    def note_request(request: Request) -> None:
        asked.append(request.url)

    def note_fault(error: Error) -> None:
        faults.append(str(error))

    opened.on("request", note_request)
    opened.on("pageerror", note_fault)
    opened.goto(address)
    expect(opened.locator("#txt2img_generate")).to_be_visible()
    expect(opened.locator("#setting_sd_model_checkpoint input")).to_have_value("mini.safetensors [0123456789]")
    yield opened
    # Gradio swallows what goes wrong in a script of an event; it only writes "Error" over that event's outputs
    swallowed = opened.locator("[data-testid=status-tracker] .error").count()
    forget(shared_context, address)
    opened.remove_listener("request", note_request)
    opened.remove_listener("pageerror", note_fault)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert faults == []
    assert swallowed == 0
