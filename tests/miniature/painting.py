"""Asks the miniature for pictures and judges them."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tests.processing.reporters import Silent
from tools.train_mini.drawing import draw
from tools.train_mini.judge import Verdict, judge
from tools.train_mini.scenes import Background, Scene, Thing
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.processing.back import Back

SEEDS = 4


def run(back: Back, prompt: str, **changes: object) -> GenerationResult:
    """What the miniature makes of a prompt. The same request is made once for all tests."""
    return _made(back, _request(prompt, changes).model_dump_json())


def paint_anew(back: Back, prompt: str, **changes: object) -> Image.Image:
    """A picture that is made now, even where the same request was made before."""
    return back.run(_request(prompt, changes), Silent()).images[0].image


def _request(prompt: str, changes: dict[str, object]) -> GenerationRequest:
    base = GenerationRequest(
        prompt=prompt,
        checkpoint="mini",
        sampler="DPM++ 2M",
        scheduler="Karras",
        steps=10,
        cfg_scale=5.0,
        seed=1,
        width=128,
        height=128,
    )
    return base.with_(**changes)


@functools.cache
def _made(back: Back, request: str) -> GenerationResult:
    return back.run(GenerationRequest.model_validate_json(request), Silent())


def paint(back: Back, prompt: str, **changes: object) -> Image.Image:
    return run(back, prompt, **changes).images[0].image


def paint_each(back: Back, prompt: str, count: int = SEEDS, /, **changes: object) -> list[Image.Image]:
    """Pictures of the first seeds, in one batch: they are those of single requests, in 3/5 of the time."""
    made = run(back, prompt, **{"seed": 0, **changes, "batch_size": count}).images
    assert [image.index for image in made] == list(range(count))
    return [image.image for image in made]


def look(back: Back, prompt: str, **changes: object) -> list[Verdict]:
    return [judge(picture) for picture in paint_each(back, prompt, **changes)]


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def drawn(*things: Thing, background: str = "blue") -> Image.Image:
    """A picture from the hand that drew the training set."""
    return draw(Scene(things, Background(background)))


def share(verdicts: Sequence[Verdict], *, shape: str = "", colour: str = "") -> float:
    """Of the pictures, how many show a first object like this."""
    return float(
        np.mean(
            [
                bool(seen.objects)
                and seen.objects[0].shape in (shape, shape or seen.objects[0].shape)
                and seen.objects[0].colour in (colour, colour or seen.objects[0].colour)
                for seen in verdicts
            ]
        )
    )
