"""The page in a real browser: type, generate, look, stop, come back. Needs a Chromium on the machine."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.painting import text_of
from tests.ui.driving import generate, picture, type_prompt
from tests.ui.fakes import FakeEngine
from webui.domain.request import GenerationRequest

ASKED = "performance.getEntriesByType('resource').map((one) => one.name.split('/assets/')[1]).filter(Boolean)"
LEFT = ("index-", "Example-")  # what stands in the page's own HTML, and tiny files that few pages use
EARLY = "[...document.querySelectorAll('link[rel=modulepreload], link[rel=preload]')].map((one) => one.href)"


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


def generation_text(page: Page) -> str:
    """Of the picture on the stage; the overlay that shows it need not be open."""
    return page.locator("#txt2img_gallery .parameters pre").text_content() or ""


def test_a_prompt_becomes_a_picture_with_its_text(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    generate(page, "a cat on a mat")
    address = picture(page)
    expect(page.locator("#txt2img_gallery [role=status]").filter(has_text="<b>one word</b>")).to_be_visible()
    assert generation_text(page).startswith("a cat on a mat\n")
    fetched = tmp_path / "fetched.png"
    fetched.write_bytes(page.request.get(address).body())
    assert Image.open(fetched).info["parameters"] == generation_text(page)
    # nothing but what is seen: the other fields are as the starting values have them
    assert engine.asked == [GenerationRequest(prompt="a cat on a mat", checkpoint="mini.safetensors")]


def test_the_text_follows_the_selected_picture(page: Page) -> None:
    page.locator("#txt2img_batch_size input[type=number]").fill("2")
    page.locator("#txt2img_seed input").fill("7")
    generate(page, "two cats")
    cells = page.locator("#txt2img_gallery .batch .cell:enabled")
    expect(cells).to_have_count(2)
    text = page.locator("#txt2img_gallery .parameters pre")
    for index, seed in enumerate((7, 8)):
        cells.nth(index).click()
        expect(text).to_have_text(text_of(GenerationRequest(prompt="two cats", seed=seed)))
        page.get_by_role("button", name="More").click()
        page.get_by_role("menuitemcheckbox", name="All pictures of this job").click()


def test_pictures_that_arrive_leave_the_typing_user_alone(page: Page, engine: FakeEngine) -> None:
    engine.hold()
    page.locator("#txt2img_batch_count input[type=number]").fill("3")
    page.set_viewport_size({"width": 1200, "height": 600})
    generate(page, "three cats")
    page.locator("#txt2img_prompt textarea").focus()
    page.keyboard.press("End")
    thumbs = page.locator("#txt2img_queue .thumb")
    assert thumbs.count() == 0
    engine.go_on()
    expect(thumbs).to_have_count(3)
    page.keyboard.type("!")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("three cats!")
    assert page.evaluate("scrollY") == 0


def test_keys_generate_and_interrupt_and_the_size_is_swapped(page: Page, engine: FakeEngine) -> None:
    engine.hold()
    page.locator("#txt2img_width input[type=number]").fill("640")
    page.locator("#txt2img_res_switch_btn").click()
    expect(page.locator("#txt2img_height input[type=number]")).to_have_value("640")
    type_prompt(page, "a cat")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#txt2img_queue .job")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#txt2img_queue .job")).to_have_count(0)
    assert (engine.asked[0].width, engine.asked[0].height) == (512, 640)


@pytest.mark.usefixtures("opened_anew")
def test_the_page_asks_for_nothing_that_the_browser_was_not_told_of(page: Page) -> None:
    page.wait_for_timeout(500)
    early = {address.rpartition("/assets/")[2] for address in page.evaluate(EARLY) if "/assets/" in address}
    asked = {name for name in page.evaluate(ASKED) if not name.startswith(LEFT)}
    assert len(early) > 40
    assert asked - early == set()
