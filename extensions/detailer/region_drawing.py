"""The picture that shows what a detector found: boxes, masks and words over the picture."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from .region_masks import RegionMask

COLOURS = ((255, 80, 60), (60, 160, 255), (70, 200, 90), (250, 190, 40), (200, 90, 230))
COVER = 0.35  # how much of a mask's colour lies over the picture


def drawn_regions(image: Image.Image, masks: Sequence[RegionMask], title: str) -> Image.Image:
    """A copy of the picture with the regions in it, numbered in the order in which they are repainted."""
    made = image.convert("RGB").copy()
    for number, one in enumerate(masks):
        colour = Image.new("RGB", made.size, COLOURS[number % len(COLOURS)])
        made.paste(colour, mask=one.mask.point(lambda value: round(value * COVER)))
    pen = ImageDraw.Draw(made)
    for number, one in enumerate(masks):
        left, top, right, bottom = one.box
        colours = COLOURS[number % len(COLOURS)]
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colours, width=2)
        _write(pen, (left + 3, top + 2), f"{number + 1} {one.label} {one.score:.2f}")
    _write(pen, (3, made.height - 14), title if masks else f"{title}: nothing found")
    return made


def _write(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str) -> None:
    pen.text(place, text, fill="white", stroke_width=1, stroke_fill="black")
