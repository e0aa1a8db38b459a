"""What a person does with the form, in a real browser."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.ui.accessibility import axe_in_both_themes
from tests.ui.driving import eventually, type_prompt, unfold_experts
from tests.ui.fakes import FakeEngine
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img

HEAR = """async (name) => {
  const bus = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
  window.heard = [];
  bus.hear(name, (detail) => window.heard.push(detail));
}"""
TELL = """async ([name, detail]) => {
  const stream = await import(`${webui.base}internal/page/static/${webui.version}/stream.js`);
  stream.take(name, detail);
}"""  # as if the server had said so: it stays known to the page, whatever else the server says
OPEN = """(bytes) => webui.canvas.open(new File([Uint8Array.from(bytes)], "picture.png", { type: "image/png" }))"""

FOREVER = {
    "id": "j1", "kind": "txt2img", "title": "a cat", "facts": "512 × 512", "state": "running", "mine": True,
    "position": None, "reason": "", "pictures": 0, "expected": 1, "thumb": None, "created": 1, "forever": True,
    "notices": [],
}  # fmt: skip


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


def box(page: Page, name: str) -> Locator:
    """The box of a number or a text."""
    return page.locator(f"#{name} :is(input[type=number], input[type=text], textarea)").first


def fill(page: Page, name: str, value: str) -> None:
    box(page, name).fill(value)
    box(page, name).blur()


def switch(page: Page, title: str) -> Locator:
    return page.get_by_role("checkbox", name=title, exact=True)


def line(page: Page, name: str) -> Locator:
    return page.locator(f"#{name}_section .line")


def choose(page: Page, name: str, choice: str) -> None:
    page.locator(f"#{name} input").click()
    page.get_by_role("option", name=choice, exact=True).click()


def ready(page: Page) -> None:
    """Wait until the form's script is there."""
    expect(page.locator("#form_undo")).to_be_attached()
    page.wait_for_function("window.webui.form?.state.begun")


def submitted(page: Page, engine: FakeEngine, count: int = 1) -> GenerationRequest:
    """Press Generate and wait for the job of that number."""
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: len(engine.asked) == count)
    return engine.asked[-1]


def said(page: Page) -> str:
    """What the form had to say last."""
    texts: list[str] = page.evaluate("heard.filter((one) => one.text).map((one) => one.text)")
    return texts[-1] if texts else ""


def in_mode(page: Page, title: str) -> None:
    page.get_by_role("tab", name=title, exact=True).click()


def test_a_ratio_chip_sets_the_size_and_shows_which_ratio_it_is(page: Page) -> None:
    ready(page)
    chips = page.locator("#txt2img_ratio")
    expect(chips.get_by_role("radio", name="1:1", exact=True)).to_be_checked()
    chips.locator("label", has_text="2:3").click()
    expect(box(page, "txt2img_width")).to_have_value("416")
    expect(box(page, "txt2img_height")).to_have_value("624")
    page.locator("#txt2img_res_switch_btn").click()
    expect(box(page, "txt2img_width")).to_have_value("624")
    expect(chips.get_by_role("radio", name="3:2", exact=True)).to_be_checked()
    fill(page, "txt2img_width", "400")
    expect(chips.locator("input:checked")).to_have_count(0)


def test_a_size_pasted_into_a_box_fills_both(page: Page) -> None:
    ready(page)
    pasted(page, "#txt2img_width input", "640x960")
    expect(box(page, "txt2img_width")).to_have_value("640")
    expect(box(page, "txt2img_height")).to_have_value("960")


def pasted(page: Page, where: str, text: str) -> None:
    """Paste a text with the keyboard's event, as no clipboard is needed then."""
    page.locator(where).focus()
    page.evaluate(
        """([where, text]) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", text);
          const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
          document.querySelector(where).dispatchEvent(event);
        }""",
        [where, text],
    )


