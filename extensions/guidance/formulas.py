"""The arithmetic of changed guidance, pure: estimates (B, C, h, w) in, an estimate of the same shape out."""

import torch
from torch import Tensor


def rescaled(guided: Tensor, cond: Tensor, strength: float) -> Tensor:
    """CFG rescale (arXiv:2305.08891, equations 15 and 16): the guided estimate with the standard deviation of the
    prompt's own estimate.

    Args:
        strength: phi of the paper, 0 changes nothing, 1 takes the prompt's standard deviation.
    """
    ratio = _deviation(cond) / _deviation(guided).clamp(min=1e-8)
    return torch.lerp(guided, guided * ratio, strength)


def thresholded(guided: Tensor, cond: Tensor, uncond: Tensor, mimic_scale: float, percentile: float) -> Tensor:
    """Dynamic thresholding (Imagen, arXiv:2205.11487, section 2.3), carried over from pixels to latents.

    Imagen clips pixels to their percentile s and divides by s where s is over 1, the bound of pixels. Latents have no
    such bound: here it is the same percentile of the estimate at a modest guidance scale, u + m (c - u), and both are
    measured from the mean of each channel of each image.
    """
    mimic = uncond + mimic_scale * (cond - uncond)
    centre = guided.mean(dim=(2, 3), keepdim=True)
    away = guided - centre
    bound = _percentile(mimic - mimic.mean(dim=(2, 3), keepdim=True), percentile)
    reach = torch.maximum(_percentile(away, percentile), bound)
    return centre + away.clamp(-reach, reach) * (bound / reach.clamp(min=1e-8))


def _percentile(values: Tensor, share: float) -> Tensor:
    """(B, C, 1, 1): the magnitude that `share` of each channel's values stay within."""
    return torch.quantile(values.abs().flatten(2).float(), share, dim=2)[..., None, None].to(values)


def _deviation(values: Tensor) -> Tensor:
    """(B, 1, 1, 1) standard deviation of each image."""
    return values.std(dim=(1, 2, 3), keepdim=True)
