"""Colour correction: gives one picture the colours of another, so that colours do not drift over repeated runs."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]

_WHITE = (0.950456, 1.0, 1.088754)  # D65, CIE XYZ
_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # CIE 15:2004


def matched(picture: Image.Image, target: Image.Image) -> Image.Image:
    """The picture with the colours of `target`: its CIE L*a*b* histograms, channel by channel, at its own luminosity.

    Args:
        picture, target: RGB, of any sizes.
    """
    source, wanted = _lab(picture), _lab(target)
    lab = np.stack([_histogram(source[..., c], wanted[..., c]) for c in range(3)], axis=-1)
    blended = _with_luminosity(_rgb(lab) / 255, np.asarray(picture, np.float64) / 255)
    return Image.fromarray((blended.clip(0, 1) * 255 + 1e-6).astype(np.uint8))


def _lab(picture: Image.Image) -> NDArray[np.uint8]:
    """(H, W, 3), 8 bits: L* x 2.55, a* + 128, b* + 128, rounded."""
    rgb = np.asarray(picture.convert("RGB"), np.float64) / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ np.array(_TO_XYZ).T / np.array(_WHITE)
    cube = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    x, y, z = np.moveaxis(cube, -1, 0)
    lab = np.stack([(116 * y - 16) * 2.55, 500 * (x - y) + 128, 200 * (y - z) + 128], axis=-1)
    whole: NDArray[np.uint8] = np.rint(lab).clip(0, 255).astype(np.uint8)
    return whole


def _rgb(lab: NDArray[np.uint8]) -> Floats:
    """(H, W, 3) of `_lab` back to 0..255, whole numbers."""
    lightness, a, b = np.moveaxis(lab.astype(np.float64), -1, 0)
    y = (lightness / 2.55 + 16) / 116
    cube = np.stack([y + (a - 128) / 500, y, y - (b - 128) / 200], axis=-1)
    xyz = np.where(cube**3 > _EPSILON, cube**3, (116 * cube - 16) / _KAPPA) * np.array(_WHITE)
    linear = (xyz @ np.linalg.inv(_TO_XYZ).T).clip(0, 1)
    rgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, linear * 12.92)
    whole: Floats = np.rint(rgb * 255).clip(0, 255)
    return whole


def _histogram(source: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values of `source` replaced so that their distribution is that of `wanted`; rounded down to whole numbers."""
    counts = np.bincount(wanted.ravel(), minlength=256)
    levels = np.flatnonzero(counts)
    mine = np.cumsum(np.bincount(source.ravel(), minlength=256)) / source.size
    theirs = np.cumsum(counts[levels]) / wanted.size
    replaced: NDArray[np.uint8] = np.interp(mine, theirs, levels).astype(np.uint8)[source]
    return replaced


def _with_luminosity(colours: Floats, of: Floats) -> Floats:
    """The blend mode "luminosity" of W3C Compositing and Blending Level 1, section 10.2: SetLum and ClipColor."""
    shifted = colours + ((of - colours) @ _LUMA)[..., None]
    luma = (shifted @ _LUMA)[..., None]
    low, high = shifted.min(-1, keepdims=True), shifted.max(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        raised = np.where(low < 0, luma + (shifted - luma) * luma / (luma - low), shifted)
        clipped: Floats = np.where(high > 1, luma + (raised - luma) * (1 - luma) / (high - luma), raised)
    return clipped
