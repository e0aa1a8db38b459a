"""Cuts a picture into tiles that overlap, and joins such tiles again so that each fades into its neighbours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the tiles of a picture stand.

    Attributes:
        size: width and height of the picture in pixels.
        tile: width and height of each tile.
        overlap: pixels over which neighbours fade into one another.
        lefts, tops: where the columns and rows of tiles begin.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    overlap: int
    lefts: tuple[int, ...]
    tops: tuple[int, ...]

    @property
    def boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """The box of each tile, row by row."""
        wide, high = self.tile
        return tuple((left, top, left + wide, top + high) for top in self.tops for left in self.lefts)


def cut(size: tuple[int, int], tile: tuple[int, int], overlap: int) -> Cut:
    """Tiles spread evenly over a picture, the last of a row or column flush with the edge.

    Raises:
        ValueError: the overlap is not smaller than a tile's sides.
    """
    if overlap >= min(tile):
        raise ValueError(f"an overlap of {overlap} pixels leaves nothing of tiles of {tile[0]} x {tile[1]}")
    return Cut(size, tile, overlap, _places(size[0], tile[0], overlap), _places(size[1], tile[1], overlap))


def joined(where: Cut, tiles: Sequence[Image.Image]) -> Image.Image:
    """The picture (RGB) of tiles in the order of `Cut.boxes`: tiles into rows first, then rows into the picture."""
    steps = np.arange(where.overlap) * 255 / max(1, where.overlap)
    ramp = steps.astype(np.uint8)
    across = Image.fromarray(np.tile(ramp[None], (where.tile[1], 1)))
    down = Image.fromarray(np.tile(ramp[:, None], (1, where.size[0])))
    result = Image.new("RGB", where.size)
    columns = len(where.lefts)
    for number, top in enumerate(where.tops):
        row = Image.new("RGB", (where.size[0], where.tile[1]))
        for left, tile in zip(where.lefts, tiles[number * columns : (number + 1) * columns], strict=True):
            _fade_in(row, tile, (left, 0), across, where.overlap)
        _fade_in(result, row, (0, top), down, where.overlap)
    return result


def _places(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    count = max(1, math.ceil((length - overlap) / (tile - overlap)))
    distance = (length - tile) / (count - 1) if count > 1 else 0.0
    return tuple(min(int(number * distance), length - tile) for number in range(count))


def _fade_in(onto: Image.Image, piece: Image.Image, place: tuple[int, int], ramp: Image.Image, overlap: int) -> None:
    """Paste a piece that fades in over its first columns or rows, unless it begins at the picture's edge."""
    x, y = place
    if (x <= 0 and y <= 0) or overlap == 0:
        onto.paste(piece, place)
        return
    wide, high = (overlap, piece.height) if x > 0 else (piece.width, overlap)
    onto.paste(piece.crop((0, 0, wide, high)), place, ramp.crop((0, 0, wide, high)))
    if x > 0:
        onto.paste(piece.crop((overlap, 0, *piece.size)), (x + overlap, y))
    else:
        onto.paste(piece.crop((0, overlap, *piece.size)), (x, y + overlap))
