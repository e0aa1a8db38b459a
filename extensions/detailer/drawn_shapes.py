"""Finds flat figures that are drawn on a plain background, and tells their shape by their outline. No weights.

The background is the colour of the picture's edges, row by row, so that it may change evenly from top to bottom. What
differs from it clearly and hangs together is a figure. Its outline, brought to one size, is compared with those of the
known shapes in a picture of yes and no; the score is the share that the two have in common (intersection over union).
"""

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .regions import Region

DIFFERENT = 40.0  # distance in RGB from the background, of 441
SMALLEST = 0.0015  # share of the picture that a figure takes at least
EDGE = 0.03  # share of the shorter side along the edges that shows the background
RASTER = 48  # side of the raster on which outlines are compared
_HOLE = 0.12  # share of the filled figure from which a hole makes it a ring
_KNOWN = 0.8  # likeness from which a figure has the name of a shape
_TURN = 2 * math.pi

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]


class DrawnShapes:
    """The detector."""

    labels = ("circle", "ring", "square", "diamond", "triangle", "star", "cross", "heart", "shape")

    def __call__(self, picture: Image.Image, confidence: float) -> list[Region]:
        """Figures, the surest first; what is like no known shape is a `shape` with the score that it has.

        Args:
            confidence: the lowest score.
        """
        pixels = np.asarray(picture.convert("RGB"), np.float32)
        away = np.linalg.norm(pixels - background(pixels), axis=2) > DIFFERENT
        count, numbered, facts, _ = cv2.connectedComponentsWithStats(away.astype(np.uint8), connectivity=8)
        found = [
            _region(numbered == number, facts[number], picture.size)
            for number in range(1, count)
            if facts[number][cv2.CC_STAT_AREA] >= SMALLEST * away.size
        ]
        return sorted((one for one in found if one.score >= confidence), key=lambda one: -one.score)


def background(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 3): the background's colour in each row, by a line through the edges' upper and lower thirds.

    Medians, because a figure may touch an edge.
    """
    height, width = pixels.shape[:2]
    rim = max(1, round(EDGE * min(height, width)))
    rows = np.median(np.concatenate([pixels[:, :rim], pixels[:, -rim:]], axis=1), axis=1)
    third = max(1, height // 3)
    upper, lower = np.median(rows[:third], axis=0), np.median(rows[-third:], axis=0)
    along = (np.arange(height, dtype=np.float32) - (third - 1) / 2) / max(1, height - third)
    line = upper + along[:, None] * (lower - upper)
    return np.broadcast_to(line[:, None].astype(np.float32), pixels.shape)


def _region(inside: NDArray[np.bool_], facts: NDArray[np.int32], size: tuple[int, int]) -> Region:
    left, top, width, height = (int(facts[one]) for one in range(4))
    part = inside[top : top + height, left : left + width].astype(np.uint8)
    filled = _filled(part)
    label, score = _likeness(part, filled)
    whole = np.zeros((size[1], size[0]), np.uint8)
    whole[top : top + height, left : left + width] = filled * 255
    return Region((left, top, left + width, top + height), score, label, Image.fromarray(whole))


def _filled(part: Mask) -> Mask:
    """A figure without its holes."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    made = np.zeros_like(part)
    cv2.drawContours(made, outlines, -1, 1, cv2.FILLED)
    return made


def _likeness(part: Mask, filled: Mask) -> tuple[str, float]:
    """The shape that an outline is most like, and the share that they have in common."""
    raster = cv2.resize(filled * 255, (RASTER, RASTER), interpolation=cv2.INTER_AREA) > 127
    scores = {name: _common(raster, outline) for name, outline in outlines().items()}
    name = max(scores, key=lambda one: scores[one])
    has_hole = filled.sum() - part.sum() > _HOLE * filled.sum()
    label = "ring" if name == "circle" and has_hole else name
    return (label if scores[name] >= _KNOWN else "shape"), scores[name]


def _common(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


@cache
def outlines() -> Mapping[str, NDArray[np.bool_]]:
    """The known shapes on the raster, each stretched to fill it."""
    return MappingProxyType({name: _drawn(points) for name, points in _corners().items()})


def _corners() -> dict[str, Points]:
    """Corners of the shapes, x to the right and y down, in any unit."""
    turns = np.linspace(0, _TURN, 96, endpoint=False)
    star = [(radius * math.sin(turn), -radius * math.cos(turn)) for turn, radius in _star()]
    heart = np.stack(
        [
            16 * np.sin(turns) ** 3,
            -(13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)),
        ],
        axis=1,
    )
    third = 1 / 3
    cross = [
        (third, 0), (2 * third, 0), (2 * third, third), (1, third), (1, 2 * third), (2 * third, 2 * third),
        (2 * third, 1), (third, 1), (third, 2 * third), (0, 2 * third), (0, third), (third, third),
    ]  # fmt: skip
    return {
        "circle": np.stack([np.cos(turns), np.sin(turns)], axis=1),
        "square": np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float),
        "diamond": np.array([(1, 0), (2, 1), (1, 2), (0, 1)], float),
        "triangle": np.array([(1, 0), (2, 2), (0, 2)], float),
        "star": np.array(star),
        "cross": np.array(cross),
        "heart": heart,
    }


def _star() -> list[tuple[float, float]]:
    """Angle and radius of the ten corners of a star with five points."""
    return [(corner * _TURN / 10, 1.0 if corner % 2 == 0 else 0.42) for corner in range(10)]


def _drawn(points: Points) -> NDArray[np.bool_]:
    low, high = points.min(0), points.max(0)
    fine = 8  # drawn so much larger, then averaged
    corners = np.round((points - low) / (high - low) * (RASTER * fine - 1)).astype(np.int32)
    large = np.zeros((RASTER * fine, RASTER * fine), np.uint8)
    cv2.fillPoly(large, [corners.reshape(-1, 1, 2)], 255)
    return cv2.resize(large, (RASTER, RASTER), interpolation=cv2.INTER_AREA) > 127
