"""The page in a browser where it hangs below a path, and light or dark as the setting says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Page, Response, expect

from tests.narrowing import untyped
from tests.ui.driving import WAIT, picture, served, whole_page
from tests.ui.fakes import FakeEngine
from tests.ui.visiting import forget, visit
from webui.server.subpath import below, without


@pytest.fixture
def address(engine: FakeEngine, tmp_path: Path) -> Iterator[str]:
    app = whole_page(engine, tmp_path, root_path="/sd", colours="dark")
    with served(untyped(without("/sd", below("/sd", app)))) as place:
        yield f"{place}sd"


@pytest.fixture
def page(shared_context: BrowserContext, address: str) -> Iterator[Page]:
    """A tab of a browser with light colours; errors and missing files fail the test."""
    tab = visit(shared_context)
    tab.emulate_media(color_scheme="light")
    faults: list[str] = []

    def note_error(error: Error) -> None:
        faults.append(str(error))

    def note_answer(answer: Response) -> None:
        if answer.status == 404:
            faults.append(answer.url)

    tab.on("pageerror", note_error)
    tab.on("response", note_answer)
    yield tab
    tab.emulate_media(color_scheme="null")
    forget(shared_context, "/".join(address.split("/")[:3]))
    tab.remove_listener("pageerror", note_error)
    tab.remove_listener("response", note_answer)
    assert faults == []


def test_a_picture_is_made_below_a_path_on_a_dark_page(page: Page, address: str) -> None:
    expect.set_options(timeout=WAIT)
    page.goto(address)
    page.locator("#txt2img_prompt textarea").fill("a cat")
    expect(page.locator("body.dark")).to_be_visible()
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    expect(page.locator("body.dark")).to_be_visible()
    page.locator("#txt2img_generate").click()
    picture(page)
