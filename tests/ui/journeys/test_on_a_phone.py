"""What a person does most with the page on a phone of 390 pixels; one page for the whole file, as on a phone.

Further journeys of a phone stand beside those of a desktop, under names that begin with `test_on_a_phone`: of pages
that have another program behind them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.narrowing import known
from tests.ui.canvas_page import spot
from tests.ui.driving import eventually, generate, type_prompt, visited_page
from tests.ui.fakes import FakeEngine
from tests.ui.house import House
from tests.ui.journeys.test_canvas import mask, open_picture, submitted
from tests.ui.journeys.test_folders import NO_BATCH
from tests.ui.journeys.test_form import OPEN, box, line, ready, switch
from tests.ui.journeys.test_learn_tour import rings_whole
from tests.ui.journeys.test_networks_and_styles import PANEL, card
from tests.ui.journeys.test_prompt import PROMPT
from tests.ui.journeys.test_prompt_help import LIST, list_of_tags
from tests.ui.journeys.test_stage import picture, pill, thumbs
from tests.ui.visiting import PHONE
from webui.domain.request import Img2Img, Txt2Img


@pytest.fixture(scope="module")
def engine(home: House) -> Iterator[FakeEngine]:
    with home.lent() as lent, list_of_tags(home):
        yield lent


@pytest.fixture(scope="module")
def opened(phone_context: BrowserContext, home: House, engine: FakeEngine) -> Iterator[Page]:
    with visited_page(phone_context, home.address, PHONE) as page:
        ready(page)
        yield page


@pytest.fixture
def phone(opened: Page, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """txt2img is in view, nothing is at work."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(engine.outputs.parent / "temp" / "gradio"))  # as the mounted page set it
    engine.go_on()
    opened.get_by_role("tab", name="txt2img").tap()
    engine.asked_for.clear()
    yield opened
    engine.go_on()
    opened.evaluate("webui.form.trigger('reset')")
    expect(pill(opened)).to_be_hidden()


def sheet(page: Page) -> None:
    """Open the settings of the picture."""
    page.locator(".sheet-button").tap()
    expect(page.locator("#txt2img_settings")).to_be_in_viewport()


def shut(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.locator("body.sheet")).to_have_count(0)


def rows(page: Page) -> Locator:
    return page.locator("#queue_panel .row")


def test_i_make_two_and_cancel_the_second(phone: Page, engine: FakeEngine) -> None:
    engine.hold()
    generate(phone, "first")
    expect(pill(phone)).to_contain_text("Sampling")
    generate(phone, "second")
    phone.locator("#txt2img_queue .open").tap()
    rows(phone).filter(has_text="second").get_by_role("button", name="Delete: second").tap()
    expect(rows(phone).filter(has_text="second")).to_have_count(0)
    phone.get_by_role("button", name="Close the queue").tap()
    engine.go_on()
    expect(picture(phone)).to_have_attribute("alt", "first")


def test_i_interrupt_what_is_made(phone: Page, engine: FakeEngine) -> None:
    engine.hold()
    generate(phone, "never done")
    expect(pill(phone)).to_contain_text("Sampling")
    phone.locator("#txt2img_interrupt").tap()
    expect(pill(phone)).to_be_hidden()


def test_i_skip_one_of_two(phone: Page, engine: FakeEngine) -> None:
    sheet(phone)
    box(phone, "txt2img_batch_count").fill("2")
    shut(phone)
    engine.hold()
    generate(phone, "two of them")
    expect(pill(phone)).to_contain_text("picture 1 of 2")
    phone.locator("#txt2img_skip").tap()
    engine.go_on()
    expect(picture(phone)).to_have_attribute("alt", "two of them")
    sheet(phone)
    box(phone, "txt2img_batch_count").fill("1")
    shut(phone)


