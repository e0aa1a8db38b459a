"""The example of the tab Train is the data set of which `tools.train_mini.new_shape` judges what was learned."""

import pytest

from extensions.trainer import data_set_example
from tools.train_mini.judge import judge
from tools.train_mini.new_shape import PICTURES, SETTINGS, example
from tools.train_mini.scenes import NEW_SHAPE


def test_the_page_offers_the_pictures_and_captions_that_are_drawn_here() -> None:
    """Written anew by `python -m tools.train_mini.new_shape --write-example` where the drawing has changed."""
    shipped, made = [*data_set_example.drawn()], [*example()]
    assert [words for _, words in shipped] == [words for _, words in made]
    for (one, words), (other, _) in zip(shipped, made, strict=True):
        assert one.tobytes() == other.tobytes(), words
    assert len(made) == PICTURES


def test_the_judge_takes_the_shapes_of_the_example_for_what_they_are_called() -> None:
    for picture, words in data_set_example.drawn():
        found = judge(picture).objects
        assert {one.shape for one in found} == {NEW_SHAPE}, words


@pytest.mark.parametrize("name", ["steps", "rank", "learning_rate", "batch_size", "resolution", "seed"])
def test_both_train_alike(name: str) -> None:
    assert SETTINGS[name] == data_set_example.suggested(["mini.safetensors"])[name]
