"""The frame of the page in a real browser: window height, tabs, themes, keys, languages, the sheet of a phone.

Tests of how the page starts open it, each in a window of another size, which it has to fit; the others share one that
stays open. What axe finds grave is looked for in `test_every_tab.py`.
"""

import functools
import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.ui.accessibility import axe
from tests.ui.driving import WAIT, eventually, whole_page
from tests.ui.fakes import FakeEngine
from tests.ui.house import House, house
from tests.ui.staying import Staying
from tests.ui.visiting import forget, visit, visited
from webui.ui.frame import TITLES

DESKTOP, PHONE = (1440, 900), (390, 844)
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifted += one.value; })
  .observe({ type: "layout-shift", buffered: true });
"""
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[House]:
    """One engine and one server for the whole file."""
    folder = tmp_path_factory.mktemp("frame")
    words = folder / "words"
    words.mkdir()
    (words / "xx.json").write_text(json.dumps({"English": "Other", "Library": "Bookcase", "a cat": "a dog"}))
    app = functools.partial(whole_page, colours="dark", localizations=[words])
    with house(folder, port, app) as made:
        yield made


@pytest.fixture
def engine(home: House) -> Iterator[FakeEngine]:
    with home.lent() as lent:
        yield lent


@pytest.fixture
def address(home: House) -> str:
    return home.address


@pytest.fixture(scope="module")
def lasting(browser: Browser) -> BrowserContext:
    made = visited(browser, viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    made.add_init_script(SHIFTS)
    return made


@pytest.fixture(scope="module")
def staying(lasting: BrowserContext, home: House) -> Iterator[Staying]:
    made = Staying(lasting, home)
    yield made
    made.leave()


@pytest.fixture
def context(lasting: BrowserContext, staying: Staying, address: str) -> Iterator[BrowserContext]:
    """For visits; the page that stays open is not there meanwhile."""
    staying.leave()
    yield lasting
    forget(lasting, address)


def away(said: ConsoleMessage) -> bool:
    """Whether a console tells of a route of the page that is not served in these tests."""
    return "internal/page/" in said.location["url"] and "404" in said.text


@pytest.fixture
def faults() -> list[str]:
    """What a test's pages complain of. The console of the whole program is looked at in test_every_tab.py."""
    return []


@pytest.fixture
def opened(context: BrowserContext, address: str, faults: list[str]) -> Iterator[Open]:
    """Opens the page with a query, which has to fit its window; at the end its console has to be without errors."""

    def go(query: str, size: tuple[int, int]) -> Page:
        page = visit(context, size)
        page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" and not away(said) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address + query)
        expect(page.locator("#header .brand")).to_be_attached()
        expect(page.locator(":root:not([data-loading])")).to_be_attached()
        expect_fit(page, size)
        return page

    yield go
    assert faults == []


def expect_fit(page: Page, size: tuple[int, int]) -> None:
    """The page, with a picture's form in view, is as high as the window, and nothing has moved since its start."""
    measures = page.evaluate(
        "() => [document.documentElement.scrollHeight, document.documentElement.scrollWidth,"
        " document.getElementById('stage').getBoundingClientRect().top]"
    )
    assert measures[:2] == [size[1], size[0]]
    assert measures[2] <= 90
    box = page.locator("#txt2img_generate").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= size[1]
    if size[0] > 720:  # on a phone the row of tabs is pulled
        rims = page.locator("#tabs > .tab-wrapper > .tab-container").evaluate("(e) => [e.scrollWidth, e.clientWidth]")
        assert rims[0] <= rims[1], "every tab is in view"
    assert page.evaluate("window.shifted") < 0.02


@pytest.fixture
def page(staying: Staying, engine: FakeEngine, faults: list[str]) -> Iterator[Page]:
    """The page that stays open, as it is when it has just been opened."""

    def note(said: ConsoleMessage) -> None:
        if said.type == "error" and not away(said):
            faults.append(said.text)

    lent = staying.open()
    lent.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    lent.on("console", note)
    yield lent
    lent.remove_listener("console", note)
    staying.give_back(is_of_use=True, before=engine.forget)  # which sets the window's size, too
    assert faults == []


