"""Cuts an aligned face out of a picture, and pastes it back without a seam."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .alignment import SIDE, Matrix, chained, inverse, scale_of, scaling, shift

_MARGIN = 4  # pixels read around a crop, which interpolation needs
_RIM, _FADE = 12, 72  # pixels of the crop: the rim is not pasted, and the next pixels fade in
Box = tuple[int, int, int, int]


def cut(image: Image.Image, matrix: Matrix) -> Image.Image:
    """The aligned crop, RGB, SIDE x SIDE. Beyond the picture its edge is repeated.

    Args:
        image: RGB.
        matrix: from the picture to the crop.
    """
    wide, inside = _boxes(image.size, matrix)
    region = image.crop(inside)
    scale = min(1.0, scale_of(matrix))
    if scale < 1:  # a large face is first made smaller by Lanczos, so that every pixel counts
        region = region.resize(_scaled(region.size, scale, scale), Image.Resampling.LANCZOS)
    across, down = region.width / (inside[2] - inside[0]), region.height / (inside[3] - inside[1])
    before = (math.ceil((inside[0] - wide[0]) * across), math.ceil((inside[1] - wide[1]) * down))
    after = (math.ceil((wide[2] - inside[2]) * across), math.ceil((wide[3] - inside[3]) * down))
    if any(before) or any(after):
        borders = ((before[1], after[1]), (before[0], after[0]), (0, 0))
        region = Image.fromarray(np.pad(np.asarray(region), borders, mode="edge"))
    to_region = chained(shift(-inside[0], -inside[1]), scaling(across, down), shift(*before))
    return _warped(region, chained(inverse(to_region), matrix), (SIDE, SIDE), Image.Resampling.BICUBIC)


def paste(image: Image.Image, face: Image.Image, matrix: Matrix, mask: Image.Image) -> None:
    """Put a crop back where it was cut, faded in by the mask. Changes `image`.

    Args:
        face: RGB, SIDE x SIDE. `mask`: from `soft_mask`. `matrix`: from the picture to the crop.
    """
    _, inside = _boxes(image.size, matrix)
    # The crop is halved until fewer than two of its pixels fall on one of the picture, so that every pixel counts.
    side = SIDE >> max(0, int(math.log2(scale_of(matrix)))) if scale_of(matrix) > 1 else SIDE
    side = max(side, 8)
    to_region = chained(scaling(SIDE / side, SIDE / side), inverse(matrix), shift(-inside[0], -inside[1]))
    size = (inside[2] - inside[0], inside[3] - inside[1])
    pixels = _warped(_halved(face, side), to_region, size, Image.Resampling.BICUBIC)
    share = _warped(_halved(mask, side), to_region, size, Image.Resampling.BILINEAR)
    image.paste(pixels, inside[:2], share)


def soft_mask() -> Image.Image:
    """How much of the crop is pasted, 8 bits: 0 at the rim, all inside, a smooth step between."""
    place = np.arange(SIDE) + 0.5
    depth = np.minimum(place, SIDE - place)
    part = np.clip((depth - _RIM) / _FADE, 0, 1)
    smooth = part * part * (3 - 2 * part)
    return Image.fromarray((np.outer(smooth, smooth) * 255).round().astype(np.uint8))


def touches(size: tuple[int, int], matrix: Matrix) -> bool:
    """Whether any of the crop lies in the picture."""
    _, (left, top, right, bottom) = _boxes(size, matrix)
    return right - left >= 1 and bottom - top >= 1


def _boxes(size: tuple[int, int], matrix: Matrix) -> tuple[Box, Box]:
    """Around the crop in the picture: with what lies outside of it, and without."""
    corners: NDArray[np.float64] = np.array([(0, 0, 1), (SIDE, 0, 1), (SIDE, SIDE, 1), (0, SIDE, 1)], np.float64)
    places = corners @ inverse(matrix).T
    left, top = (int(value) for value in np.floor(places.min(0)) - _MARGIN)
    right, bottom = (int(value) for value in np.ceil(places.max(0)) + _MARGIN)
    clipped = (max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1]))
    return (left, top, right, bottom), clipped


def _warped(image: Image.Image, matrix: Matrix, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    back = inverse(matrix).ravel()
    return image.transform(size, Image.Transform.AFFINE, tuple(float(value) for value in back), how)


def _halved(image: Image.Image, side: int) -> Image.Image:
    return image if image.width == side else image.resize((side, side), Image.Resampling.LANCZOS)


def _scaled(size: tuple[int, int], across: float, down: float) -> tuple[int, int]:
    return max(1, round(size[0] * across)), max(1, round(size[1] * down))
