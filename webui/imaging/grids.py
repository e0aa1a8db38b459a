"""Several pictures side by side in one, as A1111 lays them out. When one is made is decided elsewhere."""

import math
from collections.abc import Sequence

from PIL import Image


def row_count(pictures: int, *, rows: int = -1, batch_size: int = 1, without_gaps: bool = False) -> int:
    """How many rows a grid of so many pictures has.

    Args:
        rows: as many; 0: as many as a batch has pictures; -1: about the square root of their number.
        without_gaps: with -1, the largest divisor of their number that is not above its square root.
    """
    if rows > 0:
        wanted = rows
    elif rows == 0:
        wanted = batch_size
    elif without_gaps:
        wanted = next(count for count in range(math.isqrt(pictures), 0, -1) if pictures % count == 0)
    else:
        wanted = round(math.sqrt(pictures))
    return max(1, min(wanted, pictures))


def grid_of(pictures: Sequence[Image.Image], rows: int, background: str = "#ffffff") -> Image.Image:
    """An RGB picture of them row by row, each in the middle of a cell of the largest width and height.

    Args:
        pictures: at least one.
        background: colour of what no picture covers, `#rrggbb`.
    """
    columns = math.ceil(len(pictures) / rows)
    width, height = max(one.width for one in pictures), max(one.height for one in pictures)
    grid = Image.new("RGB", (columns * width, rows * height), background)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        beside, above = (width - picture.width) // 2, (height - picture.height) // 2
        grid.paste(picture, (column * width + beside, row * height + above))
    return grid
