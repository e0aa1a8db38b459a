"""From the noise that is found for a picture the sampler comes back to it, or to another colour in its place."""

import numpy as np
import pytest
from PIL import Image

from tests.experiments.courses import run
from tests.extensions.test_img2img_alternative import AROUND
from tests.miniature.painting import paint, pixels
from tests.narrowing import known
from tests.processing.reporters import Silent
from tools.train_mini.judge import judge
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.experiments.script_list import script_named
from webui.processing.back import Back

PROMPT = "a red circle on a blue background"
TITLE = "img2img alternative test"


@pytest.fixture(scope="module")
def picture(back: Back) -> Image.Image:
    return paint(back, PROMPT, seed=3, steps=8)


def again(back: Back, picture: Image.Image, steps: int, *, adjusted: bool, prompt: str = "") -> Image.Image:
    """The picture by A1111's script; with a prompt of its own it is another one."""
    request = GenerationRequest(
        prompt=prompt, checkpoint="mini", seed=1, cfg_scale=2 if prompt else 1, width=128, height=128,
        task=Img2Img(image=Picture.of(picture)),
    )  # fmt: skip
    args = (None, True, not prompt, PROMPT, "", True, steps, True, 1.0, 0.0, adjusted)
    _, (asked,) = run(known(script_named(TITLE)).start(request, args, AROUND))
    result = back.run(asked, Silent())
    assert not result.notices
    return result.images[0].image


def test_the_picture_comes_back_the_better_the_more_steps(back: Back, picture: Image.Image) -> None:
    few, many = (far(again(back, picture, steps, adjusted=False), picture) for steps in (4, 16))
    assert many < few / 3
    assert many < 10
    assert far(again(back, picture, 4, adjusted=True), picture) < 10


def far(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of their pixels."""
    return float(np.abs(pixels(one) - pixels(other)).mean())


def test_another_prompt_changes_what_it_names_and_keeps_the_place(back: Back, picture: Image.Image) -> None:
    (before,) = judge(picture).objects
    (seen,) = judge(again(back, picture, 12, adjusted=False, prompt=PROMPT.replace("red", "green"))).objects
    assert (seen.colour, seen.shape) == ("green", "circle")
    assert abs(seen.x - before.x) + abs(seen.y - before.y) < 6  # pixels of 128
