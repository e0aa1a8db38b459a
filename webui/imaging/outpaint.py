"""Outpainting: puts a picture on a larger canvas, and makes the mask of the new parts."""

from dataclasses import dataclass

from PIL import Image, ImageDraw

from webui.domain.fields import SIZE_STEP


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels to add on each side."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0


def rounded(margins: Margins, width: int, height: int) -> Margins:
    """The margins made larger until the grown picture's sides are multiples of `SIZE_STEP`.

    Missing pixels are added on a side that grows anyway, or on the right and at the bottom.
    """
    wide = -(width + margins.left + margins.right) % SIZE_STEP
    high = -(height + margins.top + margins.bottom) % SIZE_STEP
    to_left, to_top = bool(margins.left and not margins.right), bool(margins.top and not margins.bottom)
    return Margins(
        margins.left + wide * to_left,
        margins.right + wide * (not to_left),
        margins.top + high * to_top,
        margins.bottom + high * (not to_top),
    )


def grown(picture: Image.Image, margins: Margins, overlap: int) -> tuple[Image.Image, Image.Image]:
    """The picture (RGB) on a larger canvas, its border stretched over the new parts, and their mask (L, white is new).

    Args:
        overlap: pixels by which the mask reaches into the picture, so that a blurred mask hides the seam.
    """
    width, height = picture.size
    size = (width + margins.left + margins.right, height + margins.top + margins.bottom)
    canvas = Image.new("RGB", size)
    canvas.paste(picture, (margins.left, margins.top))
    _stretch(canvas, margins, width, height)
    mask = Image.new("L", size, 255)
    inner = (
        margins.left + overlap * bool(margins.left),
        margins.top + overlap * bool(margins.top),
        margins.left + width - overlap * bool(margins.right) - 1,
        margins.top + height - overlap * bool(margins.bottom) - 1,
    )
    if inner[0] <= inner[2] and inner[1] <= inner[3]:
        ImageDraw.Draw(mask).rectangle(inner, fill=0)
    return canvas, mask


def _stretch(canvas: Image.Image, margins: Margins, width: int, height: int) -> None:
    """Stretch border columns over the sides, then border rows (now as wide as the canvas) over top and bottom."""
    rows = (margins.top, margins.top + height)
    for at, span, edge in (
        (0, margins.left, margins.left),
        (margins.left + width, margins.right, margins.left + width - 1),
    ):
        if span:
            strip = canvas.crop((edge, rows[0], edge + 1, rows[1]))
            canvas.paste(strip.resize((span, height)), (at, rows[0]))
    for at, span, edge in (
        (0, margins.top, margins.top),
        (rows[1], margins.bottom, rows[1] - 1),
    ):
        if span:
            strip = canvas.crop((0, edge, canvas.width, edge + 1))
            canvas.paste(strip.resize((canvas.width, span)), (0, at))
