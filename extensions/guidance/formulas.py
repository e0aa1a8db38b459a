"""The arithmetic of changed guidance, pure: estimates (B, C, h, w) in, an estimate of the same shape out."""

import torch
from torch import Tensor

_LEAST = 1e-8


def projected(
    guided: Tensor,
    cond: Tensor,
    uncond: Tensor,
    scale: float,
    *,
    eta: float,
    norm: float,
    momentum: float = 0.0,
    before: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Adaptive projected guidance (arXiv:2410.02416, algorithm 1).

    Args:
        guided: uncond + scale x direction; of a prompt with AND the direction is that of all its parts.
        scale: the guidance scale w, above 0.
        eta: share of the guidance along the prompt's estimate; 1 with norm 0 and momentum 0 is ordinary guidance.
        norm: the longest guidance, as the length of each image's vector; 0: no limit.
        momentum: share of the guidance before that is added to this one's.
        before: what the call before gave back second; None at the first.

    Returns:
        The estimate, and the guidance with its momentum for the next call.
    """
    away = (guided - uncond) / scale
    if momentum and before is not None and before.shape == away.shape:
        away = away + momentum * before
    kept = away
    if norm > 0:
        length = torch.linalg.vector_norm(away, dim=(1, 2, 3), keepdim=True)
        away = away * (norm / length.clamp(min=_LEAST)).clamp(max=1)
    unit = cond / torch.linalg.vector_norm(cond, dim=(1, 2, 3), keepdim=True).clamp(min=_LEAST)
    along = (away * unit).sum(dim=(1, 2, 3), keepdim=True) * unit
    return uncond + (guided - uncond) / scale + (scale - 1) * (away - along + eta * along), kept
