"""What a person does with many pictures at once, in a real browser: a folder through img2img, and one made larger."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.ui.driving import eventually, type_prompt
from tests.ui.fakes import FakeEngine
from webui.domain.request import Img2Img
from webui.domain.upscale import Upscale


@pytest.fixture
def holidays(tmp_path: Path) -> Path:
    folder = tmp_path / "holidays"
    folder.mkdir()
    for number in range(1, 4):
        Image.new("RGB", (64, 64), (40 * number, 90, 90)).save(folder / f"p{number}.png")
    return folder


NO_BATCH = """() => {
  for (const folder of document.querySelectorAll("#img2img_batch_section input[type=text], #extras_folder")) {
    folder.value = "";
    folder.dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.querySelectorAll("#img2img_batch_section .b-head button:not([hidden])").forEach((one) => one.click());
  const on = "#img2img_batch_section .switch input:checked, #extras_batch_enable:checked";
  document.querySelectorAll(on).forEach((one) => one.click());
}"""


@pytest.fixture
def brought_back() -> Callable[[Page], None]:
    """The batch has no pictures, and is off."""
    return lambda page: page.evaluate(NO_BATCH)


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


def on_batch(page: Page) -> None:
    page.get_by_role("tab", name="img2img").click()
    page.get_by_role("checkbox", name="Batch", exact=True).check()


def test_i_let_a_prompt_run_over_a_folder_and_watch_how_far_it_is(
    page: Page, engine: FakeEngine, holidays: Path
) -> None:
    on_batch(page)
    type_prompt(page, "as a drawing")
    page.get_by_label("Pictures: folder on the server").fill(str(holidays))
    expect(page.locator("#img2img_batch_section .line")).to_have_text("holidays")
    engine.hold()
    page.locator("#txt2img_generate").click()
    row = page.locator("#txt2img_queue .job").filter(has_text="holidays")
    expect(row).to_have_count(1)
    page.locator("#txt2img_queue .open").click()
    expect(page.locator("#queue_panel .row").filter(has_text="holidays")).to_contain_text("of 3 pictures")
    engine.go_on()
    eventually(page, lambda: len(engine.asked) == 3)
    expect(row).to_have_count(0)
    assert all(isinstance(one.task, Img2Img) and one.prompt == "as a drawing" for one in engine.asked)
    assert len({one.seed for one in engine.asked}) == 1


def test_i_load_pictures_and_one_mask_for_all_of_them(page: Page, engine: FakeEngine, holidays: Path) -> None:
    mask = holidays.parent / "mask.png"
    Image.new("L", (64, 64), 255).save(mask)
    on_batch(page)
    page.locator("#img2img_batch_pictures_files").set_input_files([holidays / "p1.png", holidays / "p2.png"])
    expect(page.locator("#img2img_batch_section .line")).to_have_text("2 pictures")
    page.locator("#img2img_batch_masks_files").set_input_files(mask)
    expect(page.locator("#img2img_batch_section .b-count").nth(1)).to_have_text("1 picture")
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: len(engine.asked) == 2)
    assert all(isinstance(one.task, Img2Img) and one.task.inpainting is not None for one in engine.asked)


def test_i_stop_a_batch_and_no_further_picture_is_begun(page: Page, engine: FakeEngine, holidays: Path) -> None:
    on_batch(page)
    page.get_by_label("Pictures: folder on the server").fill(str(holidays))
    engine.hold()
    page.locator("#txt2img_generate").click()
    expect(page.locator("#txt2img_queue .job").filter(has_text="holidays")).to_have_count(1)
    eventually(page, lambda: len(engine.asked) == 1)
    page.locator("#txt2img_interrupt").click()
    expect(page.locator("#txt2img_queue .job")).to_have_count(0)
    assert len(engine.asked) == 1


def test_i_am_told_that_a_batch_has_nothing_to_begin_with(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    on_batch(page)
    page.locator("#txt2img_generate").click()
    expect(page.locator("#stage .notices")).to_contain_text("choose a folder or pictures first")
    page.get_by_label("Pictures: folder on the server").fill(str(tmp_path / "nowhere"))
    page.locator("#txt2img_generate").click()
    expect(page.locator("#stage .notices")).to_contain_text("there is no folder")
    assert engine.asked == []


def test_i_make_the_pictures_of_a_folder_larger(page: Page, engine: FakeEngine, holidays: Path) -> None:
    page.get_by_role("tab", name="Upscale").click()
    page.get_by_role("switch", name="Folder, or files that keep their names").check()
    page.get_by_label("Folder of the pictures").fill(str(holidays))
    page.get_by_role("button", name="Upscale one by one, names kept").click()
    eventually(page, lambda: len(engine.asked) == 3)
    assert all(isinstance(one.task, Upscale) and len(one.task.images) == 1 for one in engine.asked)
    expect(page.locator("#extras_status")).to_contain_text("the queue tells how far they are")
