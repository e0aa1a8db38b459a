"""Pictures for the image encoder: one plain object on a plain background, any colours, put together from masks.

Every combination of shape, colour and background of the training set is equally frequent; what is held out does not
occur. A share of them may have an object or a background of a colour that no word means: who has seen a grey square on
many colours knows grey on one that it was never shown on.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.train_mini.drawing import thing_mask
from tools.train_mini.scenes import (
    COLOURS,
    CONTRAST,
    MARGIN,
    SHAPES,
    SIZE,
    Background,
    Scene,
    Thing,
    distance,
    held_out,
)

SIDE = 64  # pixels that the encoder looks at
RADII = (20.0, 36.0)  # pixels of SIZE; smaller objects lie within a patch or two
OFF = 14.0  # pixels of SIZE, off the middle
MASKS = 420  # of each shape
JITTER = 0.035  # of colours, in 0..1
UNNAMED = -100  # the answer where a colour has no name; cross_entropy passes it over
FROM_NAMED = 45.0  # RGB distance of such a colour from all that have one
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of CLIP
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class Shown:
    """Pictures of one object each.

    Attributes:
        pixels: (B, 3, SIDE, SIDE) as CLIP wants them.
        answers: (B, 3), the numbers of shape, colour and background; UNNAMED where there is no word for it.
        coverage: (B, SIDE, SIDE) in 0..1, how much of each pixel the object covers.
    """

    pixels: Tensor
    answers: Tensor
    coverage: Tensor


class PlainShapes:
    """Draws the masks once; pictures are put together from them at no cost."""

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        masks = [[_mask(shape, generator) for _ in range(MASKS)] for shape in SHAPES]
        self._masks = torch.from_numpy(np.asarray(masks))  # (shapes, MASKS, SIDE, SIDE) uint8
        self._palette = torch.tensor(list(COLOURS.values()), dtype=torch.float32) / 255

    def show(self, answers: Tensor, generator: np.random.Generator, *, strange: float = 0.0) -> Shown:
        """Pictures of combinations (B, 3), at random places and sizes, their colours a little off.

        Args:
            strange: share of the pictures in which another colour, one without a name, takes the place of the
                background (of six in ten of them) or of the object.
        """
        count = len(answers)
        which = torch.from_numpy(generator.integers(0, MASKS, size=count))
        coverage = self._masks[answers[:, 0], which].float() / 255
        front, behind = (self._palette[answers[:, at]] + _random(generator, JITTER, count, 3) for at in (1, 2))
        if strange:
            drawn = torch.from_numpy(generator.random(count))
            answers = answers.clone()
            for colours, others, place, low, high in (
                (behind, front, 2, 0.0, 0.6 * strange), (front, behind, 1, 0.6 * strange, strange),
            ):  # fmt: skip
                these = ((drawn >= low) & (drawn < high)).nonzero()[:, 0]
                colours[these] = self._unnamed(others[these], generator)
                answers[these, place] = UNNAMED
        pixels = behind[:, :, None, None] + coverage[:, None] * (front - behind)[:, :, None, None]
        return Shown(normalised(pixels.clamp(0, 1)), answers, coverage)

    def _unnamed(self, beside: Tensor, generator: np.random.Generator) -> Tensor:
        """(n, 3): a colour without a name for each of these (n, 3), from which it differs."""
        made = torch.empty_like(beside)
        left = torch.arange(len(beside))
        while len(left):
            tried = torch.from_numpy(generator.random((len(left), 3), dtype=np.float32))
            is_strange = torch.cdist(tried, self._palette).min(dim=1).values * 255 > FROM_NAMED
            fits = is_strange & ((tried - beside[left]).norm(dim=1) * 255 > CONTRAST)
            made[left[fits]] = tried[fits]
            left = left[~fits]
        return made


def combinations(*, test: bool = False) -> Tensor:
    """(n, 3): the numbers of shape, colour and background of the training set, or of what is held out from it."""
    found = []
    for shape, name in enumerate(SHAPES):
        for colour, front in enumerate(COLOURS):
            for background, behind in enumerate(COLOURS):
                scene = Scene((Thing(name, front, SIZE / 2, SIZE / 2, 24.0),), Background(behind))
                if distance(COLOURS[front], COLOURS[behind]) >= CONTRAST and held_out(scene) == test:
                    found.append((shape, colour, background))
    return torch.tensor(found)


def normalised(pixels: Tensor) -> Tensor:
    """(B, 3, h, w) of 0..1 as CLIP wants it."""
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (MEAN, STD))
    return (pixels - mean) / std


def covered(coverage: Tensor, patch: int, cells: int) -> Tensor:
    """(B, patches, cells x cells): how much of each cell of each patch of `patch` pixels the object covers."""
    means = functional.avg_pool2d(coverage[:, None], patch // cells)
    return functional.unfold(means, cells, stride=cells).transpose(1, 2)


def _mask(shape: str, generator: np.random.Generator) -> np.ndarray:
    radius = generator.uniform(*RADII)
    reach = min(OFF, SIZE / 2 - MARGIN - radius)
    x, y = SIZE / 2 + generator.uniform(-reach, reach, size=2)
    return np.asarray(thing_mask(Thing(shape, "red", float(x), float(y), radius)).resize((SIDE, SIDE)))


def _random(generator: np.random.Generator, size: float, *shape: int) -> Tensor:
    return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)) * size
