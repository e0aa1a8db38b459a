"""The map of a word lies on what the word names, on pictures of the miniature."""

import pytest

from tests.miniature.word_attention import attended
from webui.processing.back import Back

SEEDS = (0, 1)  # of 24 pictures with both objects, all had the circle's attention on the circle


@pytest.mark.parametrize("seed", SEEDS)
def test_the_maps_of_circle_and_square_lie_on_what_they_name(back: Back, seed: int) -> None:
    found = attended(back, seed, steps=12)
    assert found is not None
    assert found.circle >= 2
    assert found.square >= 2
