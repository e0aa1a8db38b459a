"""Preprocessors that need no weights. Each turns a picture into the kind of map that a control network was trained on.

Each takes (H, W, 3) uint8 RGB and returns (H', W', 3) uint8, which `maps.fitted` brings to size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from .maps import Map, resized_for, three_channels

_NOISE_CELL = 256  # pixels between the random values that shuffle bends the picture by
_BLOCK = 64  # pixels a side of the squares of the colour grid
_LEAST_RATE = 1.1  # of down-sampling that is worth the loss


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a preprocessor: the short side in pixels, two thresholds, and a seed for those with randomness."""

    resolution: int
    threshold_a: float = 0.5
    threshold_b: float = 0.5
    seed: int = 0


Preprocessor = Callable[[Map, Settings], Map]


def unchanged(picture: Map, settings: Settings) -> Map:
    return picture


def invert(picture: Map, settings: Settings) -> Map:
    return 255 - picture


def canny(picture: Map, settings: Settings) -> Map:
    """Edges (Canny 1986) between the two thresholds."""
    padded, (height, width) = resized_for(picture, settings.resolution)
    edges = cv2.Canny(padded, settings.threshold_a, settings.threshold_b)
    return three_channels(edges[:height, :width].astype(np.uint8))


def blur_gaussian(picture: Map, settings: Settings) -> Map:
    """Gaussian blur with sigma = threshold A."""
    blurred = cv2.GaussianBlur(_scaled(picture, settings), (0, 0), settings.threshold_a)
    return blurred.astype(np.uint8)


def threshold(picture: Map, settings: Settings) -> Map:
    """White where the darkest channel is above threshold A."""
    dark = _scaled(picture, settings).min(axis=2)
    return three_channels(np.where(dark > settings.threshold_a, 255, 0).astype(np.uint8))


def scribble_xdog(picture: Map, settings: Settings) -> Map:
    """Difference of two Gaussians (XDoG, Winnemoeller 2012), cut at threshold A."""
    padded, (height, width) = resized_for(picture, settings.resolution)
    values = padded.astype(np.float32)
    fine, coarse = cv2.GaussianBlur(values, (0, 0), 0.5), cv2.GaussianBlur(values, (0, 0), 5.0)
    darker = (255 - (coarse - fine).min(axis=2)).clip(0, 255).astype(np.uint8)
    drawn = 2 * (255 - darker.astype(np.int32)) > settings.threshold_a
    return three_channels(np.where(drawn, 255, 0).astype(np.uint8)[:height, :width])


def lineart_standard(picture: Map, settings: Settings) -> Map:
    """Lines that are darker than their surroundings, normalised in strength."""
    padded, (height, width) = resized_for(picture, settings.resolution)
    return three_channels(standard_lines(padded)[:height, :width])


def standard_lines(padded: Map) -> NDArray[np.uint8]:
    """(H, W): the same for a picture at its own size."""
    values = padded.astype(np.float32)
    darker = (cv2.GaussianBlur(values, (0, 0), 6.0) - values).min(axis=2).clip(0, 255)
    strong = darker[darker > 8]
    typical = float(np.median(strong)) if strong.size else 0.0
    lines = darker / max(16.0, typical) * 127
    drawn: NDArray[np.uint8] = lines.clip(0, 255).astype(np.uint8)
    return drawn


def tile_resample(picture: Map, settings: Settings) -> Map:
    """Smaller by the rate threshold A, so that the network has details to add."""
    rate = settings.threshold_a
    if rate < _LEAST_RATE:
        return picture
    height, width = picture.shape[:2]
    small = (max(1, int(width / rate)), max(1, int(height / rate)))
    return cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.uint8)


def recolor_luminance(picture: Map, settings: Settings) -> Map:
    """Lightness L of CIE LAB, raised to threshold A. As in A1111, red is read as blue."""
    return _powered(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).astype(np.uint8)[:, :, 0], settings.threshold_a)


def recolor_intensity(picture: Map, settings: Settings) -> Map:
    """Value V of HSV, raised to threshold A."""
    return _powered(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.uint8)[:, :, 2], settings.threshold_a)


def shuffle(picture: Map, settings: Settings) -> Map:
    """The picture bent by a smooth random field, which leaves its colours and breaks its composition."""
    scaled = _scaled(picture, settings)
    height, width = scaled.shape[:2]
    random = np.random.RandomState(settings.seed)
    across = _smooth_noise(random, height, width) * (width - 1)
    down = _smooth_noise(random, height, width) * (height - 1)
    return cv2.remap(scaled, across, down, cv2.INTER_LINEAR).astype(np.uint8)


def color_grid(picture: Map, settings: Settings) -> Map:
    """Squares of one colour each."""
    scaled = _scaled(picture, settings)
    height, width = scaled.shape[:2]
    small = cv2.resize(scaled, (max(1, width // _BLOCK), max(1, height // _BLOCK)), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8)


PREPROCESSORS: Mapping[str, Preprocessor] = MappingProxyType(
    {
        "none": unchanged,
        "invert": invert,
        "canny": canny,
        "blur_gaussian": blur_gaussian,
        "threshold": threshold,
        "scribble_xdog": scribble_xdog,
        "lineart_standard": lineart_standard,
        "tile_resample": tile_resample,
        "tile_colorfix": unchanged,
        "tile_colorfix+sharp": unchanged,
        "inpaint_global_harmonious": unchanged,
        "inpaint_only": unchanged,
        "recolor_luminance": recolor_luminance,
        "recolor_intensity": recolor_intensity,
        "shuffle": shuffle,
        "t2ia_color_grid": color_grid,
        "reference_only": unchanged,
        "reference_adain": unchanged,
        "reference_adain+attn": unchanged,
    }
)


def _scaled(picture: Map, settings: Settings) -> Map:
    padded, (height, width) = resized_for(picture, settings.resolution)
    return np.ascontiguousarray(padded[:height, :width])


def _powered(channel: NDArray[np.uint8], gamma: float) -> Map:
    values = (channel.astype(np.float32) / 255.0) ** gamma
    return three_channels((values * 255).clip(0, 255).astype(np.uint8))


def _smooth_noise(random: np.random.RandomState, height: int, width: int) -> NDArray[np.float32]:
    """(height, width) in 0..1: uniform values on a coarse grid, interpolated by cubics."""
    cell = _NOISE_CELL
    coarse = random.uniform(0, 1, (height // cell + 2, width // cell + 2))
    fine = cv2.resize(coarse, (width + 2 * cell, height + 2 * cell), interpolation=cv2.INTER_CUBIC)
    field = fine[cell : cell + height, cell : cell + width]
    raised = field - field.min()
    scaled: NDArray[np.float32] = (raised / max(float(raised.max()), 1e-12)).astype(np.float32)
    return scaled
