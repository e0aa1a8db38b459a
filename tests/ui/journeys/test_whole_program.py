"""The program as its user meets it: real server, models and browser. What the miniature makes of what is asked for,
A1111's picture, a worker that is killed, and bad input.

What is on the miniature's pictures is judged as in tests/miniature. One program for all, as it takes long to start;
what is asked over HTTP is not saved.
"""

import base64
import io
import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.answering import until_it_answers
from tests.miniature.painting import share
from tests.reference import case_named
from tests.ui.canvas_page import stroke
from tests.ui.driving import type_prompt
from tests.ui.journeys.test_canvas import go, open_picture, source, tool
from tests.ui.running_program import ROOT, running_program
from tests.ui.staying import CHECKPOINT, PASSED, Staying
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
CASE = case_named("sd2v_euler")

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.int16]]


@dataclass(frozen=True)
class Program:
    """A program that runs, and where it saves pictures."""

    address: str
    outputs: Path
    process: "subprocess.Popen[bytes]"

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
def program(reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("program")
    for models in (ROOT / "models", reference_models_dir):
        for file in models.rglob("*.*"):
            place = folder / "models" / file.relative_to(models)
            place.parent.mkdir(parents=True, exist_ok=True)
            if file.is_file() and not place.exists():
                place.symlink_to(file)
    flags = {"--models-dir": folder / "models", "--precision": "fp32", "--threads": 1, "--api": ""}
    with running_program(folder, port, STARTING, flags) as process:
        yield Program(f"http://127.0.0.1:{port}/", folder / "outputs", process)


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


def post(address: str, body: object) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def answered(answer: dict[str, Any]) -> Pixels:
    """The picture that the API answers with."""
    with Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))) as image:
        return pixels(image.convert("RGB"))


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image).astype(np.int16)


def seen(picture: Image.Image) -> Found:
    """The largest thing on a picture, which has a blue background."""
    verdict = judge(picture)
    assert verdict.background == "blue"
    return verdict.objects[0]


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


def test_a_prompt_typed_in_a_browser_gives_a1111s_picture(painter: Painter) -> None:
    page, told = painter.page, CASE.payload
    page.locator(CHECKPOINT).click()
    page.get_by_role("option", name=re.compile("^tiny-sd2-v")).click()
    expect(page.locator(CHECKPOINT)).to_have_value(re.compile("^tiny-sd2-v"))
    expect(page.locator("#txt2img_width input[type=number]")).to_have_value("512")  # what it was trained for
    fields = {name: told[name] for name in ("steps", "cfg_scale", "seed", "scheduler", "width", "height")}
    page.evaluate("(fields) => webui.form.take(fields)", {**fields, "sampler": told["sampler_name"]})
    expect(page.locator("#txt2img_width input[type=number]")).to_have_value("128")
    type_prompt(page, told["prompt"])
    page.locator("#txt2img_negative_fold").click()
    page.locator("#txt2img_neg_prompt textarea").fill(told["negative_prompt"])
    (made,) = painter.made()
    expect(page.get_by_role("status").filter(has_text="The picture is finished")).to_be_attached()
    with Image.open(CASE.file(".png")) as golden:
        assert np.abs(pixels(made) - pixels(golden.convert("RGB"))).max() <= 2
    assert "Seed: 1234" in Image.open(painter.program.files()[-1]).info["parameters"]


def test_a_killed_worker_costs_its_job_and_nothing_else(program: Program) -> None:
    body = {"prompt": "a red cat", "steps": 4, "width": 64, "height": 64, "seed": 1}
    status, first = post(f"{program.address}sdapi/v1/txt2img", body)
    assert status == 200
    for child in psutil.Process(program.process.pid).children(recursive=True):
        if any("spawn_main" in part for part in child.cmdline()) and not child.children():
            child.kill()  # and not the process that it was forked from
    until_it_answers(f"{program.address}health", program.process)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        status, again = post(f"{program.address}sdapi/v1/txt2img", body)
        if status == 200:
            break
        time.sleep(0.5)
    assert abs(answered(again) - answered(first)).max() <= 1


BAD = (
    ("width", 0),
    ("height", 100),
    ("steps", 10**9),
    ("sampler_name", "no such sampler"),
    ("cfg_scale", "NaN"),
    ("prompt", "x" * 10_000_000),
    ("negative_prompt", "\ud800"),
)


def test_bad_input_is_answered_with_the_field_and_the_next_request_works(program: Program) -> None:
    good = {"prompt": "a red cat", "steps": 1, "width": 64, "height": 64, "seed": 1}
    for field, value in BAD:
        status, answer = post(f"{program.address}sdapi/v1/txt2img", {**good, field: value})
        assert status in (400, 422), field
        assert field in json.dumps(answer)
        assert len(json.dumps(answer)) < 2000
        assert post(f"{program.address}sdapi/v1/txt2img", good)[0] == 200, f"after {field}"
    status, answer = post(
        f"{program.address}sdapi/v1/txt2img", {**good, "override_settings": {"sd_model_checkpoint": "none-such"}}
    )
    assert status in (404, 422)
    assert "none-such" in json.dumps(answer)
