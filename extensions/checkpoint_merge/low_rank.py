"""Low-rank mathematics of LoRAs: the nearest factors of a given rank, for sums of LoRAs and for whole differences."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .loras import Factors


def stacked(parts: Sequence[tuple[Factors, float]]) -> Factors:
    """The weighted sum of LoRAs, exactly: the factors side by side, so the ranks add up. Its scale is 1.

    Args:
        parts: factors of equal outer shapes, each with its weight.
    """
    up = torch.cat([factors.up * (factors.scale * weight) for factors, weight in parts], dim=1)
    return Factors(up, torch.cat([factors.down for factors, _ in parts]), 1.0)


def reduced(factors: Factors, rank: int, clamp: float) -> Factors:
    """The nearest factors of at most `rank` in the Frobenius norm (Eckart-Young), scale 1.

    The singular values of U D come from the small core of two QR decompositions, so the full matrix is never made.
    """
    q_up, r_up = torch.linalg.qr(factors.up.double() * factors.scale)
    q_down, r_down = torch.linalg.qr(factors.down.flatten(1).double().T)
    left, values, right = torch.linalg.svd(r_up @ r_down.T, full_matrices=False)
    return _cut(q_up @ left, values, right @ q_down.T, rank, clamp, factors.down.shape[1:])


def nearest(delta: Tensor, rank: int, clamp: float) -> Factors:
    """The nearest factors of at most `rank` of a whole difference (out, in, ...), scale 1."""
    left, values, right = torch.linalg.svd(delta.flatten(1), full_matrices=False)
    return _cut(left, values, right, rank, clamp, delta.shape[1:])


def _cut(left: Tensor, values: Tensor, right: Tensor, rank: int, clamp: float, inner: torch.Size) -> Factors:
    """up = U_r diag(S_r), down = V_r^T, both cut off at the `clamp` quantile of all their values (1: not at all)."""
    rank = min(rank, len(values))
    up, down = (left[:, :rank] * values[:rank]).float(), right[:rank].float().clone()  # frees the rest
    if clamp < 1:
        top = _quantile(torch.cat([up.reshape(-1), down.reshape(-1)]), clamp)
        up, down = up.clamp(-top, top), down.clamp(-top, top)
    return Factors(up, down.reshape(rank, *inner), 1.0)


def _quantile(values: Tensor, share: float) -> float:
    """As `torch.quantile`, which takes no more than 16 million values: linear between the two nearest."""
    ordered = values.sort().values
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (at - low))