def test_pictures_of_a_batch_come_side_by_side(phone: Page, engine: FakeEngine) -> None:
    sheet(phone)
    box(phone, "txt2img_batch_count").fill("4")
    shut(phone)
    generate(phone, "four")
    expect(phone.locator("#txt2img_gallery .batch .cell:not(:disabled)")).to_have_count(4)
    sheet(phone)
    box(phone, "txt2img_batch_count").fill("1")
    shut(phone)


def test_i_choose_a_ratio_by_its_chip(phone: Page) -> None:
    sheet(phone)
    phone.locator("#txt2img_ratio label", has_text="9:16").tap()

    def is_tall() -> bool:
        width, height = (int(box(phone, f"txt2img_{side}").input_value()) for side in ("width", "height"))
        return abs(width / height - 9 / 16) < 0.03

    eventually(phone, is_tall)
    phone.locator("#txt2img_ratio label", has_text="1:1").tap()
    shut(phone)


def test_i_switch_hires_fix_on_and_it_says_what_it_does(phone: Page, engine: FakeEngine) -> None:
    sheet(phone)
    switch(phone, "Hires. fix").tap()
    expect(line(phone, "txt2img_hr")).to_contain_text("×")
    shut(phone)
    generate(phone, "large")
    eventually(phone, lambda: len(engine.asked) == 1)
    task = engine.asked[0].task
    assert isinstance(task, Txt2Img)
    assert task.hires.enabled
    sheet(phone)
    switch(phone, "Hires. fix").tap()
    shut(phone)


def test_i_use_the_seed_of_my_picture_again(phone: Page, engine: FakeEngine) -> None:
    generate(phone, "a seed")
    expect(picture(phone)).to_have_attribute("alt", "a seed")
    sheet(phone)
    phone.locator("#txt2img_reuse_seed").tap()
    expect(box(phone, "txt2img_seed")).not_to_have_value("-1")
    phone.locator("#txt2img_random_seed").tap()
    expect(box(phone, "txt2img_seed")).to_have_value("-1")
    shut(phone)


def test_i_read_the_parameters_over_the_picture(phone: Page) -> None:
    generate(phone, "tell me")
    expect(picture(phone)).to_have_attribute("alt", "tell me")
    phone.locator(".stage_tools").get_by_role("button", name="Parameters").tap()
    expect(phone.locator("#txt2img_gallery .parameters")).to_contain_text("tell me")
    phone.locator(".stage_tools").get_by_role("button", name="Parameters").tap()


def test_i_write_what_to_keep_out(phone: Page, engine: FakeEngine) -> None:
    type_prompt(phone, "a garden")
    negative = phone.locator("#txt2img_neg_prompt textarea")
    if not negative.is_visible():
        phone.get_by_role("button", name="Negative").first.tap()
    negative.fill("rain")
    phone.locator("#txt2img_generate").tap()
    eventually(phone, lambda: len(engine.asked) == 1)
    assert (engine.asked[0].prompt, engine.asked[0].negative_prompt) == ("a garden", "rain")
    negative.fill("")


def test_i_send_my_picture_to_img2img_and_start_from_it(phone: Page, engine: FakeEngine) -> None:
    generate(phone, "a start")
    expect(picture(phone)).to_have_attribute("alt", "a start")
    phone.locator(".stage_tools").get_by_role("button", name="Send to img2img").tap()
    phone.wait_for_function("document.documentElement.dataset.mode === 'img2img' && window.webui.canvas.size()")
    phone.locator("#txt2img_generate").tap()
    eventually(phone, lambda: len(engine.asked) == 2)
    assert isinstance(engine.asked[1].task, Img2Img)


def test_i_open_a_photo_in_inpaint_and_am_asked_for_a_mask(phone: Page, engine: FakeEngine, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (9, 120, 9)).save(tmp_path / "photo.png")
    phone.get_by_role("tab", name="Inpaint").tap()
    phone.evaluate(OPEN, [*(tmp_path / "photo.png").read_bytes()])
    phone.wait_for_function("window.webui.canvas.size()?.width === 64")
    phone.locator("#txt2img_generate").tap()
    expect(phone.locator("#stage .notices")).to_contain_text("Nothing is masked yet")
    assert engine.asked == []


