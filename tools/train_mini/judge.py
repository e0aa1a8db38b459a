"""Looks at a picture and says what is on it: background, and each object's shape, colour, place and size. No network.

Written for pictures in the manner of `drawing.py`: flat shapes that do not touch, on a background that is plain or
changes evenly. Anything else is reported as it looks, so that a bad picture gets a bad judgement.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tools.train_mini.drawing import thing_mask
from tools.train_mini.scenes import COLOURS, NEW_SHAPE, SHAPES, SIZE, Scene, Thing

FRAME = 4  # pixels of the edge that show the background
FOREGROUND = 48.0  # RGB distance from the background from which a pixel belongs to an object
SMALLEST = 60  # pixels of an object
GRID = 32  # side of the raster on which shapes are compared
CENTRED = 15.0  # pixels off the middle up to which a place counts as centre

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Found:
    """One object. `x`, `y`: centre of its box in pixels; `radius`: half its longer side; `likeness`: IoU, 0..1."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float
    likeness: float
    is_outlined: bool

    @property
    def place(self) -> str:
        """As the keys of PLACES."""
        row = _side(self.y, ("top", "", "bottom"))
        column = _side(self.x, ("left", "", "right"))
        return f"{row} {column}".strip() or "centre"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`top` and `bottom` are the background's colours, equal where it is plain; objects are in order of size."""

    top: str
    bottom: str
    objects: tuple[Found, ...]

    @property
    def background(self) -> str:
        return self.top


def judge(picture: Image.Image) -> Verdict:
    """What is on a picture (any size; it is measured on SIZE x SIZE)."""
    pixels = np.asarray(picture.convert("RGB").resize((SIZE, SIZE)), dtype=np.float64)
    behind = _background(pixels)
    away = np.linalg.norm(pixels - behind, axis=2)
    objects = sorted(_objects(pixels, away), key=lambda found: -found.radius)
    middle = SIZE // 2
    return Verdict(nearest(behind[0, middle]), nearest(behind[-1, middle]), tuple(objects))


def nearest(rgb: Floats) -> str:
    """The name of the palette's nearest colour."""
    names = tuple(COLOURS)
    palette = np.asarray([COLOURS[name] for name in names], dtype=np.float64)
    return names[int(np.linalg.norm(palette - rgb, axis=1).argmin())]


