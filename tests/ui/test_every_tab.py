"""Every tab of the page, dark and light, on a desktop and on a phone: fit for everybody, silent in the console, steady.

One server and one tab of a browser serve them all, which had nothing of the page before. Each size is one visit, which
goes from tab to tab, dark first and then light; what the first one fetches is counted.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.gallery.pictures import infotext, scanned
from tests.ui.accessibility import OF_COLOURS, axe
from tests.ui.driving import WAIT, eventually, generate, picture
from tests.ui.library_house import DESKTOP, PHONE, LibraryHouse, landscape, library_house
from tests.ui.visiting import forget, visit, visited
from webui.ui.frame import TITLES

SIZES = {DESKTOP: (DESKTOP, (1024, 768)), PHONE: (PHONE,)}  # in which a picture is made, by that of the page
MOST_REQUESTS, MOST_BYTES = 90, 640_000  # of the first view; packed, with heads
FONT = "inter.woff2"
COUNTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    window.shifts.push([one.value, ...one.sources.map(({ node }) => node?.id || node?.className || node?.nodeName)]);
  }
}).observe({ type: "layout-shift", buffered: true });
const askForFrame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => {
  window.framesAsked = (window.framesAsked ?? 0) + 1;
  return askForFrame(draw);
};
"""
RESTS = """async () => {
  for (let tries = 0; tries < 30; tries += 1) {
    window.framesAsked = 0;
    await new Promise((done) => { setTimeout(done, 1000); });
    if (window.framesAsked < 4) return true;
  }
  return false;
}"""
# Marks what can be seen and was not there when this was called before for the same theme; told is whether there is any.
NEWS = """([theme, countsChanges]) => {
  const seen = ((window.seenIn ??= {})[theme] ??= new WeakMap()), found = [];
  for (const one of document.querySelectorAll("[data-news]")) one.removeAttribute("data-news");
  const asIs = ({ attributes, childNodes }) => JSON.stringify([
    [...attributes].map((one) => [one.name, one.value]),
    [...childNodes].filter((one) => one.nodeType === Node.TEXT_NODE).map((one) => one.data.trim()).filter(Boolean),
  ]);
  const look = (element, isWithin) => {
    const hasBox = element.checkVisibility();
    if (!hasBox && getComputedStyle(element).display !== "contents") return;
    const now = countsChanges ? asIs(element) : "";
    const isNew = hasBox && element !== document.body && seen.get(element) !== now;
    if (isNew) seen.set(element, now);
    if (isNew && !isWithin) found.push(element);
    for (const inner of element.children) look(inner, isNew || isWithin);
  };
  look(document.body, false);
  for (const one of found) one.setAttribute("data-news", "");
  return found.length > 0;
}"""
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Look:
    """A visit with a window of some size.

    Attributes:
        faults: what went wrong since the test began.
        first: what the page asked for at its start.
        late: what it asked for afterwards, when the tabs Learn and Library were opened as the first; of a desktop.
        received: bytes that came at the start.
    """

    page: Page
    size: tuple[int, int]
    faults: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    received: int = 0


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


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has nothing of the page."""
    made = visited(browser)
    made.add_init_script(COUNTS)
    yield made
    made.close()


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def look(request: pytest.FixtureRequest, context: BrowserContext, house: LibraryHouse) -> Iterator[Look]:
    """The whole page; warnings, errors and refused requests are collected."""
    page, asked, sizes = visit(context, request.param), list[str](), list[int]()
    made = Look(page, request.param)
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    faults = made.faults
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status > 399 else None)
    session = context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": made.size == PHONE})
    session.on("Network.requestWillBeSent", lambda told: asked.append(told["request"]["url"]))
    session.on("Network.loadingFinished", lambda told: sizes.append(int(told["encodedDataLength"])))
    session.send("Network.enable")
    page.goto(f"{house.address}?__theme=dark")
    expect(page.locator(":root:not([data-loading])")).to_be_attached()
    page.wait_for_timeout(2000)  # what comes late is asked for by then
    made.first, made.received = [*asked], sum(sizes)
    if made.size == DESKTOP:
        made.late = late_files(page, asked)
    session.send("Network.disable")
    yield made
    session.detach()
    forget(context, house.address)


def late_files(page: Page, asked: list[str]) -> list[str]:
    """What is asked for when two tabs are opened that no other test has opened."""
    start = len(asked)
    tab = page.get_by_role("tab", name="Learn")
    tab.hover()
    eventually(page, lambda: any(one.endswith("joined_pnginfo.js") for one in asked[start:]))
    tab.click()
    expect(page.locator(".learn-nav")).to_be_visible()
    page.get_by_role("tab", name="Library").click()
    expect(page.locator(".own.library > *").first).to_be_visible()
    return asked[start:]


@pytest.fixture(scope="module", params=["dark", "light"])
def theme(request: pytest.FixtureRequest, look: Look) -> str:
    name = str(request.param)
    look.page.evaluate("(name) => webui.setTheme(name)", name)
    expect(look.page.locator(f':root[data-theme="{name}"]')).to_be_attached()
    return name


@pytest.fixture(autouse=True)
def _from_here_on(request: pytest.FixtureRequest) -> None:
    """What went wrong before a test is not held against it."""
    if "look" in request.fixturenames:
        request.getfixturevalue("look").faults.clear()


def found_by_axe(page: Page, theme: str) -> list[str]:
    """What is wrong with what has come into view since the last look at this page in this theme.

    Light differs in colours alone: there each thing is looked at once, and for its colours; in the dark it is looked at
    again when its text or an attribute has changed.
    """
    is_dark = theme == "dark"
    if not page.evaluate(NEWS, [theme, is_dark]):
        return []
    return axe(page, "[data-news]", rules=() if is_dark else OF_COLOURS)


def open_tab(page: Page, name: str) -> None:
    page.locator(f"#tab_{name}-button").click()
    expect(page.locator(f':root[data-tab="{name}"]')).to_be_attached()


@pytest.mark.parametrize("look", [DESKTOP], indirect=True, ids=["desktop"])
def test_the_first_view_asks_for_little_and_a_tab_for_its_own_files(look: Look) -> None:
    names = [one.rpartition("/")[2] for one in look.first]
    assert FONT in names  # what is counted is the page
    assert [one for one in names if one.startswith("joined")] == ["joined.css", "joined.js"]
    own = [one for one in look.first if "/internal/page/static/" in one]
    assert {one.rpartition("/")[2] for one in own} >= {"joined.js", "joined.css", "boot.js"}
    assert len(own) <= 5, own
    assert len([one for one in look.first if one.startswith("http")]) <= MOST_REQUESTS
    assert 100_000 < look.received <= MOST_BYTES
    late = [one.rpartition("/")[2] for one in look.late]
    assert sorted(one for one in late if one.startswith("joined_")) == [
        "joined_image_browser.js", "joined_pnginfo.css", "joined_pnginfo.js", "joined_shared.js",
    ]  # fmt: skip


def test_a_page_at_rest_asks_for_no_frames(look: Look) -> None:
    """Gradio's own clock of the start would ask for each (webui/ui/static/boot.js)."""
    assert look.page.evaluate(RESTS)


