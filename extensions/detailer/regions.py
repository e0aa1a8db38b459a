"""Regions that a detector found: which of them count, and in which order. No pixels here."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the picture
Order = Literal["None", "Position (left to right)", "Position (center to edge)", "Area (large to small)"]
ORDERS: tuple[Order, ...] = ("None", "Position (left to right)", "Position (center to edge)", "Area (large to small)")


@dataclass(frozen=True, slots=True)
class Region:
    """Something that was found.

    Attributes:
        score: how sure the detector is, 0..1.
        label: what it is, in the detector's word.
        shape: mode L, of the picture's size, white where it is; None: all of the box.
    """

    box: Box
    score: float
    label: str
    shape: Image.Image | None = None

    @property
    def area(self) -> float:
        """Of the box, in pixels."""
        left, top, right, bottom = self.box
        return max(0.0, right - left) * max(0.0, bottom - top)


def counted(
    regions: Iterable[Region], size: tuple[int, int], *, lowest: float, highest: float, most: int, by_score: bool
) -> list[Region]:
    """The regions whose boxes take the right share of the picture; of these the largest or surest.

    Args:
        size: of the picture.
        lowest, highest: shares of the picture's area, both inclusive.
        most: how many; 0: all, in the detector's order.
    """
    whole = size[0] * size[1]
    fitting = [one for one in regions if lowest <= one.area / whole <= highest]
    if not most:
        return fitting
    return sorted(fitting, key=lambda one: one.score if by_score else one.area, reverse=True)[:most]


def ordered(regions: Sequence[Region], size: tuple[int, int], order: Order) -> list[Region]:
    """The regions in the order in which they are repainted."""
    key = _KEYS.get(order)
    return list(regions) if key is None else sorted(regions, key=lambda one: key(one.box, size))


def shared(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    inside = max(0.0, width) * max(0.0, height)
    union = sum(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (one, other)) - inside
    return inside / union if union > 0 else 0.0


def without_doubles(regions: Iterable[Region], overlap: float, most: int = 300) -> list[Region]:
    """Of regions of one label that overlap by more, the surest (greedy non-maximum suppression); surest first."""
    kept: list[Region] = []
    for one in sorted(regions, key=lambda one: -one.score):
        if all(one.label != other.label or shared(one.box, other.box) <= overlap for other in kept):
            kept.append(one)
        if len(kept) == most:
            break
    return kept


def _from_middle(box: Box, size: tuple[int, int]) -> float:
    return math.hypot((box[0] + box[2] - size[0]) / 2, (box[1] + box[3] - size[1]) / 2)


_KEYS: Mapping[Order, Callable[[Box, tuple[int, int]], float]] = MappingProxyType(
    {
        "Position (left to right)": lambda box, size: box[0],
        "Position (center to edge)": _from_middle,
        "Area (large to small)": lambda box, size: -(box[2] - box[0]) * (box[3] - box[1]),
    }
)