def resized(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


def tab(page: Page, name: str) -> str:
    """The id of a tab's button."""
    return f"#tab_{name}-button"


# ---- how the page starts


def test_on_a_phone_a_tab_that_there_is_not_is_as_none(opened: Open) -> None:
    page = opened("?tab=<b>", PHONE)
    expect(page.locator(tab(page, "txt2img"))).to_have_attribute("aria-selected", "true")


def test_a_link_opens_its_tab_and_the_address_names_the_tab_in_view(opened: Open) -> None:
    page = opened("?tab=img2img&x=1", (1024, 768))
    expect(page.locator(tab(page, "img2img"))).to_have_attribute("aria-selected", "true")
    page.locator(tab(page, "txt2img")).click()
    page.wait_for_url("**/?x=1")
    page.locator(tab(page, "pnginfo")).click()
    page.wait_for_url("**/?x=1&tab=pnginfo")
    page.locator(tab(page, "txt2img")).click()
    page.wait_for_url("**/?x=1")


def test_the_page_speaks_chinese_and_leaves_alone_what_was_typed(opened: Open) -> None:
    page = opened("?__lang=zh_CN&tab=inpaint", (1920, 1080))
    expect(page.locator(tab(page, "inpaint"))).to_have_attribute("aria-selected", "true")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    expect(page.get_by_role("tab", name="图库", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="快捷键 (?)")).to_be_visible()
    prompt = page.locator("#txt2img_prompt textarea")
    prompt.fill("Library")
    page.wait_for_timeout(200)
    expect(prompt).to_have_value("Library")
    page.get_by_role("button", name="快捷键 (?)").click()
    expect(page.get_by_role("dialog", name="快捷键")).to_contain_text("全屏")


def test_a_dictionary_of_the_user_is_another_language_which_the_browser_keeps(opened: Open) -> None:
    page = opened("", (768, 1024))
    assert page.evaluate("webui.languages") == {"xx": "Other", "zh_CN": "简体中文"}
    page.evaluate("history.replaceState(history.state, '', '?tab=library')")
    with page.expect_navigation():
        page.evaluate("webui.setLanguage('xx')")
    expect(page.locator(tab(page, "image_browser"))).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", name="Bookcase", exact=True)).to_be_visible()
    expect(page.get_by_role("tab", name="Settings", exact=True)).to_be_visible()  # it has no word for that


# ---- the page that stays open


def test_a_language_that_there_is_not_is_as_none(staying: Staying, engine: FakeEngine) -> None:
    staying.leave()
    page = staying.open("?__lang=../../zz", size=DESKTOP)  # which the tests below have, too
    expect_fit(page, DESKTOP)
    expect(page.get_by_role("tab", name="Library", exact=True)).to_be_attached()
    staying.give_back(is_of_use=True, before=engine.forget)


def without_gradio(context: BrowserContext) -> Page:
    """A tab in which only the head of the page runs."""
    page = visit(context)
    page.route("**/assets/*.js", lambda route: route.abort())
    return page


def test_a_chosen_theme_stays_and_a_link_may_ask_for_another_once(page: Page, address: str) -> None:
    expect(page.locator(':root[data-theme="dark"]')).to_be_attached()  # the server's setting
    again = without_gradio(page.context)
    again.goto(address + "?__theme=light")
    expect(again.locator(':root[data-theme="light"]')).to_be_attached()  # before anything is drawn
    assert again.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(228, 228, 228)"
    expect(again.locator("body:not(.dark)")).to_be_attached()
    page.get_by_role("button", name="Dark or light").click()
    expect(page.locator(':root[data-theme="light"]')).to_be_attached()
    expect(page.locator("body:not(.dark)")).to_be_attached()
    page.evaluate("webui.setAccent('moss')")
    again.goto(address)
    expect(again.locator(':root[data-theme="light"][data-accent="moss"]')).to_be_attached()
    again.goto(address + "?__theme=dark")
    expect(again.locator(':root[data-theme="dark"]')).to_be_attached()
    expect(again.locator("body.dark")).to_be_attached()
    again.goto(address)
    expect(again.locator(':root[data-theme="light"]')).to_be_attached()
    again.close()
    page.evaluate("webui.setTheme(null)")
    expect(page.locator(':root[data-theme="dark"]')).to_be_attached()
    page.evaluate("webui.setAccent('iris')")


def test_at_twice_the_size_the_tab_scrolls_and_the_picture_keeps_its_place(page: Page) -> None:
    resized(page, (720, 450))  # 1440 x 900 at a zoom of 200 %
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    assert stage["height"] >= 260
    assert page.evaluate("document.documentElement.scrollHeight") == 450
    page.locator("#txt2img_generate").scroll_into_view_if_needed()
    expect(page.locator("#txt2img_generate")).to_be_in_viewport(ratio=1)


def test_every_tab_is_found_under_its_name_and_opened_by_arrow_keys(page: Page) -> None:
    for title in TITLES.values():
        expect(page.get_by_role("tab", name=title, exact=True)).to_be_visible()
    page.get_by_role("tab", name="txt2img", exact=True).focus()
    for key, name in (
        ("ArrowRight", "img2img"),
        ("ArrowRight", "inpaint"),
        ("End", "settings"),
        ("ArrowRight", "txt2img"),
        ("ArrowLeft", "settings"),
        ("Home", "txt2img"),
    ):
        page.keyboard.press(key)
        expect(page.locator(tab(page, name))).to_be_focused()
        expect(page.locator(tab(page, name))).to_have_attribute("aria-selected", "true")
        expect(page.locator(f':root[data-tab="{name}"]')).to_be_attached()
    # only the tab in view is on the way of the key Tab
    assert page.locator("#tabs > .tab-wrapper [role=tab][tabindex='0']").count() == 1


def test_the_modes_share_a_panel_and_the_form_is_told_the_mode(page: Page) -> None:
    page.locator("#txt2img_prompt textarea").fill("a cat")
    page.get_by_role("tab", name="Inpaint", exact=True).click()
    expect(page.locator(':root[data-mode="inpaint"]')).to_be_attached()
    expect(page.locator("#txt2img_prompt textarea")).to_be_visible()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cat")
    expect(page.locator("#create_mode textarea, #create_mode input")).to_have_value("inpaint")
    expect(page.get_by_role("tab", name="Inpaint", exact=True)).to_have_attribute("aria-controls", "tab_txt2img")
    page.get_by_role("tab", name="Library", exact=True).click()
    expect(page.locator("#txt2img_prompt textarea")).to_be_hidden()


def test_the_list_of_keys_opens_and_closes_and_gives_the_focus_back(page: Page) -> None:
    page.locator("#txt2img_prompt textarea").fill("")
    page.keyboard.type("what?nN/")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("what?nN/")
    keys = page.get_by_role("button", name="Keys (?)")
    keys.focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Full screen")
    page.keyboard.press("Control+Enter")  # keys of the page wait until it is closed
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(keys).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#txt2img_prompt textarea")).to_be_focused()


@pytest.mark.parametrize("is_known", [False, True], ids=["at once", "while it runs"])
def test_ctrl_enter_generates_and_escape_interrupts(page: Page, engine: FakeEngine, is_known: bool) -> None:
    engine.hold()
    page.locator("#txt2img_prompt textarea").fill("a cat")
    page.keyboard.press("Control+Enter")
    if is_known:
        expect(page.locator("#txt2img_gallery .pill")).to_contain_text("Sampling")
    page.keyboard.press("Escape")
    eventually(page, lambda: [request.prompt for request in engine.asked] == ["a cat"])
    eventually(page, lambda: engine.last.ended)
    assert engine.last.cancelled


def test_a_phone_has_the_settings_in_a_sheet(page: Page) -> None:
    resized(page, PHONE)
    steps = page.locator("#txt2img_steps input[type=range]")
    expect(steps).to_be_hidden()
    button = page.get_by_role("button", name="Settings of the picture")
    button.click()
    expect(steps).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(steps).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    expect(steps).to_be_visible()
    page.mouse.click(195, 120)
    expect(steps).to_be_hidden()
    page.get_by_role("tab", name="Settings", exact=True).click()
    expect(button).to_be_hidden()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_frame_is_without_lesser_findings_of_axe(page: Page, size: tuple[int, int]) -> None:
    parts = "#header, #quicksettings, #tabs > .tab-wrapper, #txt2img_settings, #dock"
    resized(page, size)
    assert axe(page, within=parts, impacts=("moderate",)) == []


def test_a_component_that_cannot_be_drawn_says_so_and_hurts_nobody(page: Page, faults: list[str]) -> None:
    with page.expect_console_message(lambda said: "nothing_of_the_kind" in said.text) as told:
        page.evaluate("async () => { await webui.mount('nothing_of_the_kind', {}); }")
    assert "the component nothing_of_the_kind cannot be drawn" in told.value.text
    expect(page.locator("#txt2img_generate")).to_be_visible()
    faults.clear()
