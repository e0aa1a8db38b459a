"""Brings pictures and masks to an exact size."""

from collections.abc import Callable
from typing import Literal

from PIL import Image

LANCZOS = Image.Resampling.LANCZOS
FitMode = Literal["resize", "crop", "fill"]
Grow = Callable[[Image.Image, int, int], Image.Image]  # (picture, width, height) -> the picture at that size


def fitted(picture: Image.Image, mode: FitMode, width: int, height: int, grow: Grow | None = None) -> Image.Image:
    """The picture, RGB or L, at exactly width x height.

    Args:
        grow: brings a picture that is too small to a size; None: Lanczos does.
        mode: `resize` stretches it; `crop` covers the size and cuts off what lies beyond it, the same on both sides;
            `fill` puts all of it in the middle and stretches its border rows or columns over the rest.
    """
    if grow is not None and max(width / picture.width, height / picture.height) > 1:
        picture = grow(picture, *_cover(picture, mode, width, height))
    if mode == "crop":
        return _cropped(picture, width, height)
    if mode == "fill":
        return _filled(picture, width, height)
    return picture if picture.size == (width, height) else picture.resize((width, height), LANCZOS)


def _cover(picture: Image.Image, mode: FitMode, width: int, height: int) -> tuple[int, int]:
    """The size at which the whole picture is needed before it is cut or its border is stretched."""
    if mode == "resize":
        return width, height
    is_wide = width / height > picture.width / picture.height
    if is_wide == (mode == "crop"):
        return width, max(1, picture.height * width // picture.width)
    return max(1, picture.width * height // picture.height), height


def _cropped(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Resize only the part that is kept: a long strip that covers the size would be too large to hold."""
    is_wide = width / height > picture.width / picture.height
    cover_width = width if is_wide else picture.width * height // picture.height
    cover_height = picture.height * width // picture.width if is_wide else height
    left, top = cover_width // 2 - width // 2, cover_height // 2 - height // 2
    x, y = picture.width / cover_width, picture.height / cover_height
    box = (left * x, top * y, min((left + width) * x, picture.width), min((top + height) * y, picture.height))
    return picture.resize((width, height), LANCZOS, box)


def _filled(picture: Image.Image, width: int, height: int) -> Image.Image:
    is_wide = width / height < picture.width / picture.height
    fit_width = width if is_wide else max(1, picture.width * height // picture.height)
    fit_height = max(1, picture.height * width // picture.width) if is_wide else height
    whole = picture.resize((fit_width, fit_height), LANCZOS)
    left, top = width // 2 - fit_width // 2, height // 2 - fit_height // 2
    canvas = Image.new(picture.mode, (width, height))
    canvas.paste(whole, (left, top))
    # a box without area takes the colours of its edge, as the filter continues them
    if top > 0:
        canvas.paste(whole.resize((width, top), box=(0, 0, width, 0)), (0, 0))
        canvas.paste(whole.resize((width, top), box=(0, fit_height, width, fit_height)), (0, top + fit_height))
    if left > 0:
        canvas.paste(whole.resize((left, height), box=(0, 0, 0, height)), (0, 0))
        canvas.paste(whole.resize((left, height), box=(fit_width, 0, fit_width, height)), (left + fit_width, 0))
    return canvas
