"""The frame of the page in a real browser: window height, tabs, themes, keys, languages, the sheet of a phone."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.ui.accessibility import axe
from tests.ui.driving import WAIT, eventually, served, whole_page
from tests.ui.fakes import FakeEngine
from tests.ui.visiting import forget, visit, visited
from webui.ui.frame import TITLES

SIZES = ((1440, 900), (1920, 1080), (1024, 768), (768, 1024), (390, 844))
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifted += one.value; })
  .observe({ type: "layout-shift", buffered: true });
"""
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeEngine, str]]:
    """One engine and one server for the whole file."""
    folder = tmp_path_factory.mktemp("frame")
    (folder / "outputs").mkdir()
    words = folder / "words"
    words.mkdir()
    (words / "xx.json").write_text(json.dumps({"English": "Other", "Library": "Bookcase", "a cat": "a dog"}))
    engine = FakeEngine(folder / "outputs")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_TEMP_DIR", "")  # mounting sets it
        with served(whole_page(engine, folder, colours="dark", localizations=[words])) as place:
            yield engine, place
    engine.close()


@pytest.fixture
def engine(house: tuple[FakeEngine, str]) -> Iterator[FakeEngine]:
    yield house[0]
    house[0].step_seconds = 0.0


@pytest.fixture
def address(house: tuple[FakeEngine, str]) -> str:
    return house[1]


@pytest.fixture(scope="module")
def lasting(browser: Browser) -> BrowserContext:
    made = visited(browser, viewport={"width": 1440, "height": 900})
    made.add_init_script(SHIFTS)
    return made


@pytest.fixture
def context(lasting: BrowserContext, address: str) -> Iterator[BrowserContext]:
    yield lasting
    forget(lasting, address)


def away(said: ConsoleMessage) -> bool:
    """Whether a console tells of a route of the page that is not served in these tests."""
    return "internal/page/" in said.location["url"] and "404" in said.text


@pytest.fixture
def opened(context: BrowserContext, address: str) -> Iterator[Open]:
    """Opens the page with a query; at the end its console has to be without errors."""
    faults: list[str] = []

    def go(query: str = "", size: tuple[int, int] = (1440, 900)) -> Page:
        page = visit(context, size)
        page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        # the console of the whole program is looked at in test_every_tab.py
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" and not away(said) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address + query)
        expect(page.locator("#header .brand")).to_be_attached()
        expect(page.locator(":root:not([data-loading])")).to_be_attached()
        return page

    yield go
    assert faults == []


def tab(page: Page, name: str) -> str:
    """The id of a tab's button."""
    return f"#tab_{name}-button"


@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_as_high_as_the_window_and_nothing_moves_at_the_start(opened: Open, size: tuple[int, int]) -> None:
    page = opened(size=size)
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


def test_at_twice_the_size_the_tab_scrolls_and_the_picture_keeps_its_place(opened: Open) -> None:
    page = opened(size=(720, 450))  # 1440 x 900 at a zoom of 200 %
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    assert stage["height"] >= 260
    assert page.evaluate("document.documentElement.scrollHeight") == 450
    page.locator("#txt2img_generate").scroll_into_view_if_needed()
    expect(page.locator("#txt2img_generate")).to_be_in_viewport(ratio=1)


def test_every_tab_is_found_under_its_name_and_opened_by_arrow_keys(opened: Open) -> None:
    page = opened()
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


def test_the_modes_share_a_panel_and_the_form_is_told_the_mode(opened: Open) -> None:
    page = opened()
    page.locator("#txt2img_prompt textarea").fill("a cat")
    page.get_by_role("tab", name="Inpaint", exact=True).click()
    expect(page.locator(':root[data-mode="inpaint"]')).to_be_attached()
    expect(page.locator("#txt2img_prompt textarea")).to_be_visible()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cat")
    expect(page.locator("#create_mode textarea, #create_mode input")).to_have_value("inpaint")
    expect(page.get_by_role("tab", name="Inpaint", exact=True)).to_have_attribute("aria-controls", "tab_txt2img")
    page.get_by_role("tab", name="Library", exact=True).click()
    expect(page.locator("#txt2img_prompt textarea")).to_be_hidden()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?tab=library", "image_browser"),
        ("?tab=inpaint", "inpaint"),
        ("?tab=settings&x=1", "settings"),
        ("?tab=<b>", "txt2img"),
    ],
)
def test_a_link_opens_its_tab(opened: Open, query: str, name: str) -> None:
    page = opened(query)
    expect(page.locator(tab(page, name))).to_have_attribute("aria-selected", "true")


