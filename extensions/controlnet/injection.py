"""Weights a network's residuals by layer, control mode and region, and says in which steps a unit acts. These are pure
functions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .options import Unit

LAYERS = 13  # number of residuals of an SD1 network, the last of which is for the middle block
_FADE = 0.825  # ratio of the soft weight of a layer to that of the next deeper layer
_ADAPTER_FADE = (0.25, 0.62, 0.825, 1.0)
_SHARP_MODULES = ("canny", "mlsd")  # their hard lines are weakened in the second pass of hires fix

BALANCED = "Balanced"
CONTROL_WINS = "ControlNet is more important"


def is_soft(unit: Unit, module: str, *, hires: bool) -> bool:
    """Whether shallow layers count less than deep ones."""
    return unit.control_mode != BALANCED or (hires and any(word in module for word in _SHARP_MODULES))


def layer_weights(unit: Unit, count: int, *, soft: bool) -> tuple[float, ...]:
    """Factors for `count` residuals, shallow to deep. SDXL's ten take the first of SD1's thirteen, as in A1111."""
    if unit.advanced_weighting is not None:
        given = unit.advanced_weighting[:count]
        return (*given, *((unit.weight,) * (count - len(given))))
    if not soft:
        return (unit.weight,) * count
    fade = [unit.weight * _FADE ** (LAYERS - 1 - number) for number in range(max(LAYERS, count))]
    return tuple(fade[:count])


def adapter_weights(unit: Unit, count: int, *, soft: bool) -> tuple[float, ...]:
    """Factors for the levels of a T2I-Adapter."""
    if unit.advanced_weighting is not None or not soft:
        return layer_weights(unit, count, soft=False)
    return tuple(unit.weight * fade for fade in _ADAPTER_FADE[:count])


def weighted(
    residuals: Sequence[Tensor],
    weights: Sequence[float],
    *,
    rows: Tensor | None = None,
    region: Tensor | None = None,
    averaged: bool = False,
) -> tuple[Tensor, ...]:
    """Residuals (rows, C, h, w) as they are added.

    Args:
        rows: (rows,) bool, where control acts; None: everywhere.
        region: (1, 1, H, W) in 0..1, where control acts; None: everywhere.
        averaged: whether to average over the area, so that only the style remains (Shuffle networks).
    """
    return tuple(
        _weighted(residual, weight, rows, region, averaged=averaged)
        for residual, weight in zip(residuals, weights, strict=True)
    )


def _weighted(residual: Tensor, weight: float, rows: Tensor | None, region: Tensor | None, *, averaged: bool) -> Tensor:
    size = residual.shape[-2:]
    added = residual * weight
    if averaged:
        added = added.mean(dim=(2, 3), keepdim=True).expand(-1, -1, *size)
    if rows is not None:
        added = added * rows[:, None, None, None].to(added)
    if region is not None:
        added = added * functional.interpolate(region, size=size, mode="bilinear").to(added)
    return added


def is_within(unit: Unit, done: int, total: int, *, hires: bool) -> bool:
    """Whether the unit acts in a call.

    Args:
        done: the number of the last step in which a first call was finished.
        total: steps of the run.
        hires: whether the call belongs to the second pass of hires fix.
    """
    if unit.hr_option == ("Low res only" if hires else "High res only"):
        return False
    return unit.guidance_start <= done / max(1, total) <= unit.guidance_end


def level_sizes(latent: tuple[int, int], halvings: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes of a UNet's feature maps after so many halvings, each rounded up."""
    return [(_halved(latent[0], times), _halved(latent[1], times)) for times in halvings]


def resized_to(features: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Feature maps at these sizes, by nearest neighbour."""
    return [
        one if one.shape[-2:] == torch.Size(size) else functional.interpolate(one, size=size, mode="nearest")
        for one, size in zip(features, sizes, strict=True)
    ]


def _halved(side: int, times: int) -> int:
    for _ in range(times):
        side = (side + 1) // 2
    return side
