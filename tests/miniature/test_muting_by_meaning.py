"""A word that is muted takes away what it says and nothing else, on pictures of the miniature."""

import pytest

from tests.miniature.word_attention import Keeping
from tools.train_mini.judge import Found, judge
from webui.domain.request import GenerationRequest
from webui.processing.back import Back

PROMPT = "a red circle in the top left corner, blue background"
RED = 2  # its place in the context
SEEDS = (0, 1)


def drawn(back: Back, seed: int, muted: dict[str, list[object]]) -> Found:
    """The circle of a picture of which these are muted."""
    request = GenerationRequest(
        prompt=PROMPT, checkpoint="mini", sampler="DPM++ 2M", scheduler="Karras", steps=10, cfg_scale=5.0, seed=seed,
        width=128, height=128, extensions={"run_recorder": {"muted": muted}},
    )  # fmt: skip
    [circle] = [one for one in judge(back.run(request, Keeping()).images[0].image).objects if one.shape == "circle"]
    return circle


@pytest.mark.parametrize("seed", SEEDS)
def test_muting_red_changes_the_colour_and_not_the_place(back: Back, seed: int) -> None:
    plain, muted = drawn(back, seed, {}), drawn(back, seed, {"words": ["red"]})
    assert plain.colour == "red"
    assert muted.colour != "red"
    assert abs(muted.x - plain.x) <= 4
    assert abs(muted.y - plain.y) <= 4


def test_a_word_that_cross_attention_does_not_hear_is_told_by_those_that_have_read_it(back: Back) -> None:
    assert drawn(back, SEEDS[0], {"tokens": [RED]}).colour == "red"
