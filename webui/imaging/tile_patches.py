"""Parts of a picture that are painted anew one after another: its tiles, and the seams between them.

The shapes of the masks are those of Ultimate SD upscale.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageOps

from webui.imaging.masks import Box, blurred, painted_box, with_aspect

SMOOTH = Image.Resampling.BICUBIC
_SIDE = 256  # pixels of Pillow's gradients
_REACH = 2.5  # a blur reaches so many standard deviations


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a picture.

    Attributes:
        place: its left and top in the picture; it may reach over the picture's edge.
        mask: L, as large as the part; white is painted.
    """

    place: tuple[int, int]
    mask: Image.Image

    def within(self, window: Box) -> Image.Image:
        """The mask (L) for a window of the picture, black beside the part."""
        left, top, right, bottom = window
        whole = Image.new("L", (right - left, bottom - top))
        whole.paste(self.mask, (self.place[0] - left, self.place[1] - top))
        return whole


@dataclass(frozen=True, slots=True)
class Board:
    """How a picture is cut into tiles, all of one size; those at the right and the bottom may reach over the edge.

    Attributes:
        size: width and height of the picture in pixels.
        tile: width and height of a tile.
    """

    size: tuple[int, int]
    tile: tuple[int, int]

    @property
    def columns(self) -> int:
        return -(-self.size[0] // self.tile[0])

    @property
    def rows(self) -> int:
        return -(-self.size[1] // self.tile[1])

    def tiles(self, *, chess: bool = False) -> Iterator[Patch]:
        """The tiles row by row; with `chess` the fields of one colour first, then the others.

        A tile is one pixel longer on both axes than its distance to the next.
        """
        wide, high = self.tile
        mask = Image.new("L", (wide + 1, high + 1), 255)
        fields = [(column, row) for row in range(self.rows) for column in range(self.columns)]
        if chess:
            fields.sort(key=lambda field: sum(field) % 2)
        for column, row in fields:
            yield Patch((column * wide, row * high), mask)

    def bands(self, width: int) -> Iterator[Patch]:
        """Strips along the whole of each seam, the upright ones first, that fade to both sides."""
        half = width // 2
        tent = _tent((_SIDE, _SIDE))
        upright = tent.rotate(90).resize((width, self.size[1]), SMOOTH)
        for column in range(1, self.columns):
            yield Patch((column * self.tile[0] - half, 0), upright)
        level = tent.resize((self.size[0], width), SMOOTH)
        for row in range(1, self.rows):
            yield Patch((0, row * self.tile[1] - half), level)

    def half_tiles(self) -> Iterator[Patch]:
        """Tiles across each seam, those that lie on level seams first, that fade to both sides of it."""
        wide, high = self.tile
        level = _tent(self.tile)
        for row in range(self.rows - 1):
            for column in range(self.columns):
                yield Patch((column * wide, row * high + high // 2), level)
        upright = _upright_tent(self.tile)
        for row in range(self.rows):
            for column in range(self.columns - 1):
                yield Patch((column * wide + wide // 2, row * high), upright)

    def corners(self) -> Iterator[Patch]:
        """Tiles around each point where four tiles meet, that fade to all sides."""
        wide, high = self.tile
        cone = ImageOps.invert(Image.radial_gradient("L").resize(self.tile, SMOOTH))
        for row in range(self.rows - 1):
            for column in range(self.columns - 1):
                yield Patch((column * wide + wide // 2, row * high + high // 2), cone)


def window_of(patch: Patch, blur: int, padding: int, run: tuple[int, int], size: tuple[int, int]) -> Box:
    """The window of a picture that is enough to paint a patch by inpainting "only masked": within it all is as it would
    be in the whole picture.

    Args:
        blur: standard deviation in pixels by which the mask is blurred.
        padding: pixels around the mask.
        run: width and height at which the part is painted.
        size: width and height of the picture.
    """
    reach = int(_REACH * blur + 0.5)
    left, top = patch.place
    part = (left, top, left + patch.mask.width, top + patch.mask.height)
    near = _grown(part, 2 * reach + padding, size)
    found = painted_box(blurred(patch.within(near), blur, blur), padding)
    if found is None:
        return near
    box = with_aspect(_shifted(found, near[:2]), run, size)
    kept = _grown(part, reach + 1, size)  # a blur mirrors what lies at the edge
    return min(box[0], kept[0]), min(box[1], kept[1]), max(box[2], kept[2]), max(box[3], kept[3])


def _grown(box: Box, pixels: int, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return (
        max(0, left - pixels),
        max(0, top - pixels),
        min(size[0], right + pixels),
        min(size[1], bottom + pixels),
    )


def _shifted(box: Box, by: tuple[int, int]) -> Box:
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]


def _tent(size: tuple[int, int]) -> Image.Image:
    """Black at the upper and the lower edge, white in between (L)."""
    wide, high = size
    rising = Image.linear_gradient("L")
    mask = Image.new("L", size)
    mask.paste(rising.resize((wide, high // 2), SMOOTH), (0, 0))
    mask.paste(rising.rotate(180).resize((wide, high // 2), SMOOTH), (0, high // 2))
    return mask


def _upright_tent(size: tuple[int, int]) -> Image.Image:
    """Black at the left and the right edge, white in between (L)."""
    return _tent((size[1], size[0])).rotate(90, expand=True)
