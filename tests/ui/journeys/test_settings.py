"""What a person does in the tab Settings, in a real browser."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Locator, Page, Route, expect

from tests.narrowing import known
from tests.ui.driving import eventually, keeps, picture
from tests.ui.fakes import FakeEngine
from tests.ui.house import House, house
from tests.ui.settings_page import preferences_in, settings_app
from webui.domain.settings import Settings
from webui.preferences.preferences import Preferences
from webui.preferences.presets import Presets


@dataclass(frozen=True)
class Kept:
    """What the program keeps of its user's wishes."""

    preferences: Preferences
    presets: Presets


PREFERENCES = "**/internal/page/preferences"  # asks for the settings, or sends changes
DRAWN_ANEW = """async () => {
  const { say } = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
  const search = document.querySelector(".settings-search input");
  if (search) search.value = "";
  say("setting:changed", { setting: {}, row: null });  // the tab draws what the server has when it is opened next
  webui.keep("form_defaults", null);
  webui.form.setDefaults();
}"""


def at_first(kept: Kept) -> None:
    kept.preferences.reset(may_widen=True)
    for preset in kept.presets.all():
        kept.presets.delete(preset.name)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    return Kept(preferences_in(folder), Presets(folder / "presets.json"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, kept: Kept, port: int) -> Iterator[House]:
    def app(engine: FakeEngine, folder: Path) -> FastAPI:
        return settings_app(engine, kept.preferences, folder, presets=kept.presets)

    with house(tmp_path_factory.mktemp("home"), port, app) as made:
        yield made


@pytest.fixture
def preferences(kept: Kept) -> Iterator[Preferences]:
    """The settings as at first; no preset is kept."""
    yield kept.preferences
    at_first(kept)


@pytest.fixture
def brought_back(kept: Kept) -> Callable[[Page], None]:
    """Settings, presets and defaults as at first, on the page and behind it."""

    def bring_back(page: Page) -> None:
        at_first(kept)
        page.evaluate(DRAWN_ANEW)

    return bring_back


@pytest.fixture
def settings(page_that_stays: Page, preferences: Preferences) -> Page:
    """The page with the tab Settings open."""
    page_that_stays.get_by_role("tab", name="Settings").click()
    expect(row(page_that_stays, "image_format")).to_be_visible()
    return page_that_stays


left_afterwards = pytest.mark.usefixtures("left_afterwards")


def row(page: Page | Locator, name: str) -> Locator:
    return page.locator(f'[data-setting="{name}"]')


def test_a_setting_is_found_by_a_word_of_its_help_changed_kept_and_reset(
    settings: Page, preferences: Preferences
) -> None:
    settings.get_by_role("searchbox", name="Search settings").fill("beside picture")
    expect(row(settings, "sidecar_text")).to_be_visible()
    expect(row(settings, "image_format")).to_be_hidden()
    settings.get_by_role("switch", name="Save a text file beside each picture").click()
    expect(row(settings, "sidecar_text").get_by_text("changed", exact=True)).to_be_visible()
    assert preferences.running.sidecar_text
    settings.reload()
    expect(settings.get_by_role("switch", name="Save a text file beside each picture")).to_be_checked()
    settings.get_by_role("button", name="Reset Save a text file beside each picture").click()
    expect(row(settings, "sidecar_text").get_by_text("changed", exact=True)).to_be_hidden()
    assert preferences.wanted == Settings()


def test_a_pattern_of_file_names_shows_what_a_picture_would_be_called(settings: Page) -> None:
    box = settings.get_by_role("textbox", name="File name")
    box.fill("[model_name]-[width]x[height]")
    expect(row(settings, "filename_pattern").locator(".setting-example")).to_contain_text("/mini-512x768.png")
    box.blur()
    expect(row(settings, "filename_pattern").get_by_text("changed", exact=True)).to_be_visible()


def test_a_wrong_value_says_why_and_a_setting_of_a_flag_says_which(settings: Page, preferences: Preferences) -> None:
    settings.get_by_role("spinbutton", name="Threads").fill("5000")
    settings.keyboard.press("Tab")
    expect(row(settings, "threads").get_by_role("status")).to_contain_text("less than or equal to 1024")
    assert preferences.wanted.threads == 0
    expect(settings.get_by_role("spinbutton", name="Port")).to_be_disabled()
    expect(row(settings, "port").get_by_role("status")).to_contain_text("--port")


def sends_threads(settings: Page) -> None:
    """Leave the box, and wait until the server has answered; nothing is held back any more."""
    settings.unroute(PREFERENCES)
    with settings.expect_response(PREFERENCES):
        settings.keyboard.press("Tab")


def test_what_i_type_while_a_change_is_sent_stays_and_is_sent_too(settings: Page, preferences: Preferences) -> None:
    held: list[Route] = []
    settings.route(PREFERENCES, lambda route: held.append(route))
    box = settings.get_by_role("spinbutton", name="Threads")
    box.fill("3")
    settings.keyboard.press("Tab")
    eventually(settings, lambda: len(held) == 1)
    box.fill("4")
    with settings.expect_response(PREFERENCES):
        held[0].continue_()
    expect(row(settings, "threads").get_by_text("changed", exact=True)).to_be_visible()
    expect(box).to_have_value("4")
    sends_threads(settings)
    assert preferences.wanted.threads == 4


def test_what_i_type_while_the_tab_asks_anew_stays(settings: Page, preferences: Preferences) -> None:
    held: list[Route] = []
    settings.get_by_role("tab", name="txt2img").click()
    settings.evaluate(DRAWN_ANEW)
    settings.route(PREFERENCES, lambda route: held.append(route))
    preferences.change({"jpeg_quality": 71, "threads": 2}, may_widen=True)
    settings.get_by_role("tab", name="Settings").click()
    box = settings.get_by_role("spinbutton", name="Threads")
    eventually(settings, lambda: len(held) == 1)
    box.fill("7")
    held[0].continue_()
    expect(row(settings, "jpeg_quality").locator("input")).to_have_value("71")
    expect(box).to_have_value("7")
    sends_threads(settings)
    assert preferences.wanted.threads == 7


def test_what_i_do_in_the_header_before_its_answer_comes_stays(settings: Page, preferences: Preferences) -> None:
    held: list[Route] = []
    names = ["checkpoint", "vae", "threads", "save_images", "image_format", "clip_skip", "nonsense"]
    preferences.change({"quicksettings": names}, may_widen=True)
    settings.get_by_role("tab", name="txt2img").click()
    button = settings.get_by_role("button", name="Quick settings")
    panel = settings.get_by_role("dialog", name="Quick settings")
    box = panel.get_by_role("spinbutton", name="Threads")
    switch = panel.get_by_role("switch", name="Save pictures")
    button.click()
    expect(switch).to_be_checked()
    button.click()

    def hold(route: Route) -> None:
        if route.request.method == "GET":
            held.append(route)
        else:
            route.continue_()

    settings.route(PREFERENCES, hold)
    preferences.change({"image_format": "webp"}, may_widen=True)
    button.click()
    eventually(settings, lambda: len(held) == 1)
    box.fill("4")
    held[0].continue_()
    expect(panel.get_by_role("radio", name="webp")).to_be_checked()
    expect(box).to_have_value("4")
    expect(box).to_be_focused()

    button.click()
    preferences.change({"image_format": "jpg"}, may_widen=True)
    button.click()
    eventually(settings, lambda: len(held) == 2)
    before = held[1].fetch()
    switch.click()
    expect(row(panel, "save_images").get_by_text("changed", exact=True)).to_be_visible()
    held[1].fulfill(response=before)  # it was made before the switch was
    expect(panel.get_by_role("radio", name="jpg")).to_be_checked()
    expect(switch).not_to_be_checked()

    for _ in range(4):
        button.click()
    eventually(settings, lambda: len(held) == 4)
    before = held[2].fetch()
    preferences.change({"image_format": "png"}, may_widen=True)
    held[3].continue_()
    expect(panel.get_by_role("radio", name="png")).to_be_checked()
    held[2].fulfill(response=before)
    settings.evaluate("fetch(`${webui.base}internal/page/plots`).then((answer) => answer.text())")  # comes after it
    expect(panel.get_by_role("radio", name="png")).to_be_checked()
    settings.unroute(PREFERENCES)
    button.click()
    preferences.reset(may_widen=True)
    button.click()
    expect(panel).to_contain_text("Nothing is chosen yet.")
    button.click()


def test_what_widens_access_is_read_only_for_others(settings: Page) -> None:
    expect(settings.get_by_role("textbox", name="Outputs folder")).to_be_disabled()
    expect(row(settings, "outputs_dir").get_by_role("status")).to_contain_text("Only people at the machine")


def test_a_preset_brings_back_what_stood_in_the_form(settings: Page) -> None:
    steps = settings.locator("#txt2img_steps input[type=number]")
    settings.get_by_role("tab", name="txt2img").click()
    steps.fill("33")
    steps.blur()
    keeps(settings, {"steps": 33})
    settings.get_by_role("tab", name="Settings").click()
    settings.get_by_role("textbox", name="Name of the preset").fill("slow")
    settings.get_by_role("button", name="Keep what stands in the form").click()
    expect(settings.locator('[data-preset="slow"]')).to_be_visible()
    settings.get_by_role("tab", name="txt2img").click()
    steps.fill("7")
    steps.blur()
    settings.get_by_role("tab", name="Settings").click()
    settings.get_by_role("button", name="Use slow").click()
    settings.get_by_role("tab", name="txt2img").click()
    expect(steps).to_have_value("33")


def test_what_stands_in_the_form_becomes_the_default(settings: Page) -> None:
    steps = settings.locator("#txt2img_steps input[type=number]")
    settings.get_by_role("tab", name="txt2img").click()
    steps.fill("12")
    steps.blur()
    keeps(settings, {"steps": 12})
    settings.get_by_role("tab", name="Settings").click()
    settings.get_by_role("button", name="Save what stands in the form as my defaults").click()
    settings.get_by_role("tab", name="txt2img").click()
    steps.fill("40")
    steps.blur()
    keeps(settings, {"steps": 40})
    settings.locator("#form_reset").click()
    expect(steps).to_have_value("12")


def test_settings_are_saved_as_a_file_and_read_again(settings: Page, preferences: Preferences, tmp_path: Path) -> None:
    preferences.change({"jpeg_quality": 95}, may_widen=True)
    with settings.expect_download() as loaded:
        settings.get_by_role("link", name="Save settings as a file").click()
    loaded.value.save_as(tmp_path / "saved.json")
    assert json.loads((tmp_path / "saved.json").read_text()) == {"jpeg_quality": 95}
    preferences.reset(may_widen=True)
    settings.get_by_label("Read settings from a file").set_input_files(tmp_path / "saved.json")
    eventually(settings, lambda: preferences.running.jpeg_quality == 95)
    expect(settings.get_by_role("spinbutton", name="Quality")).to_have_value("95")


@left_afterwards
def test_colours_tabs_keys_and_language_of_my_browser_are_still_so_after_a_reload(settings: Page) -> None:
    settings.get_by_role("radiogroup", name="Theme", exact=True).get_by_role("radio", name="Light").click()
    settings.get_by_role("radio", name="Amber").click()
    expect(settings.locator(':root[data-theme="light"][data-accent="amber"]')).to_be_attached()
    settings.get_by_role("checkbox", name="Learn").uncheck()
    expect(settings.get_by_role("tab", name="Learn")).to_be_hidden()
    settings.get_by_role("button", name="Move Library to the left").click()
    settings.get_by_role("button", name="Key of: Negative prompt").click()
    settings.keyboard.press("b")
    expect(row(settings, "keys").get_by_role("status")).to_have_text("B is taken by: Brush")
    settings.get_by_role("button", name="Key of: This list").click()
    settings.keyboard.press("j")
    expect(settings.get_by_role("button", name="Key of: This list")).to_have_text("J")
    settings.reload()
    expect(row(settings, "image_format")).to_be_visible()
    expect(settings.locator(':root[data-theme="light"][data-accent="amber"]')).to_be_attached()
    expect(settings.get_by_role("tab", name="Learn")).to_be_hidden()
    places = [
        known(settings.get_by_role("tab", name=name, exact=True).bounding_box())["x"] for name in ("Library", "Upscale")
    ]
    assert places == sorted(places)
    settings.keyboard.press("j")
    expect(settings.get_by_role("dialog", name="Keys")).to_be_visible()
    settings.keyboard.press("Escape")

    row(settings, "language_of_browser").get_by_role("button").click()
    settings.get_by_role("option", name="简体中文").click()
    expect(settings.get_by_role("tab", name="设置")).to_be_visible()
    expect(settings.get_by_text("文件格式", exact=True)).to_be_visible()


@pytest.fixture
def bundled(engine: FakeEngine) -> FakeEngine:
    """An engine whose checkpoints came with the program."""
    engine.library.is_bundled = lambda file: True  # type: ignore[method-assign]
    return engine


@left_afterwards
@pytest.mark.filterwarnings("ignore:The value passed into gr.Dropdown")  # a list without a checkpoint is empty
def test_before_the_first_picture_a_prompt_is_clicked_and_where_no_checkpoint_is_the_page_goes_on_saying_so(
    bundled: FakeEngine, page_that_stays: Page
) -> None:
    page = page_that_stays
    expect(page.get_by_role("heading", name="Press Generate.")).to_be_visible()
    page.get_by_role("button", name="a red circle on a blue background").click()
    picture(page)
    expect(page.locator("#first_run")).to_be_empty()
    assert bundled.asked[-1].prompt == "a red circle on a blue background"
    page.reload()
    expect(page.locator("#txt2img_generate")).to_be_visible()
    expect(page.locator("#first_run")).to_be_empty()

    bundled.forget()  # as before the first picture
    bundled.library.named = [file for file in bundled.library.named if file.kind != "checkpoint"]
    page.reload()
    expect(page.get_by_role("heading", name="There is no checkpoint yet.")).to_be_visible()
    expect(page.locator("#first_run")).to_contain_text("Stable-diffusion")
    page.wait_for_timeout(1500)
    expect(page.get_by_role("heading", name="There is no checkpoint yet.")).to_be_visible()


@left_afterwards
def test_i_put_settings_into_the_header_and_what_i_change_there_counts_at_once(
    settings: Page, preferences: Preferences, engine: FakeEngine
) -> None:
    box = row(settings, "quicksettings").locator("textarea")
    box.fill("checkpoint\nvae\nsave_images\nimage_format\nclip_skip\nnonsense")
    box.blur()
    eventually(settings, lambda: "image_format" in preferences.running.quicksettings)
    settings.get_by_role("tab", name="txt2img").click()
    settings.get_by_role("button", name="Quick settings").click()
    panel = settings.get_by_role("dialog", name="Quick settings")
    expect(panel).to_contain_text("nonsense is neither a setting nor a field of the form")
    panel.get_by_role("switch", name="Save pictures").click()
    eventually(settings, lambda: not preferences.running.save_images)
    panel.get_by_role("radio", name="webp").click()
    eventually(settings, lambda: preferences.running.image_format == "webp")
    panel.get_by_role("spinbutton", name="Clip skip").fill("2")
    panel.get_by_role("spinbutton", name="Clip skip").blur()
    settings.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    settings.locator("#txt2img_prompt textarea").fill("a hat")
    settings.locator("#txt2img_generate").click()
    eventually(settings, lambda: len(engine.asked) == 1)
    assert not engine.last.job.save
    assert engine.asked[0].clip_skip == 2
