"""A page over an engine without models, and a browser that looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.ports import open_port
from tests.ui.driving import FLAGS, WAIT, chromium, served, whole_page
from tests.ui.fakes import FakeEngine


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def port() -> int:
    """One for a whole file: a browser that finds the same address again has the page's scripts already."""
    return open_port()


@pytest.fixture
def address(engine: FakeEngine, tmp_path: Path, port: int) -> Iterator[str]:
    with served(whole_page(engine, tmp_path), port) as place:
        yield place


@pytest.fixture(scope="module")
def shared_context(browser: Browser) -> Iterator[BrowserContext]:
    """A context for the tests of a file. Its first page stays empty; `forget` asks the browser through it."""
    made = browser.new_context(viewport={"width": 1440, "height": 1000}, permissions=[])
    made.new_page()
    yield made
    made.close()


@pytest.fixture
def page(shared_context: BrowserContext, address: str) -> Iterator[Page]:
    """An open page; what it fetched from elsewhere and what went wrong in its scripts is checked at the end.

    The next test finds nothing of what it kept but the files that never change.
    """
    opened = shared_context.new_page()
    opened.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    foreign: list[str] = []
    faults: list[str] = []
    opened.on(
        "request",
        lambda request: None if request.url.startswith((address, "data:", "blob:")) else foreign.append(request.url),
    )
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(address)
    expect(opened.locator("#txt2img_generate")).to_be_visible()
    expect(opened.locator("#setting_sd_model_checkpoint input")).to_have_value("mini.safetensors [0123456789]")
    yield opened
    # Gradio swallows what goes wrong in a script of an event; it only writes "Error" over that event's outputs
    swallowed = opened.locator("[data-testid=status-tracker] .error").count()
    for one in opened_by_tests(shared_context):
        one.goto("about:blank")  # a page that is left keeps its form; one that is closed may do so later
    forget(shared_context, address)
    for one in opened_by_tests(shared_context):
        one.close()
    assert foreign == []
    assert faults == []
    assert swallowed == 0


def opened_by_tests(context: BrowserContext) -> list[Page]:
    """The pages of the shared context but for its empty one."""
    return context.pages[1:]


def forget(context: BrowserContext, address: str) -> None:
    """Clear what pages of an address have stored: cookies, local storage, databases."""
    context.clear_cookies()
    context.clear_permissions()
    session = context.new_cdp_session(context.pages[0])
    session.send("Storage.clearDataForOrigin", {"origin": address.rstrip("/"), "storageTypes": "all"})
    session.detach()
