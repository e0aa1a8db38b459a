"""What people do with the networks and styles beside the prompt, in a browser."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, Route, expect
from safetensors.torch import save_file

from tests.ui.accessibility import axe_in_both_themes
from tests.ui.driving import STYLES as STYLES_FILE
from tests.ui.driving import eventually, type_prompt
from tests.ui.fakes import FakeEngine, named
from tests.ui.house import House
from tests.ui.journeys.test_prompt import COUNTER, FOLD, NEGATIVE, PROMPT, type_quickly
from webui.library.files import ModelFile
from webui.prompt.style_book import StyleBook
from webui.prompt.styles import Style

DRAWER = "#txt2img_extra_networks"
PANEL = f"{DRAWER} .dock-panel"
STYLES = "#txt2img_styles"


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    """An open page whose dock is drawn."""
    expect(page_that_stays.locator(FOLD)).to_be_visible()
    return page_that_stays


@pytest.fixture
def styles(home: House, engine: FakeEngine) -> Iterator[StyleBook]:
    yield StyleBook(home.folder / STYLES_FILE)
    (home.folder / STYLES_FILE).unlink(missing_ok=True)


AS_UNTOUCHED = """() => {
  const drawer = document.querySelector("#txt2img_extra_networks");
  const searches = document.querySelectorAll(":is(.drawer-panel, .styles-panel) input[type=search]");
  for (const search of searches) search.value = "";
  drawer.querySelector("[data-value=vae]").click();
  drawer.querySelector("[data-value=lora]").click();  // which looks into all folders again
}"""


@pytest.fixture
def brought_back() -> Callable[[Page], None]:
    """Neither drawer nor styles keep what was last looked at."""
    return lambda page: page.evaluate(AS_UNTOUCHED)


def open_drawer(page: Page, kind: str = "LoRA") -> None:
    page.locator(f"{DRAWER} .drawer-button").click()
    if kind != "LoRA":
        page.locator(PANEL).get_by_role("radio", name=kind, exact=True).click()


def card(page: Page, name: str) -> Any:
    return page.locator(PANEL).get_by_role("button", name=re.compile(re.escape(name))).and_(page.locator(".card-use"))


def open_styles(page: Page) -> None:
    page.locator("#txt2img_styles_button").click()


# ---- networks


def test_i_find_a_lora_in_the_drawer_put_it_in_and_take_it_out(page: Page) -> None:
    type_prompt(page, "a cat")
    open_drawer(page)
    ink = card(page, "ink")
    expect(card(page, "<b>oil")).to_be_visible()  # shown as text
    ink.click()
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.8>")
    expect(ink).to_have_attribute("aria-pressed", "true")
    ink.click()
    expect(page.locator(PROMPT)).to_have_value("a cat")
    expect(ink).to_have_attribute("aria-pressed", "false")
    page.locator(PANEL).get_by_role("searchbox").fill("OIL sub")
    expect(ink).to_have_count(0)
    card(page, "<b>oil").press("Enter")
    expect(page.locator(PROMPT)).to_have_value(re.compile("<lora:.*oil.*>"))
    page.keyboard.press("Escape")
    expect(page.locator(PANEL)).to_be_hidden()
    expect(page.locator(f"{DRAWER} .drawer-button")).to_be_focused()


def test_i_change_the_weight_of_a_lora_on_its_chip(page: Page) -> None:
    type_prompt(page, "a cat <lora:ink:0.8> <lora:nobody:1>")
    number = page.get_by_role("button", name=re.compile("Weight of ink"))
    number.focus()
    number.press("ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.85> <lora:nobody:1>")
    expect(number).to_be_focused()
    number.hover()
    page.mouse.wheel(0, 100)
    page.mouse.wheel(0, 100)
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.75> <lora:nobody:1>")
    expect(page.get_by_label("There is no file of the name nobody: it has no effect.")).to_be_visible()
    page.get_by_role("button", name="Take nobody out of the prompt").click()
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.75>")


def test_an_embedding_goes_where_i_wrote_last_and_a_checkpoint_is_chosen(page: Page, engine: FakeEngine) -> None:
    page.locator(FOLD).click()
    page.locator(NEGATIVE).fill("blurry")
    open_drawer(page, "Embeddings")
    card(page, "face").click()
    expect(page.locator(NEGATIVE)).to_have_value("blurry face")
    page.locator(PANEL).get_by_role("radio", name="Checkpoints").click()
    card(page, "other").click()
    expect(page.locator("#setting_sd_model_checkpoint input")).to_have_value("sdxl/other.safetensors [0123456789]")
    assert engine.starting["checkpoint"] == "sdxl/other.safetensors"


def test_the_drawer_tells_of_the_kind_that_is_chosen_by_then(page: Page, engine: FakeEngine) -> None:
    engine.library.named.append(named("lora", "wash.safetensors"))
    held: list[Route] = []
    page.route("**/internal/page/networks?*kind=lora*", lambda route: held.append(route))
    open_drawer(page, "VAE")
    count = page.locator(f"{PANEL} .drawer-count")
    expect(count).to_have_text("1 file")
    with page.expect_response("**/internal/page/networks?*kind=lora*"):
        held[-1].continue_()
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(count).to_have_text("1 file")
    page.unroute("**/internal/page/networks?*kind=lora*")


def test_three_thousand_loras_are_a_short_page_and_all_can_be_reached(page: Page, engine: FakeEngine) -> None:
    engine.library.named += [
        named("lora", f"pack{number % 7}/style {number:04}.safetensors") for number in range(3_000)
    ]
    open_drawer(page)
    expect(page.locator(f"{PANEL} .drawer-count")).to_have_text("3002 files")
    expect(page.locator(f"{PANEL} .card").nth(5)).to_be_visible()
    assert page.locator(f"{PANEL} .card").count() <= 100
    page.locator(f"{PANEL} .card-use").first.focus()
    page.keyboard.press("End")
    expect(card(page, "<b>oil")).to_be_focused()
    assert page.locator(f"{PANEL} .card").count() <= 100
    page.keyboard.press("Home")
    expect(card(page, "ink")).to_be_focused()
    page.locator(PANEL).get_by_role("button", name="pack3").click()
    expect(page.locator(f"{PANEL} .drawer-count")).to_have_text("429 files")
    page.locator(PANEL).get_by_role("searchbox").fill("style 0010")
    expect(page.locator(f"{PANEL} .drawer-count")).to_have_text("1 file")
    card(page, "style 0010").click()
    expect(page.locator(PROMPT)).to_have_value("<lora:style 0010:0.8>")


@pytest.fixture
def real_lora(engine: FakeEngine, tmp_path: Path) -> Path:
    """A file in the library whose header can be read."""
    folder = tmp_path
    loras = folder / "models" / "Lora"
    loras.mkdir(parents=True)
    path = loras / "real.safetensors"
    save_file(
        {"x": torch.zeros(1)},
        path,
        {"modelspec.trigger_phrase": "<i>brush</i>", "ss_tag_frequency": json.dumps({"1_wash": {"often": 3}})},
    )
    engine.library.models_dir = folder / "models"
    engine.library.named.append(ModelFile(path, "lora", "real.safetensors"))
    engine.library.safetensors = lambda file: file.path  # type: ignore[method-assign]
    return path


def test_i_read_about_a_lora_insert_its_words_and_note_a_weight(page: Page, real_lora: Path) -> None:
    open_drawer(page)
    page.get_by_role("button", name="About real").click()
    dialog = page.get_by_role("dialog", name="real")
    dialog.get_by_role("button", name="<i>brush</i>").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>")
    dialog.get_by_role("button", name="often").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>, often")
    dialog.get_by_label("Preferred weight").fill("0.6")
    dialog.get_by_label("Trigger words that come").fill("wash style")
    dialog.get_by_role("button", name="Save notes").click()
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    assert json.loads(real_lora.with_suffix(".json").read_text("utf-8"))["activation text"] == "wash style"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    card(page, "real").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>, often <lora:real:0.6> wash style")
    card(page, "real").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>, often")


# ---- styles


def test_my_prompts_become_a_style_that_is_used_changed_and_deleted(
    page: Page, engine: FakeEngine, styles: StyleBook
) -> None:
    type_prompt(page, "{prompt}, ink drawing")
    page.locator(FOLD).click()
    page.locator(NEGATIVE).fill("photo")
    open_styles(page)
    page.locator("#txt2img_style_new").click()
    expect(page.locator("#txt2img_style_prompt")).to_have_value("{prompt}, ink drawing")
    page.locator("#txt2img_style_name").fill("ink")
    page.locator("#txt2img_style_save").click()
    row = page.locator(STYLES).get_by_role("button", name=re.compile("^i? ?ink"))
    expect(row).to_be_visible()
    assert styles.read()["ink"] == Style("ink", "{prompt}, ink drawing", "photo")

    page.locator(NEGATIVE).fill("")
    type_prompt(page, "a cat")
    row.click()
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles (1)")
    expect(page.locator(COUNTER)).to_have_text("5/75")  # with the style's own words
    page.locator("#txt2img_generate").click()
    for _ in range(100):
        if engine.asked:
            break
        page.wait_for_timeout(100)
    assert (engine.asked[0].prompt, engine.asked[0].styles) == ("a cat", ("ink",))

    page.locator("#txt2img_style_apply").click()
    expect(page.locator(PROMPT)).to_have_value("a cat, ink drawing")
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles")

    page.get_by_role("button", name="Edit ink").click()
    page.locator("#txt2img_style_prompt").fill("pen drawing")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_styles_editor")).to_have_count(0)
    assert styles.read()["ink"].prompt == "pen drawing"
    page.get_by_role("button", name="Edit ink").click()
    page.locator("#txt2img_style_delete").click()
    page.locator("#txt2img_style_delete").click()
    expect(row).to_have_count(0)
    assert styles.names() == ()


def test_styles_that_i_chose_are_still_chosen_after_a_reload(page: Page, styles: StyleBook) -> None:
    styles.add(Style("ink", "ink drawing"))
    type_prompt(page, "a cat")
    open_styles(page)
    page.locator(STYLES).get_by_role("button", name=re.compile("^i? ?ink")).click()
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles (1)")
    page.wait_for_function("webui.form.state.kept.prompt === 'a cat' && webui.form.state.kept.styles?.[0] === 'ink'")
    page.reload()
    expect(page.locator(PROMPT)).to_have_value("a cat")
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles (1)")
    expect(page.locator(COUNTER)).to_have_text("5/75")


def test_a_style_that_somebody_else_changed_is_not_overwritten(page: Page, styles: StyleBook) -> None:
    styles.add(Style("ink", "ink"))
    styles.add(Style("oil", "oil"))
    open_styles(page)
    page.get_by_role("button", name="Edit ink").click()
    page.locator("#txt2img_style_name").fill("oil")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_style_status")).to_have_text("There is a style 'oil' already, in styles.csv.")
    expect(page.locator("#txt2img_style_save")).to_be_focused()
    styles.change("ink", "styles.csv", Style("ink", "another"))
    page.locator("#txt2img_style_name").fill("ink")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_style_status")).to_contain_text("changed elsewhere meanwhile")
    assert styles.read()["ink"].prompt == "another"


def test_styles_join_what_i_typed_by_the_time_they_come(page: Page, styles: StyleBook) -> None:
    styles.add(Style("ink", "ink drawing"))
    styles.add(Style("oil", "oil painting"))
    type_prompt(page, "a cat")
    open_styles(page)
    page.locator(STYLES).get_by_role("button", name=re.compile("^i? ?ink")).click()
    held: list[Route] = []
    page.route("**/styles/apply", lambda route: route.continue_() if held else held.append(route))
    for _ in range(2):
        page.locator("#txt2img_style_apply").click()
    page.get_by_role("button", name="Write oil into the prompt").click()
    eventually(page, lambda: len(held) == 1)
    type_quickly(page, ", far ")
    held[0].continue_()
    expect(page.locator(PROMPT)).to_have_value("a cat, far , ink drawing, oil painting")
    page.keyboard.type("away")
    expect(page.locator(PROMPT)).to_have_value("a cat, far away, ink drawing, oil painting")
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles")


def test_a_style_that_is_being_saved_is_not_typed_on_and_a_refusal_is_told_after_its_dialog(
    page: Page, styles: StyleBook
) -> None:
    styles.add(Style("ink", "ink"))
    styles.add(Style("oil", "oil"))
    open_styles(page)
    page.get_by_role("button", name="Edit ink").click()
    held: list[Route] = []
    page.route("**/internal/page/styles", lambda to: to.continue_() if to.request.method == "GET" else held.append(to))
    name = page.locator("#txt2img_style_name")
    name.fill("oil")
    page.locator("#txt2img_style_save").click()
    eventually(page, lambda: len(held) == 1)
    name.click(force=True)
    page.keyboard.type("s")
    expect(name).to_have_value("oil")
    page.keyboard.press("Escape")
    expect(page.locator("#txt2img_styles_editor")).to_have_count(0)
    held[0].continue_()
    expect(page.get_by_text("There is a style 'oil' already, in styles.csv.")).to_be_visible()
    page.unroute("**/internal/page/styles")


# ---- for every body, on every screen


def test_nothing_around_the_prompt_is_closed_to_anybody(page: Page, real_lora: Path, styles: StyleBook) -> None:
    styles.add(Style("ink", "ink drawing"))
    type_prompt(page, "a cat (on <lora:ink:0.8> <lora:nobody:1>")
    page.locator(FOLD).click()
    expect(page.get_by_label("There is no file of the name nobody: it has no effect.")).to_be_visible()
    assert axe_in_both_themes(page, "#dock") == []
    open_drawer(page)
    expect(card(page, "real")).to_be_visible()
    assert axe_in_both_themes(page, "#dock") == []
    page.get_by_role("button", name="About real").click()
    expect(page.get_by_role("button", name="Save notes")).to_be_visible()
    assert axe_in_both_themes(page, "dialog") == []
    page.keyboard.press("Escape")
    open_styles(page)
    expect(page.get_by_role("button", name="Edit ink")).to_be_visible()
    assert axe_in_both_themes(page, "#dock") == []
    page.get_by_role("button", name="Edit ink").click()
    assert axe_in_both_themes(page, "dialog") == []
