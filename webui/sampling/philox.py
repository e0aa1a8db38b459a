"""Philox4x32-10, the counter-based generator behind CUDA's normal draws, in numpy. Which seed an image has is decided
elsewhere.

Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; the mapping of counters to elements is that
of one CUDA thread per element, so a CPU repeats what an NVIDIA card drew (to about 2e-7, below roughly 100k elements).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]  # 32-bit words held in 64 bits, so that products do not overflow

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)  # golden ratio and sqrt(3) - 1: the Weyl sequence of the key schedule
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MASK_64 = 2**64 - 1

# CUDA rounds both constants to float32; everything after is float64.
_TO_UNIT = float(np.float32(2.3283064e-10))  # 2^-32
_TO_ANGLE = float(np.float32(2.3283064e-10 * 6.2831855))  # 2^-32 x 2 pi


def philox4x32(counter: tuple[Words, Words, Words, Words], seed: int) -> tuple[Words, Words, Words, Words]:
    """Ten rounds over many counters at once.

    Args:
        counter: four arrays of 32-bit words, all of one shape.
        seed: the key, taken modulo 2^64.

    Returns:
        Four arrays of 32-bit words of the same shape.
    """
    c0, c1, c2, c3 = counter
    key = seed & _MASK_64
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(_ROUNDS):
        p, q = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (q >> _HALF) ^ c1 ^ np.uint64(k0), q & _LOW, (p >> _HALF) ^ c3 ^ np.uint64(k1), p & _LOW
        k0, k1 = (k0 + _KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + _KEY_STEPS[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


class Philox:
    """A stream of normal draws: `seed` (any integer, modulo 2^64) and a counter of the arrays drawn so far."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.offset = 0

    def normal(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """The next array of unit normal values (Box-Muller, the sine half), float32 of that shape."""
        elements = np.arange(math.prod(shape), dtype=np.uint64)
        zeros = np.zeros_like(elements)
        counter = (np.full_like(elements, self.offset & 0xFFFFFFFF), zeros, elements, zeros)
        self.offset += 1
        first, second, _, _ = philox4x32(counter, self.seed)
        radius = first.astype(np.float64) * _TO_UNIT + _TO_UNIT / 2
        angle = second.astype(np.float64) * _TO_ANGLE + _TO_ANGLE / 2
        values = np.sqrt(-2.0 * np.log(radius)) * np.sin(angle)
        return values.astype(np.float32).reshape(tuple(shape))
