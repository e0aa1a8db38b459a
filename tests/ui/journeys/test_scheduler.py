"""Learn > Scheduler in a real browser, and the small curve on the form."""

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, expect

from tests.narrowing import known
from tests.ui.accessibility import axe
from tests.ui.driving import eventually, generate, type_prompt, unfold_experts
from tests.ui.fakes import FakeEngine


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


def shot(page: Page, name: str) -> None:
    """A picture of the page, where the variable WEBUI_SHOTS names a folder for it."""
    if folder := os.environ.get("WEBUI_SHOTS"):
        page.screenshot(path=str(Path(folder, f"{name}.png")))


def sized(request: Request) -> Any:
    """The batch size that is asked about."""
    return known(request.post_data_json)["fields"].get("batch_size")


def test_a_list_is_made_from_a_schedule_and_used(engine: FakeEngine, page: Page) -> None:
    small = page.locator("#schedule_curve_open")
    expect(small).to_contain_text("steps above 1")
    before = small.inner_text()
    page.locator("#txt2img_steps input[type=number]").fill("8")
    page.locator("#txt2img_steps input[type=number]").blur()
    expect(small).not_to_have_text(before)  # it follows the controls
    shot(page, "form")
    needs = page.locator("#memory_outlook_words")
    expect(needs).to_contain_text("Memory: about 2.0 GiB")
    with page.expect_response(lambda answer: answer.url.endswith("page/memory") and sized(answer.request) == 2):
        page.locator("#txt2img_batch_size input").fill("2")  # with its answer nothing is on its way any more
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("page/memory") else None)
    type_prompt(page, "a question that no prompt asks")
    page.locator("#txt2img_batch_size input").fill("8")
    page.locator("#txt2img_batch_size input").blur()
    expect(needs).to_contain_text("about 2.1 GiB")  # it follows the sizes, and nothing is asked for a prompt
    assert len(asked) == 1
    small.click()
    view = page.locator("#learn_scheduler")
    points = view.locator(".schedule-point")
    expect(points).to_have_count(8)
    expect(view.locator("#schedule_list")).not_to_have_value("")
    expect(view.locator(".schedule-point title").first).to_contain_text("step 1")
    shot(page, "scheduler_dark")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    shot(page, "scheduler_light")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert axe(page, "#learn") == []

    third = points.nth(2)
    was = float(third.get_attribute("aria-valuenow") or "")
    third.focus()
    page.keyboard.press("ArrowUp")
    expect(points.nth(2)).to_be_focused()
    assert float(points.nth(2).get_attribute("aria-valuenow") or "") > was
    for _ in range(60):  # it stays below the one before it
        page.keyboard.press("ArrowUp")
    now = [float(level) for level in view.locator("#schedule_list").input_value().split()]
    assert now == sorted(set(now), reverse=True)

    box = points.nth(5).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + 15)
    page.mouse.up()
    dragged = [float(level) for level in view.locator("#schedule_list").input_value().split()]
    assert dragged[5] < now[5]

    page.locator("#schedule_list").fill("9 3 4 0")
    expect(view.locator(".schedule-wrong")).to_have_text("Entry 3 must be below the one before it.")
    expect(points).to_have_count(8)  # the curve keeps the last good list
    page.locator("#schedule_list").fill("9 3 1 0.2 0")
    expect(points).to_have_count(4)
    shot(page, "scheduler_list")
    page.locator("#schedule_use").click()
    expect(page.locator("#txt2img_steps input[type=number]")).to_have_value("4")
    expect(small).to_contain_text("Its own levels")
    generate(page, "a list")
    eventually(page, lambda: bool(engine.asked))
    assert engine.asked[-1].schedule.sigmas == (9.0, 3.0, 1.0, 0.2, 0.0)
    assert engine.asked[-1].steps == 4


def test_a_list_that_does_not_fit_is_refused_at_its_field(engine: FakeEngine, page: Page) -> None:
    unfold_experts(page)
    page.get_by_role("checkbox", name="Noise and sampler", exact=True).check()
    page.locator("#txt2img_schedule_sigmas :is(input, textarea)").fill("9 3 1 0")
    type_prompt(page, "no list")
    page.locator("#txt2img_generate").click()
    expect(page.locator("#txt2img_schedule_sigmas.wrong-field")).to_be_visible()
    assert engine.asked == []


def test_a_picture_of_mine_is_noised(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(path := tmp_path / "mine.png")
    page.locator("#tab_pnginfo-button").click()
    page.locator("#learn_noise_tab").click()
    expect(page.locator("#learn_noise")).to_contain_text("Drop a picture, and noise is added to it")
    page.locator("#noise_image input[type=file]").set_input_files(path)
    expect(page.locator(".noise-loss")).to_have_text("loss 0.00024")
    page.locator("#noise_level").focus()
    page.keyboard.press("Home")
    expect(page.locator(".noise-loss")).to_have_text("loss 1.0")
    expect(page.locator(".learn-why")).to_contain_text("The loss is largest where the noise is smallest")
    shown = page.locator("#learn_noise canvas").first.evaluate(
        "(one) => [...one.getContext('2d').getImageData(1, 1, 1, 1).data]"
    )
    assert shown == [26, 40, 174, 255]  # the first tile of the second row
    page.keyboard.press("End")
    shown = page.locator("#learn_noise canvas").last.evaluate(
        "(one) => [...one.getContext('2d').getImageData(1, 1, 1, 1).data]"
    )
    assert shown == [180, 40, 20, 255]  # the last tile
    assert axe(page, "#learn") == []
    shot(page, "noise")