def test_i_change_the_checkpoint_above_the_page(phone: Page, engine: FakeEngine) -> None:
    phone.locator("#setting_sd_model_checkpoint input").tap()
    phone.get_by_role("option", name="sdxl/other.safetensors").tap()
    eventually(phone, lambda: engine.starting.get("checkpoint") == "sdxl/other.safetensors")
    phone.locator("#setting_sd_model_checkpoint input").tap()
    phone.get_by_role("option", name="mini.safetensors").tap()
    eventually(phone, lambda: engine.starting.get("checkpoint") == "mini.safetensors")


def test_the_page_becomes_light_and_dark_again(phone: Page) -> None:
    before = phone.evaluate("document.documentElement.dataset.theme")
    phone.get_by_role("button", name="Dark or light").tap()
    assert phone.evaluate("document.documentElement.dataset.theme") != before
    phone.get_by_role("button", name="Dark or light").tap()
    assert phone.evaluate("document.documentElement.dataset.theme") == before


def test_i_make_a_photo_larger(phone: Page, engine: FakeEngine, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (9, 9, 120)).save(tmp_path / "photo.png")
    phone.get_by_role("tab", name="Upscale").tap()
    phone.locator("#extras_image").set_input_files(tmp_path / "photo.png")
    phone.locator("#extras_generate").tap()
    eventually(phone, lambda: len(engine.asked) == 1)
    assert engine.asked[0].task.kind == "upscale"


def test_i_pick_older_pictures_from_the_film(phone: Page) -> None:
    for prompt in ("an older one", "a newer one"):
        generate(phone, prompt)
        expect(picture(phone)).to_have_attribute("alt", prompt)
    older = thumbs(phone).nth(1)
    address = older.locator("img").get_attribute("src")
    older.tap()
    expect(picture(phone)).to_have_attribute("src", (address or "").removesuffix("/thumb"))
    expect(picture(phone)).to_have_attribute("alt", "an older one")


def test_the_settings_are_a_sheet_that_does_the_same(phone: Page, engine: FakeEngine) -> None:
    phone.locator(".sheet-button").tap()
    phone.locator("#txt2img_ratio label", has_text="2:3").tap()
    expect(box(phone, "txt2img_height")).to_have_value("624")
    switch(phone, "Hires. fix").tap()
    expect(line(phone, "txt2img_hr")).to_contain_text("832 × 1248")
    for name in ("txt2img_hr", "txt2img_refiner"):
        place = phone.locator(f"#{name}_section > .head").bounding_box()
        assert place is not None
        assert place["height"] >= 44
    phone.keyboard.press("Escape")
    phone.locator("#txt2img_prompt textarea").fill("a cat on a phone")
    phone.locator("#txt2img_generate").tap()
    eventually(phone, lambda: len(engine.asked) == 1)
    request = engine.asked[0]
    assert isinstance(request.task, Txt2Img)
    assert (request.prompt, request.height, request.task.hires.enabled) == ("a cat on a phone", 624, True)


def test_i_write_in_letters_that_need_no_zoom_and_choose_a_lora(phone: Page) -> None:
    assert phone.locator(PROMPT).evaluate("(box) => getComputedStyle(box).fontSize") == "16px"
    phone.locator(PROMPT).fill("a cat")
    phone.locator("#txt2img_extra_networks .drawer-button").tap()
    card(phone, "ink").tap()
    expect(phone.locator(PROMPT)).to_have_value("a cat <lora:ink:0.8>")
    inside = phone.locator(PANEL).evaluate(
        "(panel) => { const box = panel.getBoundingClientRect(); return box.top >= 0 && box.right <= innerWidth; }"
    )
    assert inside
    small = phone.evaluate(
        """() => [...document.querySelectorAll("#dock button")].filter((one) => one.offsetParent)
          .map((one) => [one.textContent || one.ariaLabel, one.getBoundingClientRect()])
          .filter(([, box]) => box.height < 43.5 || box.width < 43.5)
          .map(([name, box]) => `${name} ${box.width}x${box.height}`)"""
    )
    assert small == []
    phone.keyboard.press("Escape")