def test_two_presses_give_two_jobs_while_the_first_still_runs(page: Page, engine: FakeEngine) -> None:
    ready(page)
    engine.hold()
    type_prompt(page, "a slow cat")
    for _ in range(3):
        page.locator("#txt2img_generate").click()
    eventually(page, lambda: len(engine.asked) == 3)
    type_prompt(page, "another cat")
    page.keyboard.press("Control+Enter")
    eventually(page, lambda: len(engine.asked) == 4)
    assert [request.prompt for request in engine.asked] == ["a slow cat"] * 3 + ["another cat"]


def test_hires_fix_is_one_line_that_says_what_it_does(page: Page, engine: FakeEngine) -> None:
    ready(page)
    expect(page.locator("#txt2img_hr_upscaler")).to_be_hidden()
    expect(line(page, "txt2img_hr")).to_be_hidden()
    switch(page, "Hires. fix").click()
    expect(line(page, "txt2img_hr")).to_have_text("Latent · 1024 × 1024 · denoise 0.7")
    fill(page, "txt2img_hr_scale", "1.5")
    expect(line(page, "txt2img_hr")).to_have_text("Latent · 768 × 768 · denoise 0.7")
    page.get_by_role("button", name="Fold Hires. fix").click()
    expect(page.locator("#txt2img_hr_upscaler")).to_be_hidden()
    expect(line(page, "txt2img_hr")).to_be_visible()
    task = submitted(page, engine).task
    assert isinstance(task, Txt2Img)
    assert (task.hires.enabled, task.hires.scale) == (True, 1.5)
    switch(page, "Hires. fix").click()
    task = submitted(page, engine, 2).task
    assert task == Txt2Img()


def test_a_refiner_needs_a_checkpoint_and_says_which_it_uses(page: Page, engine: FakeEngine) -> None:
    ready(page)
    page.evaluate(HEAR, "notice")
    switch(page, "Refiner").click()
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: "Checkpoint: should be chosen" in said(page))
    choose(page, "txt2img_refiner_checkpoint", "sdxl/other.safetensors [0123456789]")
    expect(line(page, "txt2img_refiner")).to_have_text("sdxl/other.safetensors from 80 %")
    refiner = submitted(page, engine).refiner
    assert refiner is not None
    assert (refiner.checkpoint, refiner.switch_at) == ("sdxl/other.safetensors", 0.8)


def test_an_expert_part_tells_what_is_not_as_usual(page: Page, engine: FakeEngine) -> None:
    ready(page)
    unfold_experts(page)
    switch(page, "Guidance").click()
    fill(page, "txt2img_guidance_rescale", "0.7")
    switch(page, "Noise and sampler").click()
    fill(page, "txt2img_noise_eta", "0.5")
    page.locator("#txt2img_noise_sgm_multiplier input").check()
    expect(line(page, "txt2img_guidance")).to_have_text("CFG rescale 0.7")
    expect(line(page, "txt2img_noise")).to_have_text("Eta 0.5 · SGM noise multiplier")
    request = submitted(page, engine)
    assert (request.guidance.rescale, request.noise.eta, request.noise.sgm_multiplier) == (0.7, 0.5, True)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("txt2img_seed", "-5", r"Seed: should be greater than or equal to -1"),
        ("txt2img_width", "513", r"Width: .*multiple of 8"),
    ],
)
def test_an_error_names_the_field_and_points_at_it(page: Page, name: str, value: str, sentence: str) -> None:
    ready(page)
    page.evaluate(HEAR, "notice")
    fill(page, name, value)
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: re.search(sentence, said(page)) is not None)
    expect(page.locator(f"#{name}")).to_have_class(re.compile("wrong-field"))
    expect(box(page, name)).to_be_focused()


def test_parts_for_experts_are_folded_away_but_for_those_that_are_on(page: Page) -> None:
    ready(page)
    expect(switch(page, "Guidance")).to_be_hidden()
    page.get_by_role("button", name="Expert", exact=True).click()
    switch(page, "Guidance").check()
    page.get_by_role("button", name="Expert", exact=True).click()
    expect(switch(page, "Guidance")).to_be_visible()
    expect(switch(page, "UniPC")).to_be_hidden()
    page.get_by_role("button", name="Expert", exact=True).click()
    page.reload()
    expect(switch(page, "UniPC")).to_be_visible()


