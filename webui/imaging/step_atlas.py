"""Many small pictures in one file: those of the steps of a run."""

import io
from collections.abc import Sequence

from PIL import Image

WIDEST = 4096  # pixels
BIGGEST = 256  # pixels a side of one picture


def atlas(strips: Sequence[bytes], rows: int, *, quality: int | None = None) -> bytes:
    """A WebP file of the pictures in strips, where each strip has `rows` pictures beside each other.

    The pictures of a strip stand in one column, those of the next strip in the next column; where the file would be
    wider than `WIDEST`, further bands of rows follow below. All have the size of the largest; a smaller one is enlarged
    cell by cell.

    Args:
        quality: 1 to 100 for lossy compression; None: nothing is lost.
    """
    opened = [Image.open(io.BytesIO(strip)).convert("RGB") for strip in strips]
    width = min(BIGGEST, max(one.width // rows for one in opened))
    height = min(BIGGEST, max(one.height for one in opened))
    columns = min(len(opened), max(1, WIDEST // width))
    bands = -(-len(opened) // columns)
    whole = Image.new("RGB", (columns * width, bands * rows * height))
    for place, strip in enumerate(opened):
        band, column = divmod(place, columns)
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
