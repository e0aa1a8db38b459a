"""What a person asks for, and what the miniature makes of it: real server, real models, real browser.

What is on the pictures is judged as in tests/miniature. One program for the whole file, as it takes long to start.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.miniature.painting import share
from tests.ui.canvas_page import stroke
from tests.ui.driving import type_prompt
from tests.ui.journeys.test_canvas import go, open_picture, source, tool
from tests.ui.running_program import ROOT, running_program
from tests.ui.staying import PASSED, Staying
from tools.train_mini.drawing import draw
from tools.train_mini.judge import Found, judge
from tools.train_mini.scenes import Background, Scene, Thing

PATIENCE = 240  # seconds that a busy machine may take
STARTING = {
    "checkpoint": "mini", "sampler": "DPM++ 2M", "scheduler": "Karras", "steps": 12, "cfg_scale": 5.0,
    "width": 128, "height": 128, "seed": 3,
}  # fmt: skip
CIRCLE = "a red circle on a blue background"
SCENE = draw(Scene((Thing("circle", "red", 64, 64, 36),), Background("blue")))  # 128 x 128


@dataclass(frozen=True)
class Program:
    """A program that runs, and where it saves pictures."""

    address: str
    outputs: Path

    def files(self) -> list[Path]:
        """The pictures so far, the oldest first, without sheets of several."""
        saved = [file for file in self.outputs.rglob("*.png") if "grid" not in str(file.relative_to(self.outputs))]
        return sorted(saved, key=lambda file: file.stat().st_mtime_ns)


@dataclass(frozen=True)
class Painter:
    """A page of the program."""

    page: Page
    program: Program

    def made(self, count: int = 1) -> list[Image.Image]:
        """Press Generate and wait for so many pictures."""
        before = len(self.program.files())
        self.page.locator("#txt2img_generate").click()
        end = time.monotonic() + PATIENCE
        while len(files := self.program.files()) < before + count:
            assert time.monotonic() < end, self.page.locator("#stage").inner_text()
            self.page.wait_for_timeout(100)
        expect(self.page.locator("#txt2img_gallery .pill")).to_be_hidden()
        return [Image.open(file).convert("RGB") for file in files[before:]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("painted")
    flags = {"--models-dir": ROOT / "models", "--precision": "fp32", "--threads": 1}
    with running_program(folder, port, STARTING, flags):
        yield Program(f"http://127.0.0.1:{port}/", folder / "outputs")


@pytest.fixture(scope="module")
def staying(shared_context: BrowserContext, program: Program) -> Iterator[Staying]:
    made = Staying(shared_context, program, checkpoint=re.compile(r"^mini\.safetensors"))
    yield made
    made.leave()


@pytest.fixture
def painter(staying: Staying, program: Program, request: pytest.FixtureRequest) -> Iterator[Painter]:
    page = staying.open()
    page.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    yield Painter(page, program)
    staying.give_back(is_of_use=request.node.stash.get(PASSED, False))


def seen(picture: Image.Image) -> Found:
    """The largest thing on a picture, which has a blue background."""
    verdict = judge(picture)
    assert verdict.background == "blue"
    return verdict.objects[0]


def pixels(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.asarray(image).astype(np.int16)


def test_i_ask_for_a_red_circle_and_it_keeps_its_place_where_i_send_it_on_to_img2img(painter: Painter) -> None:
    page = painter.page
    type_prompt(page, CIRCLE)
    (picture,) = painter.made()
    first = seen(picture)
    assert (first.shape, first.colour) == ("circle", "red")
    page.locator("#stage").get_by_role("button", name="Send to img2img").click()
    expect(page.locator("#img2img_image")).to_be_visible()
    type_prompt(page, "a red circle at the top right on a blue background")
    strength = page.locator("#img2img_denoising_strength input[type=number]")
    strength.fill("0.3")
    strength.blur()
    (picture,) = painter.made()
    second = seen(picture)
    assert second.colour == "red"
    assert abs(second.x - first.x) < 8
    assert abs(second.y - first.y) < 8


def test_two_pictures_of_a_batch_come_one_by_one_and_both_show_what_i_asked_for(painter: Painter) -> None:
    page = painter.page
    type_prompt(page, CIRCLE)
    page.locator("#txt2img_batch_count input[type=number]").fill("2")
    page.locator("#txt2img_batch_count input[type=number]").blur()
    pictures = painter.made(2)
    expect(page.locator("#txt2img_gallery .batch .cell:enabled")).to_have_count(2)
    assert [(seen(one).shape, seen(one).colour) for one in pictures] == [("circle", "red")] * 2
    assert not np.array_equal(pixels(pictures[0]), pixels(pictures[1]))


def test_i_put_a_lora_in_from_the_drawer_and_get_the_shape_that_it_teaches(painter: Painter) -> None:
    page = painter.page
    type_prompt(page, "a red heart on a white background")
    page.locator("#txt2img_extra_networks .drawer-button").click()
    panel = page.locator("#txt2img_extra_networks .dock-panel")
    panel.locator(".card").filter(has_text="mini-heart").locator(".card-use").click()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value(re.compile("<lora:mini-heart:"))
    page.keyboard.press("Escape")
    page.locator("#txt2img_batch_size input[type=number]").fill("4")
    page.locator("#txt2img_batch_size input[type=number]").blur()
    verdicts = [judge(one) for one in painter.made(4)]
    assert share(verdicts, shape="heart") >= 0.5
    assert share(verdicts, colour="red") >= 0.75


def test_i_mask_the_left_half_and_only_that_is_painted_anew_then_the_right_half_grows(painter: Painter) -> None:
    page = painter.page
    go(page, "Inpaint")
    open_picture(page, SCENE)
    tool(page, "Rectangle")
    stroke(page, (0.2, 0.2), (48, 127.8))
    stroke(page, (100, 20), (120, 100))
    page.keyboard.press("Control+z")  # the second place stays as it is
    type_prompt(page, "a green square on a yellow background")
    (result,) = painter.made()
    before, after = pixels(SCENE), pixels(result)
    assert result.size == SCENE.size
    assert np.abs(after[:, :40] - before[:, :40]).mean() > 20
    assert np.array_equal(after[:, 72:], before[:, 72:])  # beyond the mask's soft rim nothing is touched

    source(page)
    tool(page, "Clear")
    tool(page, "Outpaint: grow the picture")
    page.get_by_role("spinbutton", name="Right").fill("64")
    page.get_by_role("spinbutton", name="Right").blur()
    (grown,) = painter.made()
    assert grown.size == (192, 128)
    assert np.abs(pixels(grown)[:, :100] - before[:, :100]).mean() < 3
