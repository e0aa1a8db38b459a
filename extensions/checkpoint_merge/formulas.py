"""The arithmetic of merging, pure and elementwise: tensors of equal shape in, their merge out. It reads no files.

Every function works on pieces of a tensor as well as on the whole; facts about the whole (the thresholds of TIES) are
parameters. Torch's promotion rules decide the number format, so callers choose when values are rounded.
"""

import math
import zlib

import numpy as np
import torch
from torch import Tensor


def weighted_sum(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) A + alpha B."""
    return (1 - alpha) * a + alpha * b


def add_difference(a: Tensor, b: Tensor, c: Tensor | None, alpha: float) -> Tensor:
    """A + alpha (B - C). Without C (it lacks the tensor) the difference is 0, as in A1111."""
    return a + _difference(b, c) * alpha


def add_difference_as_a(a: Tensor, b: Tensor, c: Tensor | None, alpha: float) -> Tensor:
    """The same with B - C rounded to the format of A, in which all the rest is computed, as SuperMerger does."""
    return a + _difference(b, c).to(a.dtype) * alpha


def _difference(b: Tensor, c: Tensor | None) -> Tensor:
    return torch.zeros_like(b) if c is None else b - c


def triple_sum(a: Tensor, b: Tensor, c: Tensor, alpha: float, beta: float) -> Tensor:
    """(1 - alpha - beta) A + alpha B + beta C."""
    return (1 - alpha - beta) * a + alpha * b + beta * c


def sum_twice(a: Tensor, b: Tensor, c: Tensor, alpha: float, beta: float) -> Tensor:
    """The weighted sum of A and B by alpha, then of that and C by beta."""
    return weighted_sum(weighted_sum(a, b, alpha), c, beta)


def train_difference(a: Tensor, b: Tensor, c: Tensor, alpha: float) -> Tensor:
    """A + 1.8 alpha (B - C) |B - A| / (|B - C| + |B - A|): what training added, less where A has it already.

    Formula of SuperMerger's "trainDifference"; where both distances are 0 nothing is added.
    """
    learned, apart = b - c, (b - a).abs()
    total = learned.abs() + apart
    share = torch.where(total > 0, apart / total, torch.zeros_like(total))
    return a + 1.8 * alpha * learned * share


def trim_threshold(task: Tensor, density: float) -> float:
    """The magnitude from which on a value is among the share `density` (0..1) of largest ones; inf keeps none."""
    kept = round(density * task.numel())
    if kept <= 0 or task.numel() == 0:
        return math.inf
    magnitudes = task.abs().reshape(-1).float().numpy()
    place = magnitudes.size - kept
    magnitudes.partition(place)  # in place, because a second copy of SDXL's embedding would take much memory
    return float(magnitudes[place])


def ties(a: Tensor, b: Tensor, c: Tensor, scale: float, thresholds: tuple[float, float]) -> Tensor:
    """C + scale x the merged task vectors of A and B (TIES-Merging, arXiv:2306.01708, algorithm 1).

    Trim each task vector (A - C, B - C) to its largest values, elect the sign of their sum, and take the mean of those
    that agree with it.

    Args:
        thresholds: of A's and of B's task vector, from `trim_threshold`.
    """
    trimmed = [
        torch.where(task.abs() >= threshold, task, torch.zeros_like(task))
        for task, threshold in zip((a - c, b - c), thresholds, strict=True)
    ]
    sign = (trimmed[0] + trimmed[1]).sign()
    agreeing = [torch.where(task.sign() == sign, task, torch.zeros_like(task)) for task in trimmed]
    count = sum(((task != 0).to(task.dtype) for task in agreeing), torch.zeros_like(c))
    return c + scale * (agreeing[0] + agreeing[1]) / count.clamp(min=1)


def dare(a: Tensor, b: Tensor, c: Tensor, scale: float, keeps: tuple[Tensor, Tensor], density: float) -> Tensor:
    """C + scale x (dropped A - C) + scale x (dropped B - C) (DARE, arXiv:2311.03099, eq. 1 to 3, task arithmetic).

    Args:
        keeps: which values of the two task vectors are kept, bool, each true with probability `density`.
        density: 1 - p of the paper, above 0; kept values are divided by it.
    """
    return c + (scale / density) * ((a - c) * keeps[0] + (b - c) * keeps[1])


class KeepSource:
    """Random choices of DARE for one tensor, drawn piece by piece; the same for the same seed, name and model."""

    def __init__(self, seed: int, name: str, model: str, density: float) -> None:
        """Args:
        model: "a" or "b", so that the two drop different values.
        """
        self._density = density
        self._generator = torch.Generator().manual_seed((seed << 32) ^ zlib.crc32(f"{model}:{name}".encode()))

    def __call__(self, count: int) -> Tensor:
        """The next `count` choices, (count,) bool."""
        return torch.rand(count, generator=self._generator) < self._density


def relative_distance(squared_difference: float, squared_norm: float) -> float:
    """|B - A| / |A|; 0 where both are 0, inf where only A is."""
    if squared_norm == 0:
        return 0.0 if squared_difference == 0 else math.inf
    return float(np.sqrt(squared_difference / squared_norm))
