"""Regions of the prompt, asked of the miniature: what stands on which side of the picture, and what does not change."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.miniature.painting import paint, pixels, run
from tools.train_mini.judge import Verdict, judge
from webui.domain.images import Picture
from webui.processing.back import Back

SMALL: dict[str, Any] = {"steps": 3, "width": 64, "height": 64}
SEEDS = (0, 1)  # of 24 seeds with 15 steps, 24 were as asked
LEFT, RIGHT = "a red circle on the left on a white background", "a blue square on the right on a white background"


def halves() -> str:
    """A mask with the first region on the left and the second on the right."""
    mask = Image.new("RGB", (128, 128), (128, 64, 64))
    mask.paste((64, 128, 128), (64, 0, 128, 128))
    return Picture.of(mask).to_base64()


def is_as_asked(seen: Verdict) -> bool:
    if len(seen.objects) != 2:
        return False
    left, right = sorted(seen.objects, key=lambda one: one.x)
    return (left.colour, left.shape, right.colour, right.shape) == ("red", "circle", "blue", "square")


@pytest.mark.parametrize(
    ("between", "options"),
    [(" BREAK ", {"mode": "Mask", "mask": halves()}), ("\n", {"mode": "Lines"})],
    ids=["masks", "lines"],
)
def test_each_side_shows_what_its_text_says(back: Back, between: str, options: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"steps": 8, "extensions": {"regions": options}}
    seen = [judge(paint(back, f"{LEFT}{between}{RIGHT}", seed=seed, **asked)) for seed in SEEDS]
    assert all(map(is_as_asked, seen))


def test_without_regions_it_does_not(back: Back) -> None:
    assert not is_as_asked(judge(paint(back, f"{LEFT} BREAK {RIGHT}", steps=8)))


@pytest.mark.parametrize(
    "options",
    [{"ratios": "1,2"}, {"ratios": "1,2", "calculation": "Latent"}, {"mode": "Prompt", "threshold": "0.1"}],
    ids=["attention", "latent", "words"],
)
def test_regions_of_one_text_are_the_picture_without_regions(back: Back, options: dict[str, Any]) -> None:
    plain = pixels(paint(back, LEFT, **SMALL))
    made = pixels(paint(back, f"{LEFT} BREAK {LEFT}", extensions={"regions": options}, **SMALL))
    assert np.abs(made - plain).max() <= 1


def test_a_prompt_without_regions_is_made_as_without_and_tells_nothing(back: Back) -> None:
    made = run(back, LEFT, extensions={"regions": {}}, **SMALL).images[0]
    assert (pixels(made.image) == pixels(paint(back, LEFT, **SMALL))).all()
    assert "RP " not in made.infotext


def test_a_word_that_the_base_does_not_have_is_told(back: Back) -> None:
    made = run(back, "a circle BREAK a red hat, hat", extensions={"regions": {"mode": "Prompt"}}, **SMALL)
    assert ["'hat' does not stand in the base" in notice.text for notice in made.notices] == [True]


def test_words_change_the_parts_of_the_picture_that_show_them(back: Back) -> None:
    prompt = "a circle on a white background"
    plain = pixels(paint(back, f"{prompt} BREAK {prompt}, circle", extensions={"regions": {"mode": "Prompt"}}, steps=8))
    other = pixels(
        paint(back, f"{prompt} BREAK a red circle, circle", extensions={"regions": {"mode": "Prompt"}}, steps=8)
    )
    assert np.abs(other - plain).mean() > 1
