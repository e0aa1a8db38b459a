"""Cells that were not made: what stands in their place, and what is said of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from webui.domain.errors import WebuiError
from webui.domain.result import GeneratedImage, GenerationResult, Notice
from webui.experiments.course import Made

GROUND, CROSS = "#e6e6e6", "#b04040"


def gap(size: tuple[int, int]) -> Image.Image:
    """A grey picture with a cross, so that nobody takes it for one that was made."""
    width, height = size
    picture = Image.new("RGB", size, GROUND)
    drawing = ImageDraw.Draw(picture)
    drawing.line((0, 0, width - 1, height - 1), fill=CROSS, width=2)
    drawing.line((0, height - 1, width - 1, 0), fill=CROSS, width=2)
    return picture


def filled_in(pictures: Sequence[Image.Image | None]) -> list[Image.Image]:
    """The pictures with a gap, as large as the first that is there, in place of each that is not.

    Raises:
        ValueError: there is none.
    """
    size = next((one.size for one in pictures if one is not None), None)
    if size is None:
        raise ValueError("there is no picture to take the size of a gap from")
    return [gap(size) if one is None else one for one in pictures]


def failures(title: str, made: Sequence[Made], names: Sequence[str] = ()) -> tuple[Notice, ...]:
    """What went wrong in cells, which have `names` or else are counted; and what the results say themselves."""
    said = [
        Notice(title, f"{names[index] if names else f'picture {index + 1}'}: {one.error}")
        for index, one in enumerate(made)
        if one.error
    ]
    own = [notice for one in made if one.result is not None for notice in one.result.notices]
    return tuple(dict.fromkeys((*said, *own)))


@dataclass(frozen=True, slots=True)
class Representative:
    """The first cell that was made; it stands for what is the same in all."""

    result: GenerationResult
    image: GeneratedImage


def representative(made: Sequence[Made]) -> Representative:
    """Raises WebuiError where no cell was made."""
    for one in made:
        if one.result is not None and one.images:
            return Representative(one.result, one.images[0])
    raise WebuiError(next((one.error for one in made if one.error), "no picture was made"))
