"""A plot as one picture, made strip by strip from top to bottom; `with_legend` lays out the same in memory.

Only a row of cells is in memory at a time, so the picture may be of any size.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageDraw

from webui.imaging.legend import Block, Words, block_of, write_block

Find = Callable[[int, int, int], Image.Image]  # the picture at a place


@dataclass(frozen=True)
class SheetStrips:
    """Columns along x, rows along y, a grid for each z beside the one before it.

    Attributes:
        above, beside, over: labels along x, y and z.
        cell: width and height of a cell; a smaller picture stands in its middle.
        margin: pixels between two cells of a grid; only with a legend.
        background: colour `#rrggbb` of everything that is not a picture.
    """

    above: Sequence[str]
    beside: Sequence[str]
    over: Sequence[str]
    cell: tuple[int, int]
    legend: bool = True
    margin: int = 0
    background: str = "#ffffff"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole."""
        width, height = self._grid
        return width * len(self.over), height + self._head

    def strips(self, find: Find) -> Iterator[Image.Image]:
        """RGB pictures of the whole's width, which stand below one another; each row asks for its pictures once."""
        if self._head:
            yield self._over_strip()
        if self._top:
            yield self._above_strip()
        width, height = self.cell
        for row in range(len(self.beside)):
            if row and self._gap:
                yield self._empty(self._gap)
            strip = self._empty(height)
            for z in range(len(self.over)):
                start = z * self._grid[0] + self._side
                for column in range(len(self.above)):
                    picture = find(column, row, z)
                    left = start + column * (width + self._gap) + (width - picture.width) // 2
                    strip.paste(picture, (left, (height - picture.height) // 2))
                if self.legend:
                    block = self._sides[row]
                    middle = z * self._grid[0] + self._side / 2
                    write_block(ImageDraw.Draw(strip), middle, height / 2 - block.ink / 2, block, self._font)
            yield strip

    @property
    def _gap(self) -> int:
        return self.margin if self.legend else 0

    @property
    def _font(self) -> int:
        return sum(self.cell) // 25

    @property
    def _side(self) -> int:
        return self.cell[0] * 3 // 4 if self.legend and any(self.beside) else 0

    @cached_property
    def _tops(self) -> list[Block]:
        return _blocks(self.above, self._font, self.cell[0])

    @cached_property
    def _sides(self) -> list[Block]:
        return _blocks(self.beside, self._font, self._side)

    @cached_property
    def _overs(self) -> list[Block]:
        return _blocks(self.over, sum(self._grid) // 25, self._grid[0])

    @property
    def _top(self) -> int:
        return _room(self._tops, self._font) if self.legend else 0

    @property
    def _head(self) -> int:
        return _room(self._overs, sum(self._grid) // 25) if self.legend else 0

    @property
    def _grid(self) -> tuple[int, int]:
        """Width and height of the grid of one z, with its labels."""
        columns, rows = len(self.above), len(self.beside)
        width = self._side + columns * self.cell[0] + self._gap * (columns - 1)
        return width, self._top + rows * self.cell[1] + self._gap * (rows - 1)

    def _empty(self, height: int) -> Image.Image:
        return Image.new("RGB", (self.size[0], height), self.background)

    def _over_strip(self) -> Image.Image:
        strip = self._empty(self._head)
        drawing, font = ImageDraw.Draw(strip), sum(self._grid) // 25
        for z, block in enumerate(self._overs):
            middle = (z + 0.5) * self._grid[0]
            write_block(drawing, middle, self._head / 2 - block.height / 2, block, font)
        return strip

    def _above_strip(self) -> Image.Image:
        strip = self._empty(self._top)
        drawing = ImageDraw.Draw(strip)
        for z in range(len(self.over)):
            for column, block in enumerate(self._tops):
                left = z * self._grid[0] + self._side + column * (self.cell[0] + self._gap)
                middle = left + self.cell[0] / 2
                write_block(drawing, middle, self._top / 2 - block.height / 2, block, self._font)
        return strip


def _blocks(labels: Sequence[str], size: int, room: int) -> list[Block]:
    drawing = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    return [block_of(drawing, [Words(label)], size, room, size // 2) for label in labels]


def _room(blocks: Sequence[Block], size: int) -> int:
    """Pixels above columns; none where no column has a text."""
    heights = [block.height for block in blocks]
    return max(heights) + 2 * (size // 2) if sum(heights) else 0
