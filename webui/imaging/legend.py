"""Words around a grid of pictures, laid out as A1111 lays out the legends of its grids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = Path(__file__).with_name("fonts") / "roboto.ttf"
BACKGROUND, ACTIVE, INACTIVE = "#ffffff", "#000000", "#999999"
STROKE = 4  # pixels of the line through words that do not hold


@dataclass(frozen=True, slots=True)
class Words:
    """One text of a legend; where it does not hold for its row or column it is grey and struck through."""

    text: str = ""
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it will be written.

    Attributes:
        room: pixels that it may be wide.
    """

    text: str
    holds: bool
    width: int
    height: int
    room: int


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one row or column, with `gap` pixels between two."""

    lines: tuple[Line, ...]
    gap: int

    @property
    def height(self) -> int:
        return sum(line.height + self.gap for line in self.lines) - self.gap

    @property
    def ink(self) -> int:
        """The height of the lines alone, as rows count it."""
        return sum(line.height for line in self.lines)


def with_legend(
    grid: Image.Image,
    cell: tuple[int, int],
    above: Sequence[Sequence[Words]],
    beside: Sequence[Sequence[Words]],
    *,
    margin: int = 0,
    background: str = BACKGROUND,
) -> Image.Image:
    """The grid with texts above its columns and at the left of its rows, and its cells moved apart.

    Space is made above only where some column has a text, at the left only where some row has one.

    Args:
        grid: cells of `cell` (width, height) pixels without space between them.
        above, beside: texts for each column and for each row; several texts stand below one another.
        margin: pixels between two cells.
        background: colour `#rrggbb` of everything that is not a cell.
    """
    width, height = cell
    columns, rows = grid.width // width, grid.height // height
    size = (width + height) // 25
    gap = size // 2
    side = width * 3 // 4 if any(words.text for row in beside for words in row) else 0
    drawing = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    tops = [block_of(drawing, column, size, width, gap) for column in above]
    sides = [block_of(drawing, row, size, side, gap) for row in beside]
    heights = [block.height for block in tops]
    top = max(heights) + 2 * gap if sum(heights) else 0
    result = Image.new(
        "RGB", (grid.width + side + margin * (columns - 1), grid.height + top + margin * (rows - 1)), background
    )
    for row in range(rows):
        for column in range(columns):
            part = grid.crop((column * width, row * height, (column + 1) * width, (row + 1) * height))
            result.paste(part, (side + (width + margin) * column, top + (height + margin) * row))
    drawing = ImageDraw.Draw(result)
    for column, block in enumerate(tops):
        middle = side + (width + margin) * column + width / 2
        write_block(drawing, middle, top / 2 - block.height / 2, block, size)
    for row, block in enumerate(sides):
        middle = top + (height + margin) * row + height / 2
        write_block(drawing, side / 2, middle - block.ink / 2, block, size)
    return result


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, max(1, size))


def block_of(drawing: ImageDraw.ImageDraw, texts: Sequence[Words], size: int, room: int, gap: int) -> Block:
    """The lines of texts in a font of `size` pixels, wrapped to `room` pixels."""
    font = _font(size)
    return Block(
        tuple(
            _measured(drawing, font, line, words.holds, room)
            for words in texts
            for line in wrapped(drawing, words.text, font, room)
        ),
        gap,
    )


def wrapped(drawing: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, room: int) -> Iterator[str]:
    """The text in lines of at most `room` pixels, broken between words; a longer word has a line of its own."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if drawing.textlength(longer, font=font) <= room:
            line = longer
        else:
            yield line
            line = word
    yield line


def _measured(drawing: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, text: str, holds: bool, room: int) -> Line:
    left, top, right, bottom = drawing.multiline_textbbox((0, 0), text, font=font)
    return Line(text, holds, int(right - left), int(bottom - top), room)


def write_block(drawing: ImageDraw.ImageDraw, middle: float, top: float, block: Block, size: int) -> None:
    """Write the lines from `top` down, each in the middle, in a font so small that it fits its room."""
    for line in block.lines:
        fitting = size
        while fitting > 1 and drawing.textlength(line.text, font=_font(fitting)) > line.room:
            fitting -= 1
        place = (middle, top + line.height / 2)
        colour = ACTIVE if line.holds else INACTIVE
        drawing.multiline_text(place, line.text, font=_font(fitting), fill=colour, anchor="mm", align="center")
        if not line.holds:
            across = top + line.height // 2
            ends = (middle - line.width // 2, across, middle + line.width // 2, across)
            drawing.line(ends, fill=INACTIVE, width=STROKE)
        top += line.height + block.gap
