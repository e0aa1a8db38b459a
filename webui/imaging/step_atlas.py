"""Many small pictures in one file: those of the steps of a run."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

WIDEST = 4096  # pixels
BIGGEST = 256  # pixels a side of one picture


@dataclass(frozen=True, slots=True)
class AtlasLayout:
    """Size of one picture, in pixels, and how many stand beside each other."""

    width: int
    height: int
    columns: int


def layout(strips: Sequence[bytes], rows: int) -> AtlasLayout:
    """How `atlas` lays the strips out."""
    sizes = [Image.open(io.BytesIO(strip)).size for strip in strips]
    width = min(BIGGEST, max(wide // rows for wide, _ in sizes))
    height = min(BIGGEST, max(high for _, high in sizes))
    return AtlasLayout(width, height, min(len(sizes), max(1, WIDEST // width)))


def atlas(strips: Sequence[bytes], rows: int, *, quality: int | None = None) -> bytes:
    """A WebP file of the pictures in strips, where each strip has `rows` pictures beside each other.

    The pictures of a strip stand in one column, those of the next strip in the next column; where the file would be
    wider than `WIDEST`, further bands of rows follow below. All have the size of the largest; a smaller one is enlarged
    cell by cell.

    Args:
        quality: 1 to 100 for lossy compression; None: nothing is lost.
    """
    laid = layout(strips, rows)
    width, height = laid.width, laid.height
    bands = -(-len(strips) // laid.columns)
    whole = Image.new("RGB", (laid.columns * width, bands * rows * height))
    for place, data in enumerate(strips):
        strip = Image.open(io.BytesIO(data)).convert("RGB")
        band, column = divmod(place, laid.columns)
        side = strip.width // rows
        for row in range(rows):
            one = strip.crop((row * side, 0, (row + 1) * side, strip.height))
            if one.size != (width, height):
                one = one.resize((width, height), Image.Resampling.NEAREST)
            whole.paste(one, (column * width, (band * rows + row) * height))
    kept = io.BytesIO()
    if quality is None:
        whole.save(kept, "WEBP", lossless=True)
    else:
        whole.save(kept, "WEBP", quality=quality)
    return kept.getvalue()
