"""Pictures as prompts, asked of the miniature: without a word, what is drawn is what a picture shows."""

import pytest

from tests.miniature.painting import drawn, run
from tools.train_mini.judge import judge
from tools.train_mini.scenes import Background, Scene, Thing, held_out
from webui.domain.images import Picture
from webui.processing.back import Back

SHOWN = (("star", "yellow", "grey"), ("circle", "green", "white"), ("cross", "pink", "blue"))  # never seen in training


@pytest.mark.parametrize(("shape", "colour", "background"), SHOWN)
def test_a_picture_stands_for_its_words(back: Back, shape: str, colour: str, background: str) -> None:
    thing = Thing(shape, colour, 64.0, 64.0, 31.0)
    assert held_out(Scene((thing,), Background(background)))
    unit = {"image": Picture.of(drawn(thing, background=background)).to_base64(), "model": "mini-ip-adapter"}
    made = run(back, "", steps=8, batch_size=2, extensions={"ip_adapter": {"units": [unit]}})
    for seen in (judge(one.image) for one in made.images):
        assert (seen.objects[0].shape, seen.objects[0].colour, seen.background) == (shape, colour, background)
