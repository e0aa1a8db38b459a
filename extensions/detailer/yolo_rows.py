"""From a picture to the square that a YOLO detector sees, and from its rows back to regions of the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .regions import Box, Region, without_doubles

SIDE = 640  # pixels of the longer side
MULTIPLE = 32
GREY = 114
OVERLAP = 0.7

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture as the detector sees it.

    Attributes:
        pixels: (3, H, W) RGB in 0..1; borders are grey.
        scale: pixels of it for one of the picture.
        left, top: where the picture begins in it.
        size: width and height of the picture in it.
    """

    pixels: Floats
    scale: float
    left: int
    top: int
    size: tuple[int, int]


def letterbox(picture: Image.Image, wanted: tuple[int, int] | None = None) -> Letterbox:
    """The picture with its longer side at SIDE, both sides filled up to a multiple of 32; or within `wanted`."""
    width, height = picture.size
    scale = SIDE / max(width, height) if wanted is None else min(wanted[0] / width, wanted[1] / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    outer = wanted or (_filled_up(inner[0]), _filled_up(inner[1]))
    pixels = np.asarray(picture.convert("RGB"))
    if inner != picture.size:
        pixels = cv2.resize(pixels, inner, interpolation=cv2.INTER_LINEAR)
    left, top = (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
    whole = np.full((outer[1], outer[0], 3), GREY, np.uint8)
    whole[top : top + inner[1], left : left + inner[0]] = pixels
    chw = np.ascontiguousarray(whole.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    return Letterbox(chw, scale, left, top, inner)


def regions_of(
    rows: Floats, maps: Floats | None, seen: Letterbox, size: tuple[int, int], labels: Sequence[str], confidence: float
) -> list[Region]:
    """The regions of the picture, surest first; of each kind those that overlap little.

    Args:
        rows: (cells, 4 + classes + maps), as `YoloNetwork` gives them.
        maps: (maps, h, w), which the coefficients mix to a mask; None: boxes alone.
        size: of the picture.
        labels: of the classes.
    """
    scores = rows[:, 4 : 4 + len(labels)]
    best = scores.argmax(1)
    sure = np.flatnonzero(scores.max(1) >= max(confidence, 1e-6))
    found: dict[int, Region] = {}
    for row in sure.tolist():
        x, y, width, height = (float(value) for value in rows[row, :4])
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        found[row] = Region(_in_picture(corners, seen, size), float(scores[row, best[row]]), labels[int(best[row])])
    kept = without_doubles(found.values(), OVERLAP)
    if maps is None:
        return kept
    numbers = {id(one): row for row, one in found.items()}
    return [
        Region(
            one.box, one.score, one.label, _shape(rows[numbers[id(one)], 4 + len(labels) :], maps, seen, one.box, size)
        )
        for one in kept
    ]


def _shape(mix: Floats, maps: Floats, seen: Letterbox, box: Box, size: tuple[int, int]) -> Image.Image:
    """The mask of one region, mode L, of the picture's size, cut to its box."""
    height, width = maps.shape[1:]
    logits = np.tensordot(mix, maps, 1)
    share = 1 / (1 + np.exp(-logits.astype(np.float64)))
    across, down = width / seen.pixels.shape[2], height / seen.pixels.shape[1]
    left, top = round(seen.left * across), round(seen.top * down)
    inner = share[top : top + max(1, round(seen.size[1] * down)), left : left + max(1, round(seen.size[0] * across))]
    whole = cv2.resize(inner, size, interpolation=cv2.INTER_LINEAR) > 0.5
    mask = np.zeros((size[1], size[0]), np.uint8)
    x1, y1, x2, y2 = (round(side) for side in box)
    mask[y1:y2, x1:x2] = whole[y1:y2, x1:x2] * np.uint8(255)
    return Image.fromarray(mask)


def _in_picture(box: Box, seen: Letterbox, size: tuple[int, int]) -> Box:
    places = [(side - start) / seen.scale for side, start in zip(box, (seen.left, seen.top) * 2, strict=True)]
    limits = (size[0], size[1]) * 2
    left, top, right, bottom = (min(max(place, 0.0), float(limit)) for place, limit in zip(places, limits, strict=True))
    return left, top, right, bottom


def _filled_up(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE
