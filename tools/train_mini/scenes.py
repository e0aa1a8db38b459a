"""The scenes of the training set as data: coloured shapes on a background. They are drawn and described elsewhere.

A scene comes from one random generator, so a seed names the whole data set. One in sixteen combinations of shape,
colour and background is held out: the network never sees it, and `evaluate.py` asks for nothing else.
"""

import zlib
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

SIZE = 128  # pixels a side
MARGIN = 7  # pixels between an object and the edge of the picture, so that the edge shows the background

RGB = tuple[int, int, int]

COLOURS = MappingProxyType(
    {
        "red": (220, 30, 35),
        "orange": (250, 140, 20),
        "yellow": (250, 225, 40),
        "green": (30, 160, 50),
        "cyan": (40, 215, 225),
        "blue": (40, 70, 220),
        "purple": (125, 45, 165),
        "pink": (250, 135, 195),
        "white": (245, 245, 245),
        "grey": (128, 128, 128),
        "black": (15, 15, 15),
    }
)
SHAPES = ("circle", "square", "triangle", "star", "ring", "cross", "diamond")
NEW_SHAPE = "heart"  # taught by a LoRA only

Style = Literal["plain", "outlined", "striped", "dotted"]
Size = Literal["small", "medium", "large"]
Relation = Literal["left", "right", "above", "below", "beside"]

RADII = MappingProxyType({"small": (13.0, 15.0), "medium": (20.0, 24.0), "large": (31.0, 35.0)})
PLACES = MappingProxyType(
    {
        "centre": (0, 0),
        "left": (-1, 0),
        "right": (1, 0),
        "top": (0, -1),
        "bottom": (0, 1),
        "top left": (-1, -1),
        "top right": (1, -1),
        "bottom left": (-1, 1),
        "bottom right": (1, 1),
    }
)
CONTRAST = 105.0  # RGB distance by which everything drawn differs from what lies behind it
HELD_OUT = 16


@dataclass(frozen=True, slots=True)
class Thing:
    """One object. `x`, `y`: centre in pixels; `radius`: half its side in pixels."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float
    style: Style = "plain"


@dataclass(frozen=True, slots=True)
class Background:
    """`to` is another colour name for a gradient from the top down, or None for a plain background."""

    colour: str
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture as data.

    Attributes:
        size: of its objects.
        place: where its one object is (a key of PLACES).
        relation: how the first of two objects lies to the second; None where there are not two different ones.
    """

    things: tuple[Thing, ...]
    background: Background
    size: Size = "medium"
    place: str = "centre"
    relation: Relation | None = None


def shade(colour: str) -> RGB:
    """The darker tone of stripes and dots."""
    red, green, blue = COLOURS[colour]
    return red * 45 // 100, green * 45 // 100, blue * 45 // 100


def distance(one: RGB, other: RGB) -> float:
    """Euclidean distance of two colours, 0 to 441."""
    return float(np.linalg.norm(np.subtract(one, other, dtype=np.float64)))


def held_out(scene: Scene) -> bool:
    """Whether this combination is kept from training."""
    first = scene.things[0]
    return zlib.crc32(f"{first.shape} {first.colour} {scene.background.colour}".encode()) % HELD_OUT == 0


def random_scene(generator: np.random.Generator, *, test: bool = False, shapes: tuple[str, ...] = SHAPES) -> Scene:
    """A scene of the training set, or of the held-out combinations with `test`."""
    while True:
        scene = _draw_lots(generator, shapes)
        if _is_clear(scene) and held_out(scene) == test:
            return scene


def _draw_lots(generator: np.random.Generator, shapes: tuple[str, ...]) -> Scene:
    background = Background(_one(generator, tuple(COLOURS)))
    if generator.random() < 0.12:
        background = replace(background, to=_one(generator, tuple(COLOURS)))
    lot = generator.random()
    if lot < 0.58:
        return _single(generator, background, shapes)
    if lot < 0.83:
        return _pair(generator, background, shapes)
    return _several(generator, background, shapes)


def _single(generator: np.random.Generator, background: Background, shapes: tuple[str, ...]) -> Scene:
    size: Size = ("small", "medium", "large")[int(generator.integers(3))]
    place = "centre" if generator.random() < 0.4 else _one(generator, tuple(PLACES))
    style: Style = "plain"
    if generator.random() < 0.25:
        style = ("outlined", "striped", "dotted")[int(generator.integers(3))]
    radius = generator.uniform(*RADII[size])
    reach = SIZE / 2 - MARGIN - radius
    spots = [
        SIZE / 2 + min(abs(sign) * 38.0, reach) * sign + generator.uniform(-3.0, 3.0) * (sign == 0)
        for sign in PLACES[place]
    ]
    thing = Thing(_one(generator, shapes), _one(generator, tuple(COLOURS)), spots[0], spots[1], radius, style)
    return Scene((thing,), background, size, place)


def _pair(generator: np.random.Generator, background: Background, shapes: tuple[str, ...]) -> Scene:
    """Two objects side by side or one above the other, each with its own shape and colour."""
    lots: tuple[Relation, ...] = ("left", "right", "above", "below", "beside")
    relation = lots[int(generator.integers(len(lots)))]
    first, second = (
        Thing(_one(generator, shapes), _one(generator, tuple(COLOURS)), 0.0, 0.0, generator.uniform(19.0, 23.0))
        for _ in range(2)
    )
    gap = generator.uniform(28.0, 31.0)
    along, across = (SIZE / 2 - gap, SIZE / 2 + gap), SIZE / 2 + generator.uniform(-4.0, 4.0)
    if relation in ("right", "below"):
        along = (along[1], along[0])
    if relation in ("above", "below"):
        first, second = replace(first, x=across, y=along[0]), replace(second, x=across, y=along[1])
    else:
        first, second = replace(first, x=along[0], y=across), replace(second, x=along[1], y=across)
    return Scene((first, second), background, relation=relation)


def _several(generator: np.random.Generator, background: Background, shapes: tuple[str, ...]) -> Scene:
    """Two or three alike, in a row or a triangle."""
    count = int(generator.integers(2, 4))
    shape, colour = _one(generator, shapes), _one(generator, tuple(COLOURS))
    if count == 2:
        spots: tuple[tuple[float, float], ...] = ((36.0, 64.0), (92.0, 64.0))
        radius = generator.uniform(19.0, 22.0)
    elif generator.random() < 0.5:
        spots, radius = ((25.0, 64.0), (64.0, 64.0), (103.0, 64.0)), generator.uniform(14.0, 16.0)
    else:
        spots, radius = ((64.0, 34.0), (35.0, 90.0), (93.0, 90.0)), generator.uniform(18.0, 21.0)
    return Scene(tuple(Thing(shape, colour, x, y, radius) for x, y in spots), background)


def _is_clear(scene: Scene) -> bool:
    """Whether everything stands out, nothing is named twice over, and no two ways of drawing give one picture."""
    behind = [COLOURS[scene.background.colour]]
    if scene.background.to is not None:
        end = COLOURS[scene.background.to]
        if distance(behind[0], end) < CONTRAST:
            return False
        behind += [end, (int((behind[0][0] + end[0]) / 2), (behind[0][1] + end[1]) // 2, (behind[0][2] + end[2]) // 2)]
    for thing in scene.things:
        tones = [COLOURS[thing.colour]]
        if thing.style in ("striped", "dotted"):
            tones.append(shade(thing.colour))
            if distance(*tones) < CONTRAST:
                return False
        if thing.style != "plain" and thing.shape in ("ring", *(("circle",) if thing.style == "outlined" else ())):
            return False
        if any(distance(tone, other) < CONTRAST for tone in tones for other in behind):
            return False
    if scene.relation is not None:
        first, second = scene.things
        return first.shape != second.shape or first.colour != second.colour
    return True


def _one(generator: np.random.Generator, of: tuple[str, ...]) -> str:
    return of[int(generator.integers(len(of)))]
