"""Methods of SuperMerger that look at a whole tensor at once, pure. Tensors of equal shape in, their merge out."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_TRIMMED = 1  # per cent of the similarities at either end that do not count
MEDIAN, SIGMA = 3, 1.0  # of the filters of smooth_add, along every axis


def smooth_add(a: Tensor, b: Tensor, c: Tensor | None, alpha: float) -> Tensor:
    """A + alpha smooth(B - C), where smooth is a median filter and then a Gaussian one. Without C the difference is 0.

    Both filters are those of scipy.ndimage, over all axes, with mirrored borders.
    """
    from scipy.ndimage import gaussian_filter, median_filter  # takes a moment to load

    if c is None or a.dim() == 0:
        return a
    difference = (b.float() - c.float()).numpy()
    smooth = gaussian_filter(median_filter(difference, size=MEDIAN), sigma=SIGMA)
    return a + alpha * torch.from_numpy(np.ascontiguousarray(smooth))


def exchanged(a: Tensor, b: Tensor, alpha: float, beta: float, axis: int) -> Tensor:
    """A with the rows of B from the share beta on, as many as the share alpha; what reaches over the end goes on at the
    beginning.

    Args:
        axis: 0 or 1; tensors without a second axis, and those with at most 100 places along it, count by the first,
            as in SuperMerger's "tensor2".
    """
    if a.dim() == 0:
        return a
    along = axis if a.dim() > axis else 0
    count = a.shape[1] if along == 1 and a.shape[1] > 100 else a.shape[0]
    whole, filler = (a, b) if alpha + beta <= 1 else (b, a)
    start, end = (beta, alpha + beta) if alpha + beta <= 1 else (alpha + beta - 1, beta)
    result = whole.clone()
    rows = (slice(None),) * along + (slice(int(count * start), int(count * end)),)
    result[rows] = filler[rows].to(result.dtype)
    return result


class Similarities(NamedTuple):
    """The lowest and the highest similarity of two checkpoints, without the extremes."""

    low: float
    high: float

    @classmethod
    def of(cls, found: Iterable[Tensor]) -> "Similarities":
        """From the similarities of all columns of all tensors; both 0 where there are none."""
        parts = [one.reshape(-1).float() for one in found]
        values = torch.cat(parts).double().numpy() if parts else np.zeros(0)
        values = values[~np.isnan(values)]
        if values.size:
            values = values[values >= np.percentile(values, _TRIMMED, method="midpoint")]
        if values.size:
            values = values[values <= np.percentile(values, 100 - _TRIMMED, method="midpoint")]
        return cls(float(values.min()), float(values.max())) if values.size else cls(0.0, 0.0)


def column_similarity(a: Tensor, b: Tensor, *, like_a: bool) -> Tensor:
    """The cosine of the angle between the columns of two tensors (along the first axis), shape a.shape[1:].

    Args:
        like_a: of cosine_a, the cosines alone; of cosine_b, their mean with that of the whole tensors.
    """
    cosine = torch.nn.functional.cosine_similarity(a.float(), b.float(), dim=0)
    return cosine if like_a else (cosine + _angle(a.float(), b.float())) / 2


def cosine(a: Tensor, b: Tensor, alpha: float, *, like_a: bool, among: Similarities) -> Tensor:
    """B (1 - k) + A k, column by column: the more alike the columns are among all, the more of A (k), less alpha.

    Args:
        like_a: cosine_a compares columns that have the length 1 each, cosine_b as they are.
        among: from all tensors of the two.
    """
    if a.dim() == 0:
        return a
    one, other = a.float(), b.float()
    if like_a:
        one, other = (torch.nn.functional.normalize(tensor, dim=0) for tensor in (one, other))
    alike = (torch.nn.functional.cosine_similarity(one, other, dim=0) + _angle(one, other)) / 2
    share = (alike - among.low) / ((among.high - among.low) or 1.0)
    kept = (share - (abs(alpha) if like_a else alpha)).clamp(0, 1)
    return b.float() * (1 - kept) + a.float() * kept


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """The cosine of the angle between whole tensors; 0 where one is all zeros."""
    length = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
    return torch.where(length > 0, (a * b).sum() / length.clamp(min=1e-30), torch.zeros_like(length))
