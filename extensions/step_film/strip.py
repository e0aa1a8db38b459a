"""Draws a film: three rows of small pictures, and under them the curve of the noise levels."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from .frames import Frame

ROWS = ("noisy", "noise", "clean")
_LEFT, _TOP, _GAP, _CURVE = 56, 24, 4, 96  # pixels
_PAPER, _INK, _LINE, _GRID = (255, 255, 255), (24, 24, 24), (190, 50, 60), (225, 225, 225)


def strip(frames: Sequence[Frame], levels: Sequence[float], title: str) -> Image.Image:
    """The film of one run.

    Args:
        frames: the frames to draw, one or more, of equal sizes.
        levels: noise levels (or timesteps) of all steps, the last one's end included.
    """
    width, height = frames[0].pictures[0].size
    wide, tall = _LEFT + len(frames) * (width + _GAP), _TOP + len(ROWS) * (height + _GAP)
    picture = Image.new("RGB", (wide, tall + 20 + _CURVE), _PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    pen.text((6, 5), title, _INK, font)
    for row, name in enumerate(ROWS):
        pen.text((6, _TOP + row * (height + _GAP) + height // 2 - 6), name, _INK, font)
    for column, frame in enumerate(frames):
        left = _LEFT + column * (width + _GAP)
        for row, one in enumerate(frame.pictures):
            picture.paste(one, (left, _TOP + row * (height + _GAP)))
        if font.getlength(label := f"{frame.index + 1}: {frame.level:.3g}") <= width:
            pen.text((left, tall), label, _INK, font)
    _curve(pen, levels, (_LEFT, tall + 22, wide - 8, tall + 12 + _CURVE), font)
    return picture


def _curve(
    pen: ImageDraw.ImageDraw,
    levels: Sequence[float],
    box: tuple[int, int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Logarithms of the levels over the steps; levels of 0 end the line at the bottom."""
    left, top, right, bottom = box
    pen.rectangle(box, None, _GRID)
    known = [math.log10(level) for level in levels if level > 0]
    if not known:
        return
    low, high = min(known), max(known)
    points = [
        (
            left + (right - left) * at / max(1, len(levels) - 1),
            bottom - (bottom - top) * ((math.log10(level) - low) / ((high - low) or 1) if level > 0 else 0),
        )
        for at, level in enumerate(levels)
    ]
    pen.line(points, _LINE, 2)
    for x, y in points:
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), _LINE)
    pen.text((4, top - 2), f"{10**high:.3g}", _INK, font)
    pen.text((4, bottom - 12), f"{10**low:.3g}", _INK, font)
