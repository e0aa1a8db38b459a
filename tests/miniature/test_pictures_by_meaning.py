"""Pictures as prompts, asked of the miniature: without a word, what is drawn is what a picture shows."""

import numpy as np

from tests.miniature.painting import drawn, run
from tools.train_mini.judge import judge
from tools.train_mini.plain_shapes import combinations
from tools.train_mini.scenes import COLOURS, SHAPES, Thing
from webui.domain.images import Picture
from webui.processing.back import Back

ASKED, RIGHT = 12, 10


def test_a_picture_stands_for_its_words(back: Back) -> None:
    """Of pictures whose combination of shape, colour and background was held out from training."""
    held_out = combinations(test=True).tolist()
    names = tuple(COLOURS)
    wrong = []
    for number in np.linspace(0, len(held_out) - 1, ASKED).round().astype(int):
        shape, colour, background = held_out[number]
        wanted = (SHAPES[shape], names[colour], names[background])
        picture = drawn(Thing(wanted[0], wanted[1], 64.0, 64.0, 31.0), background=wanted[2])
        unit = {"image": Picture.of(picture).to_base64(), "model": "mini-ip-adapter"}
        seen = judge(run(back, "", steps=8, extensions={"ip_adapter": {"units": [unit]}}).images[0].image)
        found = (*((one.shape, one.colour) for one in seen.objects[:1]), seen.background)
        if found != (wanted[:2], wanted[2]):
            wrong.append((wanted, found))
    assert ASKED - len(wrong) >= RIGHT, wrong