def _background(pixels: Floats) -> Floats:
    """(SIZE, SIZE, 3): each row's colour, from a line through the medians of the picture's left and right edge.

    Medians and a robust line, because an object may touch an edge.
    """
    edges = np.concatenate([pixels[:, :FRAME], pixels[:, -FRAME:]], axis=1)
    rows = np.median(edges, axis=1)
    along = np.linspace(-1.0, 1.0, SIZE)
    upper, lower = np.median(rows[: SIZE // 3], axis=0), np.median(rows[-SIZE // 3 :], axis=0)
    at = along[SIZE // 6]
    slope = (lower - upper) / (-2.0 * at)
    line = (upper + lower) / 2.0 + slope * along[:, None]
    return np.broadcast_to(line[:, None, :], pixels.shape).copy()


def _objects(pixels: Floats, away: Floats) -> list[Found]:
    """`away` (SIZE, SIZE): each pixel's distance from the background."""
    labels, count = ndimage.label(away > FOREGROUND, structure=np.ones((3, 3)))
    found = []
    for number in range(1, count + 1):
        mask = labels == number
        if mask.sum() >= SMALLEST:
            found.append(_object(pixels, _to_the_edge(mask, away)))
    return found


def _to_the_edge(mask: Mask, away: Floats) -> Mask:
    """The largest part that is nearer to the object's colours than to the background: a soft edge ends in its middle.

    Of several tones (stripes) the one nearer to the background counts.
    """
    inner = ndimage.binary_erosion(mask, iterations=2)
    values = away[inner if inner.sum() >= SMALLEST // 3 else mask]
    labels, count = ndimage.label(mask & (away > np.percentile(values, 15.0) / 2.0), structure=np.ones((3, 3)))
    sizes = ndimage.sum_labels(labels > 0, labels, range(1, count + 1))
    return np.asarray(labels == 1 + int(np.argmax(sizes)))


def _object(pixels: Floats, mask: Mask) -> Found:
    filled = ndimage.binary_fill_holes(mask)
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    has_hole = (filled.sum() - mask.sum()) > 0.12 * filled.sum()
    raster = _raster(filled[top:bottom, left:right])
    likeness = {shape: _overlap(raster, template) for shape, template in _templates()}
    shape = max(likeness, key=lambda name: likeness[name])
    is_ring = shape == "circle" and has_hole
    return Found(
        "ring" if is_ring else shape,
        nearest(_tone(pixels, mask)),
        float(left + right) / 2.0,
        float(top + bottom) / 2.0,
        float(max(bottom - top, right - left)) / 2.0,
        likeness[shape],
        bool(has_hole) and not is_ring,
    )


def _tone(pixels: Floats, mask: Mask) -> Floats:
    """The colour of an object: the median of its brighter pixels, as stripes and dots are darker; edges left out."""
    inner = ndimage.binary_erosion(mask, iterations=1)
    tones = pixels[inner if inner.sum() >= SMALLEST // 3 else mask]
    light = tones.sum(axis=1)
    bright: Floats = tones[light >= np.percentile(light, 65.0)]
    return np.asarray(np.median(bright, axis=0))


@cache
def _templates() -> tuple[tuple[str, Mask], ...]:
    """Each shape (a ring is a circle with a hole) on the raster."""
    found = []
    for shape in (*SHAPES, NEW_SHAPE):
        if shape == "ring":
            continue
        mask = np.asarray(thing_mask(Thing(shape, "red", SIZE / 2, SIZE / 2, 40.0))) > 127
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        found.append((shape, _raster(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])))
    return tuple(found)


def _raster(mask: Mask) -> Mask:
    """Stretched to GRID x GRID."""
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize((GRID, GRID), Image.Resampling.BOX)
    return np.asarray(image) > 127


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def _side(position: float, names: tuple[str, str, str]) -> str:
    off = position - SIZE / 2
    return names[1] if abs(off) <= CENTRED else names[0] if off < 0 else names[2]


@dataclass(frozen=True, slots=True)
class Marks:
    """What of a scene a picture shows; None where the scene does not ask."""

    colour: bool
    shape: bool
    background: bool
    place: bool | None
    relation: bool | None
    count: bool


def compare(scene: Scene, verdict: Verdict) -> Marks:
    """Whether the picture holds what the scene says.

    Colour and shape: every thing of the scene is there, one object for each. Relation: the two things, told apart by
    shape and colour, lie as asked.
    """
    found = list(verdict.objects[: len(scene.things) + 2])
    place = relation = None
    if len(scene.things) == 1:
        place = bool(found) and found[0].place == scene.place
    if scene.relation is not None:
        relation = _relation(scene, found)
    return Marks(
        colour=_covers([thing.colour for thing in scene.things], [one.colour for one in found]),
        shape=_covers([thing.shape for thing in scene.things], [one.shape for one in found]),
        background=(verdict.top, verdict.bottom)
        == (scene.background.colour, scene.background.to or scene.background.colour),
        place=place,
        relation=relation,
        count=len(verdict.objects) == len(scene.things),
    )


def _covers(wanted: list[str], there: list[str]) -> bool:
    return all(there.count(one) >= wanted.count(one) for one in wanted)


def _relation(scene: Scene, found: list[Found]) -> bool:
    first, second = scene.things

    def match(thing: Thing) -> list[Found]:
        return [one for one in found if (one.shape, one.colour) == (thing.shape, thing.colour)]

    for one in match(first):
        for other in match(second):
            across, down = other.x - one.x, other.y - one.y
            fits = {
                "left": across > abs(down),
                "right": -across > abs(down),
                "above": down > abs(across),
                "below": -down > abs(across),
                "beside": abs(across) > abs(down),
            }
            if one is not other and fits[scene.relation or "beside"]:
                return True
    return False
