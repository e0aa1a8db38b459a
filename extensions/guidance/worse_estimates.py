"""Estimates that are made worse on purpose, so that guidance can lead away from them: without self-attention (PAG), and
blurred where the network looks most (SAG)."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from webui.extension_api.tensors import Attend, Attention, AttentionLayer, TakePart

from .levers import Perturbed, SelfAttention

BLUR = 9  # cells along a side of the kernel
Ask = Callable[[Tensor, bool], Tensor]


def middle_layers(layers: Mapping[str, AttentionLayer]) -> list[str]:
    """The self-attention layers in the middle of the network; where it has none there, its deepest ones."""
    own = {name: layer for name, layer in layers.items() if layer.kind == "self"}
    middle = [name for name, layer in own.items() if layer.block == "middle"]
    deepest = max((layer.level for layer in own.values()), default=0)
    return middle or [name for name, layer in own.items() if layer.level == deepest]


def identity(attention: Attention, attend: Attend) -> Tensor:
    """Each token attends to itself alone: the values are the answer (arXiv:2403.17377, equation 15)."""
    return attention.value.transpose(1, 2).flatten(2)


def perturbed_scale(chosen: Perturbed, progress: float, acted: int) -> float:
    """The scale at a share of the steps, after so many calls in which it acted."""
    if not chosen.start <= progress <= chosen.end:
        return 0.0
    return max(0.0, chosen.scale * (1 - acted * chosen.attenuation / 100))


class SeenAttention:
    """How much the places of the picture are looked at in the middle of the network, for the negative prompt."""

    def __init__(self) -> None:
        self._map: Tensor | None = None

    def forget(self) -> None:
        self._map = None

    def taking_part(self, negative: list[int]) -> TakePart:
        """What watches a layer for these rows of a call."""

        def watch(attention: Attention, attend: Attend) -> Tensor:
            wanted = set(negative)
            places = [place for place, row in enumerate(attention.rows) if row in wanted]
            if places:
                query, key = attention.query[places].float(), attention.key[places].float()
                weights = (query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])).softmax(dim=-1)
                self._map = weights.mean(dim=1).sum(dim=1).view(len(places), 1, *attention.size)
            return attend(attention)

        return watch

    def mask(self, size: tuple[int, int], threshold: float) -> Tensor | None:
        """(B, 1, h, w) 1 where attention is above `threshold`, else 0; None where none was seen."""
        if self._map is None:
            return None
        return functional.interpolate((self._map > threshold).float(), size=size, mode="nearest-exact")


def self_attention_guided(
    guided: Tensor, uncond: Tensor, latents: Tensor, mask: Tensor, chosen: SelfAttention, ask: Ask
) -> Tensor:
    """The guided estimate, led away from what becomes of a picture that is blurred where the network looks
    (arXiv:2210.00939, algorithm 1). All (B, C, h, w); `latents` are clean + sigma x noise."""
    here = mask.to(uncond)
    degraded = blurred(uncond, chosen.blur_sigma) * here + uncond * (1 - here)
    worse = ask(degraded + latents - uncond, False)
    return guided + chosen.scale * (degraded - worse)


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """A Gaussian of 9 x 9 cells over each channel."""
    side = min(BLUR, *(2 * size - 1 for size in picture.shape[-2:]))
    away = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    line = (-0.5 * (away / sigma) ** 2).exp()
    kernel = torch.outer(line, line)
    kernel = (kernel / kernel.sum()).to(picture).expand(picture.shape[1], 1, side, side)
    padded = functional.pad(picture, [side // 2] * 4, mode="reflect")
    return functional.conv2d(padded, kernel, groups=picture.shape[1])
