"""What the bundled miniature understands, asked of the back of the program: pictures judged by what is on them."""

import numpy as np
import pytest

from tests.miniature.painting import look, paint, paint_anew, pixels, run, share
from tools.train_mini.scenes import COLOURS
from webui.processing.back import Back


@pytest.mark.parametrize(
    ("shape", "colour", "background"),
    [
        ("circle", "red", "blue"),
        ("triangle", "yellow", "black"),
        ("square", "blue", "white"),
    ],
)
def test_the_prompt_decides_colour_shape_and_background(back: Back, shape: str, colour: str, background: str) -> None:
    seen = look(back, f"a {colour} {shape} on a {background} background")
    assert share(seen, shape=shape, colour=colour) >= 0.75
    assert np.mean([verdict.background == background for verdict in seen]) >= 0.75


def test_a_negative_prompt_removes_a_colour(back: Back) -> None:
    prompt = "a large circle on a white background"
    free = look(back, prompt)
    common = max(COLOURS, key=lambda colour: share(free, colour=colour))
    before = share(free, colour=common)
    assert share(look(back, prompt, negative_prompt=f"a large {common} circle"), colour=common) < before


def test_guidance_of_one_ignores_the_negative_prompt_and_seven_follows_it(back: Back) -> None:
    prompt = "a red circle on a blue background"
    few = {"steps": 4}
    at_one = [paint(back, prompt, cfg_scale=1.0, negative_prompt=text, **few) for text in ("", "a red circle")]
    assert np.abs(pixels(at_one[0]) - pixels(at_one[1])).max() <= 2  # u + 1 (c - u) is c but for rounding
    at_seven = [paint(back, prompt, cfg_scale=7.0, negative_prompt=text, **few) for text in ("", "a green star")]
    assert np.abs(pixels(at_seven[0]) - pixels(at_seven[1])).max() > 20


def test_more_guidance_follows_the_prompt_more_closely(back: Back) -> None:
    prompt = "a red circle on a blue background"
    followed = {scale: share(look(back, prompt, cfg_scale=scale), colour="red") for scale in (1.0, 5.0)}
    assert followed[5.0] >= followed[1.0]
    assert followed[5.0] >= 0.75


def test_a_seed_gives_one_picture_and_another_seed_another(back: Back) -> None:
    prompt = "a green diamond on a pink background"
    first, again, other = (pixels(paint_anew(back, prompt, seed=seed, steps=3)) for seed in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()


def test_a_batch_of_four_equals_four_singles(back: Back) -> None:
    prompt = "an orange cross on a black background"
    batch = run(back, prompt, batch_size=4, seed=20, steps=3).images
    for offset, made in enumerate(batch):
        alone = pixels(paint(back, prompt, seed=20 + offset, steps=3))
        assert np.abs(pixels(made.image) - alone).max() <= 2
