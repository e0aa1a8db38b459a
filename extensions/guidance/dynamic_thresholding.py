"""Dynamic thresholding of guidance in latents, pure: Imagen's (arXiv:2205.11487, section 2.3) keeps pixels within the
bound that pictures have; latents have none, so the bound is the range of the same estimate at a modest guidance scale.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from .levers import Mode, Thresholding

_QUARTER, _WHOLE = 1.5707, 6.28318  # as the extension for A1111 has them; pictures depend on the last digits
_CURVES: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {
        "Constant": lambda done, value: 1.0,
        "Linear Down": lambda done, value: 1 - done,
        "Cosine Down": lambda done, value: math.cos(done * _QUARTER),
        "Half Cosine Down": lambda done, value: math.cos(done),
        "Linear Up": lambda done, value: done,
        "Cosine Up": lambda done, value: 1 - math.cos(done * _QUARTER),
        "Half Cosine Up": lambda done, value: 1 - math.cos(done),
        "Power Up": lambda done, value: done**value,
        "Power Down": lambda done, value: 1 - done**value,
        "Linear Repeating": lambda done, value: abs(1 - 2 * (done * value % 1)),
        "Cosine Repeating": lambda done, value: math.cos(done * _WHOLE * value) / 2 + 0.5,
        "Sawtooth": lambda done, value: done * value % 1,
    }
)


def scheduled(scale: float, mode: Mode, least: float, value: float, done: float) -> float:
    """A guidance scale at a share `done` of the calls, 0 at the first and 1 at the last that was planned.

    Args:
        least: what the scale would be where the curve of the mode is 0.
        value: exponent or number of repetitions, for modes that have one.
    """
    return (scale - least) * _CURVES[mode](done, value) + least


def thresholded(guided: Tensor, uncond: Tensor, cfg_scale: float, chosen: Thresholding, done: float) -> Tensor:
    """The guided estimate (B, C, h, w) with the range of values that it would have at the mimic scale.

    Args:
        guided: uncond + cfg_scale x direction.
        cfg_scale: above 0.
        done: see `scheduled`.
    """
    direction = (guided - uncond) / cfg_scale
    mimic_scale = scheduled(chosen.mimic_scale, chosen.mimic_mode, chosen.mimic_scale_min, chosen.sched_val, done)
    scale = scheduled(cfg_scale, chosen.cfg_mode, chosen.cfg_scale_min, chosen.sched_val, done)
    mimic, ours = (uncond + direction * mimic_scale).flatten(2), (uncond + direction * scale).flatten(2)
    centre = ours.mean(dim=2, keepdim=True)
    away, mimic_away = ours - centre, mimic - mimic.mean(dim=2, keepdim=True)
    reach, wanted = _reach(away, chosen, chosen.percentile / 100), _reach(mimic_away, chosen, 1.0)
    if chosen.startpoint == "ZERO":
        result = ours * (wanted / reach)
    elif chosen.measure == "STD":
        result = away / reach * wanted + centre
    else:
        bound = torch.maximum(reach, wanted)
        result = away.clamp(-bound, bound) / bound * wanted + centre
    return torch.lerp(ours, torch.where(result.isfinite(), result, ours), chosen.phi).view_as(guided)


def _reach(away: Tensor, chosen: Thresholding, share: float) -> Tensor:
    """How far values lie from their mean: (B, C, 1) for each channel, or one number for all of (B, C, cells)."""
    if chosen.measure == "STD":
        return away.std(dim=2, keepdim=True) if chosen.separate else away.std()
    size = away.abs()
    if share >= 1:
        return size.amax(dim=2, keepdim=True) if chosen.separate else size.max()
    if chosen.separate:
        return _quantile(size, share)
    return _quantile(size.reshape(1, 1, -1), share).reshape(())


def _quantile(values: Tensor, share: float) -> Tensor:
    """(B, C, n) -> (B, C, 1), between neighbours linearly. torch.quantile refuses more than 16 million values."""
    place = share * (values.shape[2] - 1)
    ordered = values.sort(dim=2).values
    low, high = ordered[..., math.floor(place)], ordered[..., math.ceil(place)]
    return torch.lerp(low, high, place % 1)[..., None]
