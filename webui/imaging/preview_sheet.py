"""Several previews in one, for a job of which several pictures are made at the same time."""

import io
import math
from collections.abc import Sequence

from PIL import Image

from webui.imaging.grids import grid_of, row_count

SIDE = 768  # pixels; the joined preview is not larger


def joined_previews(previews: Sequence[bytes]) -> bytes:
    """A JPEG of these pictures row by row; the only one of them as it is.

    Args:
        previews: at least one, each a JPEG.
    """
    if len(previews) == 1:
        return previews[0]
    rows = row_count(len(previews))
    most = SIDE // max(rows, math.ceil(len(previews) / rows))
    pictures = []
    for data in previews:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        picture.thumbnail((most, most))
        pictures.append(picture)
    out = io.BytesIO()
    grid_of(pictures, rows, "#000000").save(out, "JPEG", quality=80)
    return out.getvalue()
