"""Every tab of the page, dark and light, on a desktop and on a phone: fit for everybody, silent in the console, steady.

One server and one browser serve them all, and each pair of colours and size is one page that goes from tab to tab.
"""

import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, Page, expect

from tests.gallery.pictures import infotext, scanned
from tests.ui.accessibility import axe
from tests.ui.driving import WAIT, eventually, generate, picture
from tests.ui.library_house import DESKTOP, PHONE, LibraryHouse, landscape, library_house
from webui.ui.frame import TITLES

SIZES = (DESKTOP, (1024, 768), PHONE)
MOST_REQUESTS, MOST_BYTES = 103, 797_000  # what the page before this one asked for at its start
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    window.shifts.push([one.value, ...one.sources.map(({ node }) => node?.id || node?.className || node?.nodeName)]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


class Look(NamedTuple):
    """A page in some colours and size, and what went wrong in it so far."""

    page: Page
    faults: list[str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibraryHouse]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
            patch.setenv(name, "")
        with library_house(tmp_path_factory.mktemp("house")) as made:
            folder = made.outputs / "txt2img-images"
            folder.mkdir()
            for number in range(6):
                chunks = PngInfo()
                chunks.add_text("parameters", infotext("a hill", seed=number))
                landscape(number * 60).save(folder / f"{number:05}-{number}.png", pnginfo=chunks)
            scanned(made.gallery)
            yield made
            shutil.rmtree(made.outputs)


def open_page(browser: Browser, house: LibraryHouse, theme: str, size: tuple[int, int]) -> Look:
    """A page that is whole; warnings, errors and refused requests are collected."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=size == PHONE)
    context.add_init_script(SHIFTS)
    page, faults = context.new_page(), list[str]()
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status > 399 else None)
    page.goto(f"{house.address}?__theme={theme}")
    expect(page.locator(":root:not([data-loading])")).to_be_attached()
    return Look(page, faults)


@pytest.fixture(scope="module", params=["dark", "light"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def look(request: pytest.FixtureRequest, browser: Browser, house: LibraryHouse, theme: str) -> Iterator[Look]:
    made = open_page(browser, house, theme, request.param)
    yield made
    made.page.context.close()


@pytest.fixture(autouse=True)
def _from_here_on(request: pytest.FixtureRequest) -> None:
    """What went wrong before a test is not held against it."""
    if "look" in request.fixturenames:
        request.getfixturevalue("look").faults.clear()


def open_tab(page: Page, name: str) -> None:
    page.locator(f"#tab_{name}-button").click()
    expect(page.locator(f':root[data-tab="{name}"]')).to_be_attached()
    page.wait_for_timeout(300)  # what fades in has its colours then


@pytest.mark.parametrize("name", TITLES)
def test_a_tab_is_fit_for_everybody_and_its_console_is_silent(look: Look, name: str) -> None:
    open_tab(look.page, name)
    assert axe(look.page) == []
    assert look.faults == []


@pytest.mark.parametrize("part", ["keys", "drawer", "queue", "library", "sheet"])
def test_what_opens_over_a_tab_is_fit_for_everybody(look: Look, part: str) -> None:
    page = look.page
    open_tab(page, "image_browser" if part == "library" else "txt2img")
    if part == "keys":
        page.evaluate("document.activeElement?.blur()")
        page.keyboard.press("?")  # a phone has no button for it
        opened = page.locator("dialog.keys")
    elif part == "drawer":
        page.locator(".drawer-button").click()
        opened = page.locator("#txt2img_extra_networks .dock-panel")
    elif part == "queue":
        page.evaluate("document.activeElement?.blur()")
        page.keyboard.press("q")  # the strip of a phone has no button for it
        opened = page.locator("#queue_panel .box")
    elif part == "library":
        page.locator("#library .tile").first.dblclick()
        opened = page.locator(".picture-dialog")
    else:
        button = page.locator("#header .sheet-button")
        if button.is_visible():  # on a desktop the settings are always there
            button.click()
        opened = page.locator("#txt2img_settings")
    expect(opened).to_be_visible()
    page.wait_for_timeout(400)
    assert axe(page) == []
    page.keyboard.press("Escape")
    assert look.faults == []


@pytest.mark.parametrize("size", SIZES)
def test_nothing_moves_from_submit_to_finish_and_all_stays_in_view(
    browser: Browser, house: LibraryHouse, size: tuple[int, int]
) -> None:
    page, faults = open_page(browser, house, "dark", size)
    page.evaluate("window.shifts.length = 0")
    house.engine.step_seconds = 0.1
    made = len(house.engine.asked)
    generate(page, "a hill that stays where it is")
    eventually(page, lambda: len(house.engine.asked) > made and bool(house.engine.last.ended))
    house.engine.step_seconds = 0
    picture(page)
    page.wait_for_timeout(1000)
    shifts = page.evaluate("window.shifts")
    assert sum(one[0] for one in shifts) < 0.02, shifts
    for part in ("#txt2img_gallery .plane .now", "#txt2img_generate"):
        box = page.locator(part).first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= size[0], part
        assert box["y"] + box["height"] <= size[1], part
    assert faults == []
    page.context.close()


def test_the_start_asks_for_no_more_than_the_page_before_this_one(browser: Browser, house: LibraryHouse) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    session, asked, received = context.new_cdp_session(page), list[str](), list[int]()
    session.on("Network.requestWillBeSent", lambda told: asked.append(told["request"]["url"]))
    session.on("Network.loadingFinished", lambda told: received.append(int(told["encodedDataLength"])))
    session.send("Network.enable")
    page.goto(house.address)
    expect(page.locator(":root:not([data-loading])")).to_be_attached(timeout=WAIT)
    page.wait_for_timeout(2000)
    own = [one for one in asked if "/internal/page/static/" in one]
    assert {one.rpartition("/")[2] for one in own} >= {"joined.js", "joined.css", "boot.js"}
    assert len(own) <= 5, own
    assert len([one for one in asked if one.startswith("http")]) <= MOST_REQUESTS
    assert 100_000 < sum(received) <= MOST_BYTES
    context.close()
