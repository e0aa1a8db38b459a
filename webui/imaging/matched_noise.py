"""Noise that continues a picture: with the spectrum and the colours of what is there, for parts that are to be painted.

The method is that of outpainting by spectral matching ("outpainting mk2" of A1111): noise is shaped in the Fourier
domain by the magnitudes of the picture and by its phases, and its histogram is then matched to the picture's.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

_PAINTED, _KEPT = 1e-6, 1e-3  # a mask above the first is painted, below the second kept


def filled_with_noise(picture: Image.Image, mask: Image.Image, exponent: float, variation: float) -> Image.Image:
    """The picture (RGB) with noise where the mask (L, same size, white is painted) covers it.

    Args:
        exponent: of the picture's magnitudes; larger ones make smoother noise.
        variation: 0..1, how much the noise of the colours differs.
    """
    painted = np.asarray(mask.convert("L"), np.float64)[..., None] / 255
    source = np.asarray(picture.convert("RGB"), np.float64) / 255
    noise = _shaped(source, painted, exponent, variation)
    covered, kept = painted[..., 0] > _PAINTED, painted[..., 0] < _KEPT
    noise[covered] = _with_histogram(noise[covered], source[kept])
    whole = (source * (1 - painted) + noise * painted).clip(0, 1)
    return Image.fromarray((whole * 255).clip(0, 255).astype(np.uint8))


def _shaped(source: Floats, painted: Floats, exponent: float, variation: float) -> Floats:
    """Noise 0..1 with the spectrum of the source, (H, W, 3)."""
    windowed = source * (1 - painted)
    windowed /= max(float(windowed.max()), 1e-12)
    windowed += source.mean() * painted  # of the whole picture, what is to be painted over included
    spectrum = _forward(windowed)
    magnitude = np.abs(spectrum)
    phase = spectrum / np.maximum(magnitude, 1e-300)
    drawn = np.random.default_rng(0).random(source.shape)
    grey = drawn.sum(axis=2, keepdims=True) / 3
    drawn = drawn * variation + (1 - variation) * grey
    smooth = np.real(_backward(_forward(drawn) * _window(*source.shape[:2])[..., None]))
    shaped = np.real(_backward(np.abs(_forward(smooth)) ** 2 * magnitude**exponent * phase))
    shaped -= shaped.min()
    result: Floats = shaped / max(float(shaped.max()), 1e-12)
    return result


def _forward(pixels: Floats) -> Spectrum:
    shifted = np.fft.fftshift(pixels, axes=(0, 1))
    found: Spectrum = np.fft.ifftshift(np.fft.fft2(shifted, axes=(0, 1), norm="ortho"), axes=(0, 1))
    return found


def _backward(spectrum: Spectrum) -> Spectrum:
    shifted = np.fft.fftshift(spectrum, axes=(0, 1))
    found: Spectrum = np.fft.ifftshift(np.fft.ifft2(shifted, axes=(0, 1), norm="ortho"), axes=(0, 1))
    return found


def _window(height: int, width: int) -> Floats:
    """1 in the middle, falling off with the square of the distance on each axis; (height, width)."""
    shorter = min(height, width)
    down = (np.arange(height) / height * 2 - 1) * (height / shorter)
    across = (np.arange(width) / width * 2 - 1) * (width / shorter)
    window: Floats = 1 / ((down[:, None] ** 2 + 1) * (across[None] ** 2 + 1))
    return window


def _with_histogram(source: Floats, wanted: Floats) -> Floats:
    """Values (N, 3) replaced so that each channel has the distribution of `wanted` (M, 3)."""
    if not len(source) or not len(wanted):
        return source
    result = np.empty_like(source)
    for channel in range(source.shape[1]):
        _, place, counts = np.unique(source[:, channel], return_inverse=True, return_counts=True)
        levels, theirs = np.unique(wanted[:, channel], return_counts=True)
        shares = np.cumsum(counts) / len(source)
        result[:, channel] = np.interp(shares, np.cumsum(theirs) / len(wanted), levels)[place.ravel()]
    return result