def test_a_wrong_value_in_a_folded_part_is_brought_into_view(page: Page) -> None:
    ready(page)
    unfold_experts(page)
    switch(page, "Noise and sampler").click()
    fill(page, "txt2img_noise_eta", "3")
    page.get_by_role("button", name="Fold Noise and sampler").click()
    page.locator("#txt2img_generate").click()
    expect(box(page, "txt2img_noise_eta")).to_be_focused()


def test_prompt_and_size_stay_when_the_mode_changes(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    ready(page)
    page.evaluate(HEAR, "notice")
    type_prompt(page, "a cat in three modes")
    fill(page, "txt2img_seed", "7")
    denoising = page.locator("#img2img_denoising_strength")
    expect(denoising).to_be_hidden()
    in_mode(page, "img2img")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cat in three modes")
    expect(denoising).to_be_visible()
    expect(page.locator("#img2img_inpaint_full_res")).to_be_hidden()
    expect(page.locator("#txt2img_hr_section")).to_be_hidden()
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: "Drop a picture first" in said(page))
    Image.new("RGB", (83, 64), (9, 90, 200)).save(tmp_path / "picture.png")
    page.evaluate(OPEN, [*(tmp_path / "picture.png").read_bytes()])
    page.locator("#img2img_detect_image_size_btn").click()
    expect(box(page, "txt2img_width")).to_have_value("80")
    fill(page, "img2img_denoising_strength", "0.4")
    request = submitted(page, engine)
    assert isinstance(request.task, Img2Img)
    assert (request.prompt, request.seed, request.width, request.height) == ("a cat in three modes", 7, 80, 64)
    assert (request.task.denoising_strength, request.task.image.width) == (0.4, 83)
    in_mode(page, "Inpaint")
    expect(page.locator("#img2img_inpaint_full_res")).to_be_visible()
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: "Nothing is masked yet" in said(page))
    in_mode(page, "txt2img")
    assert submitted(page, engine, 2).task == Txt2Img()


def test_generate_has_a_menu_for_generating_forever(page: Page, engine: FakeEngine) -> None:
    ready(page)
    asked: list[tuple[str, Any]] = []

    def answer(route: Route) -> None:
        if route.request.method != "POST":  # a picture of the job
            route.continue_()
            return
        asked.append((route.request.url.rpartition("/page/")[2], route.request.post_data_json))
        route.fulfill(json={})

    page.route(re.compile("internal/page/(forever|jobs)"), answer)
    page.locator("#txt2img_generate").click(button="right")
    page.get_by_role("menuitem", name="Generate forever").click()
    eventually(page, lambda: len(engine.asked) == 1)
    assert asked == [("forever", {"on": True})]
    page.evaluate(TELL, ["job", FOREVER])
    page.locator("#txt2img_generate").focus()
    page.keyboard.press("Shift+F10")
    page.get_by_role("menuitem", name="Stop after this picture").click()
    eventually(page, lambda: len(asked) == 2)
    page.locator("#txt2img_generate").click(button="right")
    page.keyboard.press("Enter")
    eventually(page, lambda: len(asked) == 3)
    assert asked[1:] == [("jobs/j1/finish", {}), ("forever", {"on": False})]
    page.evaluate(TELL, ["gone", {"id": "j1"}])  # a page at rest has none


def test_axe_finds_nothing_serious_in_the_form_with_everything_on(page: Page) -> None:
    ready(page)
    for mode in ("txt2img", "Inpaint"):
        in_mode(page, mode)
        for box_ in page.locator(".section .switch input:visible").all():
            box_.check()
        assert axe_in_both_themes(page, "#txt2img_settings") == []
    page.locator("#txt2img_generate").click(button="right")
    assert axe_in_both_themes(page, "#generate_menu") == []