def test_nothing_moves_from_submit_to_finish_and_all_stays_in_view(house: LibraryHouse, look: Look) -> None:
    page = look.page
    open_tab(page, "txt2img")
    for size in SIZES[look.size]:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        make_a_picture(page, house)
        page.wait_for_timeout(1000)
        shifts = page.evaluate("window.shifts")
        assert sum(one[0] for one in shifts) < 0.02, (size, shifts)
        for part in ("#txt2img_gallery .plane .now", "#txt2img_generate"):
            box = page.locator(part).first.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= size[0], (size, part)
            assert box["y"] + box["height"] <= size[1], (size, part)
    page.set_viewport_size({"width": look.size[0], "height": look.size[1]})
    assert look.faults == []


def make_a_picture(page: Page, house: LibraryHouse) -> None:
    """Until it is in view. What moved before is forgotten."""
    large = page.locator("#txt2img_gallery .plane .now")
    before = large.get_attribute("src")
    page.evaluate(DRAWN)
    page.evaluate("window.shifts.length = 0")
    made = len(house.engine.asked)
    house.engine.step_seconds = 0.03
    generate(page, "a hill that stays where it is")
    eventually(page, lambda: len(house.engine.asked) > made and bool(house.engine.last.ended))
    house.engine.step_seconds = 0
    expect(large).not_to_have_attribute("src", before or "")
    picture(page)


@pytest.mark.parametrize("name", TITLES)
def test_a_tab_is_fit_for_everybody_and_its_console_is_silent(look: Look, theme: str, name: str) -> None:
    open_tab(look.page, name)
    assert found_by_axe(look.page, theme) == []
    assert look.faults == []


@pytest.mark.parametrize("part", ["keys", "drawer", "queue", "library", "sheet"])
def test_what_opens_over_a_tab_is_fit_for_everybody(look: Look, theme: str, part: str) -> None:
    page = look.page
    open_tab(page, "image_browser" if part == "library" else "txt2img")
    if part == "keys":
        page.evaluate("document.activeElement?.blur()")
        page.keyboard.press("?")  # a phone has no button for it
        place = "dialog.keys"
    elif part == "drawer":
        page.locator(".drawer-button").click()
        place = "#txt2img_extra_networks .dock-panel"
    elif part == "queue":
        page.evaluate("document.activeElement?.blur()")
        page.keyboard.press("q")  # the strip of a phone has no button for it
        place = "#queue_panel .box"
    elif part == "library":
        page.locator("#library .tile").first.dblclick()
        place = ".picture-dialog"
    else:
        button = page.locator("#header .sheet-button")
        if button.is_visible():  # on a desktop the settings are always there
            button.click()
        place = "#txt2img_settings"
    expect(page.locator(place)).to_be_visible()
    assert found_by_axe(page, theme) == []
    page.keyboard.press("Escape")
    assert look.faults == []
