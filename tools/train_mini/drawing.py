"""Draws a scene: 128x128 RGB, anti-aliased. Shapes as polygons are also the templates of the judge."""

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from tools.train_mini.scenes import COLOURS, SIZE, Background, Scene, Thing, shade

FINE = 4  # drawn this many times larger, then reduced: smooth edges
RING = 0.52  # inner radius of a ring over its outer one
OUTLINE = 0.30  # width of an outline over the radius
STRIPE = 0.36  # distance of stripes and dots over the radius

Points = list[tuple[float, float]]


def draw(scene: Scene) -> Image.Image:
    """The picture of a scene."""
    return draw_on(_background(scene.background), scene.things)


def draw_on(picture: Image.Image, things: Iterable[Thing]) -> Image.Image:
    """Add objects to a picture."""
    for thing in things:
        mask = thing_mask(thing)
        picture.paste(COLOURS[thing.colour], mask=mask)
        if thing.style in ("striped", "dotted"):
            picture.paste(shade(thing.colour), mask=ImageChops.multiply(mask, _pattern(thing)))
    return picture


def thing_mask(thing: Thing) -> Image.Image:
    """Coverage of one object: mode L, SIZE x SIZE, 255 where it is."""
    mask = _shape_mask(thing.shape, thing.x, thing.y, thing.radius)
    if thing.style == "outlined":
        inner = _shape_mask(thing.shape, thing.x, thing.y, thing.radius * (1.0 - OUTLINE), thing.radius)
        mask = ImageChops.subtract(mask, inner)
    return mask.reduce(FINE)


def _shape_mask(shape: str, x: float, y: float, radius: float, outer: float | None = None) -> Image.Image:
    """`outer`: radius of the shape that this one is cut out of; one with its centre of mass off its middle moves."""
    mask = Image.new("L", (SIZE * FINE, SIZE * FINE))
    pen = ImageDraw.Draw(mask)
    if outer is not None:
        y += _SHIFTS.get(shape, 0.0) * (outer - radius)
    if shape == "ring":
        pen.ellipse(_box(x, y, radius), fill=255)
        pen.ellipse(_box(x, y, radius * RING), fill=0)
    elif shape == "circle":
        pen.ellipse(_box(x, y, radius), fill=255)
    else:
        pen.polygon([((x + radius * u) * FINE, (y + radius * v) * FINE) for u, v in OUTLINES[shape]()], fill=255)
    return mask


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return (x - radius) * FINE, (y - radius) * FINE, (x + radius) * FINE, (y + radius) * FINE


def _square() -> Points:
    return [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]


def _triangle() -> Points:
    return [(0.0, -1.0), (1.0, 0.85), (-1.0, 0.85)]


def _diamond() -> Points:
    return [(0.0, -1.0), (0.8, 0.0), (0.0, 1.0), (-0.8, 0.0)]


def _star() -> Points:
    turns = [(math.tau * i / 10.0, 1.08 if i % 2 == 0 else 0.45) for i in range(10)]
    return [(reach * math.sin(turn), -reach * math.cos(turn)) for turn, reach in turns]


def _cross() -> Points:
    arm = 0.34
    quarter = [(-arm, -0.95), (arm, -0.95), (arm, -arm)]
    points: Points = []
    for _ in range(4):
        points += quarter
        quarter = [(-v, u) for u, v in quarter]
    return points


def _heart() -> Points:
    """x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t (the usual heart curve), brought to radius 1."""
    points: Points = []
    for i in range(60):
        t = math.tau * i / 60.0
        y = 13.0 * math.cos(t) - 5.0 * math.cos(2 * t) - 2.0 * math.cos(3 * t) - math.cos(4 * t)
        points.append((math.sin(t) ** 3, -(y + 2.5) / 16.0))
    return points


OUTLINES: Mapping[str, Callable[[], Points]] = MappingProxyType(
    {
        "square": _square,
        "triangle": _triangle,
        "diamond": _diamond,
        "star": _star,
        "cross": _cross,
        "heart": _heart,
    }
)
_SHIFTS = MappingProxyType({"triangle": 0.24, "star": 0.0})


def _pattern(thing: Thing) -> Image.Image:
    """Where stripes or dots of the darker tone lie: mode L, SIZE x SIZE."""
    pattern = Image.new("L", (SIZE * FINE, SIZE * FINE))
    pen = ImageDraw.Draw(pattern)
    step = max(8.0, thing.radius * STRIPE) * FINE
    left, top = (thing.x - thing.radius * 1.1) * FINE, (thing.y - thing.radius * 1.1) * FINE
    count = math.ceil(2.2 * thing.radius * FINE / step) + 1
    for row in range(count):
        y = top + row * step
        if thing.style == "striped":
            pen.rectangle((left, y, left + count * step, y + step / 2), fill=255)
            continue
        for column in range(count):
            x = left + (column + 0.5 * (row % 2)) * step
            pen.ellipse((x - step * 0.27, y - step * 0.27, x + step * 0.27, y + step * 0.27), fill=255)
    return pattern.reduce(FINE)


def _background(background: Background) -> Image.Image:
    if background.to is None:
        return Image.new("RGB", (SIZE, SIZE), COLOURS[background.colour])
    return Image.fromarray(gradient(COLOURS[background.colour], COLOURS[background.to]).round().astype(np.uint8))


def gradient(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> NDArray[np.float64]:
    """(SIZE, SIZE, 3), 0..255, from the colour of the first row to that of the last."""
    along = np.linspace(0.0, 1.0, SIZE)[:, None, None]
    rows = (1.0 - along) * np.asarray(top, dtype=np.float64) + along * np.asarray(bottom, dtype=np.float64)
    return np.broadcast_to(rows, (SIZE, SIZE, 3)).copy()