def test_the_batch_is_set_in_the_sheet(phone: Page, engine: FakeEngine, tmp_path: Path) -> None:
    holidays = tmp_path / "holidays"
    holidays.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (40 * number, 90, 90)).save(holidays / f"p{number}.png")
    phone.get_by_role("tab", name="img2img", exact=True).tap()
    phone.get_by_role("button", name="Settings").first.click()
    phone.get_by_role("checkbox", name="Batch", exact=True).check()
    phone.get_by_label("Pictures: folder on the server").fill(str(holidays))
    phone.keyboard.press("Escape")
    engine.hold()
    phone.locator("#txt2img_generate").click()
    queue = phone.get_by_role("button", name="Queue 1", exact=True)
    expect(queue).to_contain_text("1")
    size = queue.bounding_box()
    assert size is not None
    assert min(size["width"], size["height"]) >= 44
    queue.click()
    expect(phone.locator("#queue_panel .row").filter(has_text="holidays")).to_be_visible()
    engine.go_on()
    eventually(phone, lambda: len(engine.asked) == 3)
    phone.get_by_role("button", name="Close the queue").tap()
    phone.evaluate(NO_BATCH)


def test_i_generate_and_pick_from_the_film(phone: Page, engine: FakeEngine) -> None:
    for name in ("one", "two"):
        generate(phone, name)
        expect(picture(phone)).to_have_attribute("alt", name)
    film = known(thumbs(phone).first.bounding_box())
    assert (film["width"], film["height"]) == (54, 54)
    phone.get_by_role("button", name="one", exact=True).tap()
    expect(picture(phone)).to_have_attribute("alt", "one")
    engine.hold()
    generate(phone, "three")
    pill(phone).tap()
    expect(rows(phone)).to_contain_text("three")
    engine.go_on()
    phone.get_by_role("button", name="Close the queue").tap()


def test_i_mask_with_a_finger(phone: Page, engine: FakeEngine) -> None:
    phone.get_by_role("tab", name="Inpaint", exact=True).tap()
    open_picture(phone)
    view = known(phone.locator("#img2maskimg .canvas-view").bounding_box())
    button = known(phone.locator("#txt2img_generate").bounding_box())
    assert view["height"] > 200
    assert button["y"] + button["height"] <= 844
    phone.touchscreen.tap(*spot(phone, 128, 96))
    painted = mask(submitted(phone, engine))
    assert painted[96, 128] == 255
    assert painted[5, 5] == 0


def test_a_finger_chooses_a_tag(phone: Page) -> None:
    phone.locator(PROMPT).tap()
    phone.keyboard.type("lon")
    row = phone.locator(f"{LIST} [role=option]").nth(1)
    expect(row).to_be_in_viewport()
    assert known(row.bounding_box())["height"] >= 44
    row.tap()
    expect(phone.locator(PROMPT)).to_have_value("long sleeves, ")


def test_the_card_of_the_tour_lies_at_the_lower_edge_and_nothing_moves(phone: Page) -> None:
    phone.emulate_media(reduced_motion="reduce")  # as its owner wants it
    phone.get_by_role("tab", name="Learn").tap()
    phone.locator("#learn_tour").tap()
    card = phone.locator("#learn_tour_card")
    for _ in range(2):
        rings_whole(phone)
        phone.get_by_role("button", name="Next").tap()
    box = known(card.bounding_box())
    assert box["y"] + box["height"] == pytest.approx(836, abs=1)
    assert card.evaluate("(one) => getComputedStyle(one).transitionDuration") == "0s"
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.get_by_role("button", name="Close the tour").tap()
    phone.emulate_media(reduced_motion="null")
