"""A page over an engine without models, and a browser that looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.ports import open_port
from tests.ui.driving import FLAGS, WAIT, chromium, served, whole_page
from tests.ui.fakes import FakeEngine
from tests.ui.visiting import forget, lasting_context


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
    with lasting_context(browser, viewport={"width": 1440, "height": 1000}, permissions=[]) as made:
        yield made


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
    forget(shared_context, address)
    assert foreign == []
    assert faults == []
    assert swallowed == 0
