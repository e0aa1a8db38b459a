"""The masks of regions: moved, grown or shrunk, and merged as asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageOps

from .regions import Box, Region

Merge = Literal["None", "Merge", "Merge and Invert"]
NAMES_TOLD = 3


@dataclass(frozen=True, slots=True)
class RegionMask:
    """What is repainted at once.

    Attributes:
        mask: mode L, of the picture's size; white is repainted.
        box: around what was found there; of merged regions around all of them.
        label: what was found.
        score: of the surest region in it.
    """

    mask: Image.Image
    box: Box
    label: str
    score: float


def masks_of(
    regions: Sequence[Region], size: tuple[int, int], *, grow: int, right: int, up: int, merge: Merge
) -> list[RegionMask]:
    """One mask for each region, or one for all; those in which nothing is white are left out.

    Args:
        grow: side in pixels of the square by which masks are dilated; below 0 they are eroded.
        right, up: pixels by which masks are moved; what leaves one side comes in at the other.
    """
    masks = [RegionMask(_plain(one, size), one.box, one.label, one.score) for one in regions]
    masks = [replace(one, mask=grown(moved(one.mask, right, up), grow)) for one in masks]
    masks = [one for one in masks if one.mask.getbbox() is not None]
    if merge == "None" or not masks:
        return masks
    whole = masks[0].mask
    for one in masks[1:]:
        whole = ImageChops.lighter(whole, one.mask)
    sides = list(zip(*(one.box for one in masks), strict=True))
    box: Box = (min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3]))
    if merge == "Merge and Invert":
        whole, box = ImageOps.invert(whole), (0, 0, *size)
    labels = list(dict.fromkeys(one.label for one in masks))
    together = RegionMask(whole, box, ", ".join(labels[:NAMES_TOLD]), max(one.score for one in masks))
    return [together] if whole.getbbox() is not None else []


def moved(mask: Image.Image, right: int, up: int) -> Image.Image:
    """The mask moved by so many pixels, wrapped round the edges."""
    return mask if not (right or up) else ImageChops.offset(mask, right, -up)


def grown(mask: Image.Image, side: int) -> Image.Image:
    """The mask dilated by a square of `side` pixels, or eroded where that is below 0; the picture's edge is no rim."""
    if abs(side) < 2:
        return mask
    square = np.ones((abs(side), abs(side)), np.uint8)
    pixels = np.asarray(mask)
    return Image.fromarray(cv2.dilate(pixels, square) if side > 0 else cv2.erode(pixels, square))


def touching(masks: Sequence[RegionMask], other: Image.Image) -> list[RegionMask]:
    """Those that have a white pixel in common with another mask of the same size."""
    return [one for one in masks if ImageChops.multiply(one.mask, other).getbbox() is not None]


def _plain(region: Region, size: tuple[int, int]) -> Image.Image:
    if region.shape is not None:
        return region.shape
    mask = Image.new("L", size, 0)
    left, top, right, bottom = (round(side) for side in region.box)
    if right > left and bottom > top:
        ImageDraw.Draw(mask).rectangle((left, top, right, bottom), 255)
    return mask
