"""The map of a word lies on what the word names, on pictures of the miniature."""

import pytest

from tests.miniature.word_attention import attended
from webui.processing.back import Back

SEEDS = (0, 1)  # of 24 pictures with both objects, all had the circle's attention on the circle


@pytest.mark.parametrize("seed", SEEDS)
def test_the_map_of_circle_lies_on_the_circle(back: Back, seed: int) -> None:
    found = attended(back, seed, steps=8)
    assert found is not None
    assert found.circle >= 2
