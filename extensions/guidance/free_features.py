"""FreeU (arXiv:2309.11497, section 3), pure: what is done to the features before a skip connection joins them."""

import math

import torch
from torch import Tensor

from .levers import FreeU, FreeUStage


def share_of(freeu: FreeU, call: int, steps: int) -> float:
    """How much of FreeU acts at a call of the denoiser, of which the batch made so many before: 0 to 1.

    Start and stop are shares of the steps, or above 1 numbers of steps, as ljleb's extension counts them.
    """
    start, stop = (int(value * steps) if value <= 1 else int(value) for value in (freeu.start, freeu.stop))
    at_once = 1.0 if start <= call < stop else 0.0
    if start == stop:
        by_degrees = 0.0
    elif call < start:
        by_degrees = call / start
    else:
        by_degrees = max(0.0, 1 - (call - start) / (stop - start)) if stop > start else 1.0
    return (1 - freeu.smoothness) * at_once + freeu.smoothness * min(1.0, by_degrees)


def joined(features: Tensor, width: int, stage: FreeUStage, version: str, share: float) -> Tensor:
    """Backbone and skip connection (rows, width + skip, h, w), one behind the other, both changed.

    Args:
        width: channels of the backbone.
        share: how much of the change is made, 0 to 1.
    """
    backbone, skip = features[:, :width], features[:, width:]
    return torch.cat(
        [_weighted(backbone, stage, version, share), _filtered(skip, stage, share)], dim=1
    )  # fmt: skip


def _weighted(backbone: Tensor, stage: FreeUStage, version: str, share: float) -> Tensor:
    """Some channels times a factor; in version 2 most of it where the mean over all channels is large."""
    factor = 1 + (stage.backbone_factor - 1) * share
    if factor == 1:
        return backbone
    chosen = channels(stage.backbone_width, stage.backbone_offset, backbone.shape[1]).to(backbone.device)
    weight: Tensor | float = factor
    if version == "2":
        mean = backbone.mean(dim=1, keepdim=True)
        low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
        weight = 1 + (factor - 1) * ((mean - low) / (high - low).clamp(min=torch.finfo(mean.dtype).tiny))
    return torch.where(chosen[None, :, None, None], backbone * weight, backbone)


def channels(width: float, offset: float, count: int) -> Tensor:
    """(count,) bool: the channels from `offset` on, `width` of all, both ends included; past the last one they begin
    again at the first."""
    if width < 0:
        offset, width = offset + width, -width
    width, offset = min(width, 1.0), offset % 1.0
    numbers = torch.arange(count)
    if width + offset <= 1:
        return (round(offset * count) <= numbers) & (numbers <= round((width + offset) * count))
    return ~((round((width + offset - 1) * count) <= numbers) & (numbers <= round(offset * count)))


def _filtered(skip: Tensor, stage: FreeUStage, share: float) -> Tensor:
    """The skip connection with its low and its high frequencies times a factor each (equation 4 of the paper)."""
    low, high = 1 + (stage.skip_factor - 1) * share, 1 + (stage.skip_high_end_factor - 1) * share
    if low == 1 and high == 1:
        return skip
    waves = torch.fft.fftshift(torch.fft.fftn(skip.float(), dim=(-2, -1)), dim=(-2, -1))
    factors = torch.full(skip.shape[-2:], high, device=skip.device)
    row, column = skip.shape[-2] // 2, skip.shape[-1] // 2
    rows, columns = (max(1, math.floor(half * stage.skip_cutoff)) for half in (row, column))
    factors[max(0, row - rows) : row + rows, max(0, column - columns) : column + columns] = low
    shifted = torch.fft.ifftshift(waves * factors, dim=(-2, -1))
    filtered: Tensor = torch.fft.ifftn(shifted, dim=(-2, -1)).real
    return filtered.to(skip.dtype)
