"""What the form takes from elsewhere, keeps and undoes, in a real browser."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from safetensors.numpy import save_file

from tests.ui.driving import WAIT, eventually, keeps, type_prompt, unfold_experts
from tests.ui.fakes import FakeEngine, named
from tests.ui.journeys.test_form import HEAR, box, choose, fill, line, ready, said, submitted, switch
from tests.ui.visiting import forget, visit
from webui.domain.errors import UnusableFileError
from webui.library.files import ModelFile
from webui.library.resolution import RESOLUTION

A1111 = (
    "a dog <lora:ink:0.8>\nNegative prompt: cats\nSteps: 31, Sampler: Euler a, Schedule type: Karras, CFG scale: 5.5, "
    "Seed: 4294967295, Size: 640x384, Model: other, Clip skip: 2, Denoising strength: 0.4, Hires upscale: 1.5, "
    "Hires upscaler: Latent, Mystery: 5, Version: v1.10.1"
)
SAY = """async ([name, detail]) => {
  const bus = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
  bus.say(name, detail);
}"""


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


def test_read_parameters_fills_the_form_and_one_undo_brings_it_back(page: Page, engine: FakeEngine) -> None:
    ready(page)
    page.evaluate(HEAR, "notice")
    type_prompt(page, A1111)
    keeps(page, {"prompt": A1111})
    page.locator("#paste").click()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a dog <lora:ink:0.8>")
    expect(switch(page, "Hires. fix")).to_be_checked()
    expect(line(page, "txt2img_hr")).to_have_text("Latent · 960 × 576 · denoise 0.4")
    expect(switch(page, "Clip skip, tiling, networks")).to_be_checked()
    eventually(page, lambda: "Mystery" in said(page))
    request = submitted(page, engine)
    assert (request.steps, request.sampler, request.scheduler, request.cfg_scale) == (31, "Euler a", "Karras", 5.5)
    assert (request.width, request.height, request.seed, request.clip_skip) == (640, 384, 2**32 - 1, 2)
    assert request.checkpoint == "sdxl/other.safetensors"
    keeps(page, {"steps": 31})
    page.keyboard.press("Control+Alt+z")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value(A1111)
    expect(switch(page, "Hires. fix")).not_to_be_checked()
    expect(box(page, "txt2img_steps")).to_have_value("20")
    expect(page.locator("#setting_sd_model_checkpoint input")).to_have_value("mini.safetensors [0123456789]")


def test_another_part_of_the_page_fills_chosen_fields(page: Page) -> None:
    ready(page)
    page.evaluate(SAY, ["form:fill", {"text": A1111, "only": ["seed"]}])
    expect(box(page, "txt2img_seed")).to_have_value("4294967295")
    expect(box(page, "txt2img_steps")).to_have_value("20")


def test_the_seed_of_the_picture_in_view_is_used_again_and_the_dice_draw_anew(page: Page) -> None:
    ready(page)
    text = "a\nSteps: 1, Sampler: Euler, Seed: 18446744073709551615, Variation seed: 7, Size: 64x64"
    page.evaluate(SAY, ["picture:shown", {"picture": {"id": "x/0", "seed": 5, "text": text}}])
    page.locator("#txt2img_reuse_seed").click()
    expect(box(page, "txt2img_seed")).to_have_value("18446744073709551615")
    page.locator("#txt2img_random_seed").click()
    expect(box(page, "txt2img_seed")).to_have_value("-1")
    unfold_experts(page)
    switch(page, "Variation seed").click()
    page.locator("#txt2img_reuse_subseed").click()
    expect(box(page, "txt2img_subseed")).to_have_value("7")


def test_the_menu_of_generate_is_about_the_picture_that_it_was_opened_for(page: Page) -> None:
    ready(page)
    page.evaluate(HEAR, "form:enlarge")
    for name in ("first", "second"):
        page.evaluate(SAY, ["picture:shown", {"picture": {"id": f"{name}/0", "seed": 1, "text": ""}}])
        if name == "first":
            page.locator("#txt2img_generate").click(button="right")
    page.get_by_role("menuitem", name="Hires. fix on the picture in view").click()
    assert page.evaluate("heard.flatMap(({ picture }) => picture?.id ?? [])") == ["first/0"]
    expect(page.locator("#stage .notices")).to_contain_text("is no longer there")  # as nobody made it
    page.evaluate(SAY, ["picture:shown", {"picture": None}])


def test_a_reload_keeps_the_form(page: Page, engine: FakeEngine) -> None:
    ready(page)
    type_prompt(page, "a cat to keep")
    fill(page, "txt2img_steps", "33")
    choose(page, "txt2img_sampling", "Euler a")
    switch(page, "Hires. fix").click()
    fill(page, "txt2img_hr_scale", "1.5")
    keeps(page, {"prompt": "a cat to keep", "steps": 33, "sampler": "Euler a", "task.hires.scale": 1.5})
    engine.change_starting_values({"cfg_scale": 4.0, "steps": 9})
    page.reload()
    ready(page)
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cat to keep")
    expect(box(page, "txt2img_steps")).to_have_value("33")
    expect(box(page, "txt2img_cfg_scale")).to_have_value("4")  # was not touched, so it starts as the program says
    expect(switch(page, "Hires. fix")).to_be_checked()
    expect(line(page, "txt2img_hr")).to_have_text("Latent · 768 × 768 · denoise 0.7")
    request = submitted(page, engine)
    assert (request.sampler, request.steps, request.cfg_scale) == ("Euler a", 33, 4.0)
    page.locator("#form_reset").click()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("")
    expect(box(page, "txt2img_steps")).to_have_value("9")
    expect(switch(page, "Hires. fix")).not_to_be_checked()
    page.locator("#form_undo").click()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cat to keep")


def test_changes_of_the_form_are_undone_one_by_one(page: Page) -> None:
    ready(page)
    expect(page.locator("#form_undo")).to_be_disabled()
    fill(page, "txt2img_steps", "30")
    keeps(page, {"steps": 30})
    page.locator("#txt2img_ratio label", has_text="3:2").click()
    expect(box(page, "txt2img_width")).not_to_have_value("512")
    keeps(page, {"width": int(box(page, "txt2img_width").input_value())})
    page.keyboard.press("Control+Alt+z")
    expect(box(page, "txt2img_width")).to_have_value("512")
    expect(box(page, "txt2img_steps")).to_have_value("30")
    page.locator("#form_undo").click()
    expect(box(page, "txt2img_steps")).to_have_value("20")
    page.locator("#form_redo").click()
    expect(box(page, "txt2img_steps")).to_have_value("30")


def test_checkpoint_and_vae_that_are_chosen_at_once_are_both_remembered(page: Page, engine: FakeEngine) -> None:
    ready(page)
    choose(page, "setting_sd_model_checkpoint", "sdxl/other.safetensors [0123456789]")
    choose(page, "setting_sd_vae", "soft.vae.safetensors")
    wanted: dict[str, Any] = {"checkpoint": "sdxl/other.safetensors", "vae": "soft.vae.safetensors"}
    eventually(page, lambda: {name: engine.starting.get(name) for name in wanted} == wanted)
    request = submitted(page, engine)
    assert {name: getattr(request, name) for name in wanted} == wanted


@pytest.mark.usefixtures("left_afterwards")  # its list of checkpoints is another one afterwards
def test_new_files_are_found_and_those_that_cannot_be_used_are_named(page: Page, engine: FakeEngine) -> None:
    ready(page)
    page.evaluate(HEAR, "notice")
    engine.library.named = [*engine.library.named, named("checkpoint", "new.safetensors")]
    page.locator("#refresh_checkpoints").click()
    eventually(page, lambda: "torn.safetensors cannot be used" in said(page))
    choose(page, "setting_sd_model_checkpoint", "new.safetensors [0123456789]")
    assert submitted(page, engine).checkpoint == "new.safetensors"


@pytest.mark.usefixtures("left_afterwards")  # which size a checkpoint brought last is remembered
def test_the_size_follows_the_checkpoint_until_it_is_set(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    ready(page)
    large = tmp_path / "large.safetensors"
    save_file({"x": np.zeros(1, np.float32)}, large, metadata={RESOLUTION: "1024x1024"})

    def file_of(file: ModelFile) -> Path:
        if file.name != "sdxl/other.safetensors":
            raise UnusableFileError("has no file")
        return large

    engine.library.safetensors = file_of  # type: ignore[method-assign]
    choose(page, "setting_sd_model_checkpoint", "sdxl/other.safetensors [0123456789]")
    expect(box(page, "txt2img_width")).to_have_value("1024")
    expect(page.locator("#txt2img_ratio").get_by_role("radio", name="1:1", exact=True)).to_be_checked()
    page.locator("#txt2img_ratio label", has_text="2:3").click()
    expect(box(page, "txt2img_height")).to_have_value("1248")
    choose(page, "setting_sd_model_checkpoint", "mini.safetensors [0123456789]")
    eventually(page, lambda: page.locator("#trained_size :is(input, textarea)").input_value() == "512x512")
    expect(box(page, "txt2img_height")).to_have_value("1248")


@pytest.mark.usefixtures("opened_anew")
def test_what_is_typed_while_the_page_loads_stays(
    shared_context: BrowserContext, address: str, engine: FakeEngine
) -> None:
    engine.change_starting_values({"cfg_scale": 4.0})
    opened, held = visit(shared_context), list[Route]()
    opened.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    opened.route("**/gradio_api/run/predict*", lambda route: held.append(route))
    opened.goto(address)
    ready(opened)
    type_prompt(opened, "a cat")
    fill(opened, "txt2img_steps", "7")
    assert held
    for route in held:
        route.continue_()
    expect(box(opened, "txt2img_cfg_scale")).to_have_value("4")
    expect(opened.locator("#txt2img_prompt textarea")).to_have_value("a cat")
    expect(box(opened, "txt2img_steps")).to_have_value("7")
    forget(shared_context, address)
