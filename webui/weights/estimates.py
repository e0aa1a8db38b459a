"""How much memory a call of a network is expected to need beside its weights.

The laws are read from runs of the real networks with sizes alone (docs/benchmarks.md has the table); attention is
fused. What a device measured corrects them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_UNET = 28  # values a row and latent cell, for each channel of the first level
_DECODER = 6  # values a pixel, for each channel of the first level
_ENCODER = 5
_MOST = 4.0  # a single measurement makes an estimate at most so much larger


def unet_activations(sample: Tensor, channels: int, dtype: torch.dtype) -> int:
    """Bytes for a call of a UNet with rows (rows, C, h, w), whose first level has so many channels."""
    rows, _, height, width = sample.shape
    return unet_activations_of(rows, height, width, channels, dtype)


def unet_activations_of(rows: int, height: int, width: int, channels: int, dtype: torch.dtype) -> int:
    """The same for rows of height x width latent cells."""
    return rows * height * width * channels * _UNET * dtype.itemsize


def decoder_activations(height: int, width: int, channels: int, dtype: torch.dtype) -> int:
    """Bytes to decode one picture of height x width pixels."""
    return height * width * channels * _DECODER * dtype.itemsize


def encoder_activations(height: int, width: int, channels: int, dtype: torch.dtype) -> int:
    """Bytes to encode one picture of height x width pixels."""
    return height * width * channels * _ENCODER * dtype.itemsize


def tower_activations(tokens: Sequence[int], width: int, dtype: torch.dtype) -> int:
    """Bytes to encode tokens (B, W) with a text encoder of a width."""
    rows, window = tokens
    return rows * window * width * 40 * dtype.itemsize


class Estimates:
    """Estimates by network, corrected by what was measured."""

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}
        self._seen: set[tuple[str, int]] = set()

    def corrected(self, name: str, estimate: int) -> int:
        """An estimate for a network, as its last calls have corrected it."""
        return int(estimate * self._factors.get(name, 1.0))

    def knows(self, name: str, estimate: int) -> bool:
        """Whether a network was measured at this size before, or there is nothing to measure."""
        return estimate <= 0 or (name, estimate) in self._seen

    def measured(self, name: str, estimate: int, needed: int) -> None:
        """A call needed so much; the larger of what was found and half-way to it counts from now on."""
        self._seen.add((name, estimate))
        if estimate <= 0 or needed <= 0:
            return
        found = min(needed / estimate, _MOST)
        known = self._factors.get(name, 1.0)
        self._factors[name] = found if found > known else (known + found) / 2