def test_the_address_names_the_tab_in_view(opened: Open) -> None:
    page = opened("?x=1")
    page.locator(tab(page, "pnginfo")).click()
    page.wait_for_url("**/?x=1&tab=pnginfo")
    page.reload()
    expect(page.locator(tab(page, "pnginfo"))).to_have_attribute("aria-selected", "true")
    page.locator(tab(page, "txt2img")).click()
    page.wait_for_url("**/?x=1")


def test_a_chosen_theme_stays_and_a_link_may_ask_for_another_once(opened: Open) -> None:
    page = opened()
    expect(page.locator(':root[data-theme="dark"]')).to_be_attached()  # the server's setting
    page.get_by_role("button", name="Dark or light").click()
    expect(page.locator(':root[data-theme="light"]')).to_be_attached()
    expect(page.locator("body:not(.dark)")).to_be_attached()
    page.evaluate("webui.setAccent('moss')")
    page.reload()
    expect(page.locator(':root[data-theme="light"][data-accent="moss"]')).to_be_attached()
    again = opened("?__theme=dark")
    expect(again.locator(':root[data-theme="dark"]')).to_be_attached()
    expect(again.locator("body.dark")).to_be_attached()
    page.reload()
    expect(page.locator(':root[data-theme="light"]')).to_be_attached()
    page.evaluate("webui.setTheme(null)")
    expect(page.locator(':root[data-theme="dark"]')).to_be_attached()


def test_the_theme_is_there_before_anything_is_drawn(context: BrowserContext, address: str) -> None:
    page = visit(context)
    page.route("**/assets/*.js", lambda route: route.abort())  # Gradio never starts
    page.goto(address + "?__theme=light")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(228, 228, 228)"


def test_the_list_of_keys_opens_and_closes_and_gives_the_focus_back(opened: Open) -> None:
    page = opened()
    page.locator("#txt2img_prompt textarea").fill("")
    page.keyboard.type("what?nN/")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("what?nN/")
    keys = page.get_by_role("button", name="Keys (?)")
    keys.focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Full screen")
    assert axe(page, within="dialog.keys") == []
    page.keyboard.press("Control+Enter")  # keys of the page wait until it is closed
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(keys).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#txt2img_prompt textarea")).to_be_focused()


def test_ctrl_enter_generates_and_escape_interrupts(opened: Open, engine: FakeEngine) -> None:
    engine.step_seconds = 1
    page = opened()
    page.locator("#txt2img_prompt textarea").fill("a cat")
    page.keyboard.press("Control+Enter")
    eventually(page, lambda: [request.prompt for request in engine.asked] == ["a cat"])
    page.keyboard.press("Escape")
    eventually(page, lambda: engine.last.ended or engine.last.stopping)


def test_a_phone_has_the_settings_in_a_sheet(opened: Open) -> None:
    page = opened(size=(390, 844))
    steps = page.locator("#txt2img_steps input[type=range]")
    expect(steps).to_be_hidden()
    button = page.get_by_role("button", name="Settings of the picture")
    button.click()
    expect(steps).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    assert axe(page, within="#txt2img_settings") == []
    page.keyboard.press("Escape")
    expect(steps).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    expect(steps).to_be_visible()
    page.mouse.click(195, 120)
    expect(steps).to_be_hidden()
    page.get_by_role("tab", name="Settings", exact=True).click()
    expect(button).to_be_hidden()


def test_the_page_speaks_chinese_and_leaves_alone_what_was_typed(opened: Open) -> None:
    page = opened("?__lang=zh_CN")
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
    page = opened()
    assert page.evaluate("webui.languages") == {"xx": "Other", "zh_CN": "简体中文"}
    with page.expect_navigation():
        page.evaluate("webui.setLanguage('xx')")
    expect(page.get_by_role("tab", name="Bookcase", exact=True)).to_be_visible()
    expect(page.get_by_role("tab", name="Settings", exact=True)).to_be_visible()  # it has no word for that


def test_an_unknown_language_is_english(opened: Open) -> None:
    page = opened("?__lang=../../zz")
    expect(page.get_by_role("tab", name="Library", exact=True)).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_frame_is_without_findings_of_axe(opened: Open, size: tuple[int, int], theme: str) -> None:
    page = opened(f"?__theme={theme}", size=size)
    for part in ("#header", "#quicksettings", "#tabs > .tab-wrapper", "#txt2img_settings", "#dock"):
        assert axe(page, within=part, impacts=("moderate", "serious", "critical")) == [], part


def test_a_component_that_cannot_be_drawn_says_so_and_hurts_nobody(context: BrowserContext, address: str) -> None:
    page, said = visit(context), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    expect(page.locator(":root:not([data-loading])")).to_be_attached(timeout=WAIT)
    page.evaluate("async () => { await webui.mount('nothing_of_the_kind', {}); }")
    assert any("the component nothing_of_the_kind cannot be drawn" in text for text in said)
    expect(page.locator("#txt2img_generate")).to_be_visible()
