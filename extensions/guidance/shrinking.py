"""Deep shrink (Kohya's hires fix): behind one block of the encoder features are made smaller, so that the deep layers
see a picture of the size that they were trained on; where a larger skip connection joins, they are enlarged again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .levers import DeepShrink, Resizing
from .unet_joints import input_blocks, joints

_LAST_TIMESTEP = 999.0


def resized(features: Tensor, size: tuple[int, int], method: Resizing) -> Tensor:
    """Features (rows, C, h, w) at another size."""
    if tuple(features.shape[-2:]) == size:
        return features
    if method == "bislerp":
        return _bislerp(features, size)
    smooth = {"align_corners": False} if method in ("bicubic", "bilinear") else {}
    other: Tensor = functional.interpolate(features.float(), size=size, mode=method, **smooth)
    return other.to(features.dtype)


def _bislerp(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear for directions, and bilinear for lengths: vectors of channels do not get shorter between two others."""
    lengths = torch.linalg.vector_norm(features.float(), dim=1, keepdim=True)
    grow = partial(functional.interpolate, size=size, mode="bilinear", align_corners=False)
    directions = grow(features.float() / lengths.clamp(min=1e-8))
    directions = directions / torch.linalg.vector_norm(directions, dim=1, keepdim=True).clamp(min=1e-8)
    mixed: Tensor = directions * grow(lengths)
    return mixed.to(features.dtype)


class Shrinking:
    """Hooks on the layers of a UNet that shrink while they are told to."""

    def __init__(self, chosen: DeepShrink) -> None:
        self._chosen = chosen
        self._acts = False
        self._sizes: dict[int, tuple[int, int]] = {}  # of the skip connections of this call

    def begin(self, timestep: float) -> None:
        """A call of the network begins, at a timestep 0..999."""
        done = 1 - timestep / _LAST_TIMESTEP
        self._acts = self._chosen.start <= done <= self._chosen.end
        self._sizes.clear()

    @contextmanager
    def on(self, unet: Any) -> Iterator[None]:
        """Hook the layers of diffusers' UNet."""
        blocks, handles = input_blocks(unet), []
        at = min(self._chosen.block, len(blocks) - 1)
        behind = blocks[at + 1].first if at + 1 < len(blocks) else unet.mid_block
        try:
            if not self._chosen.after_skip:
                handles.append(blocks[at].last.register_forward_hook(self._shrink_output))
            for number, block in enumerate(blocks):
                handles.append(block.last.register_forward_hook(partial(self._remember, number)))
            if self._chosen.after_skip:
                handles.append(behind.register_forward_pre_hook(self._shrink_input, with_kwargs=True))
            for joint in joints(unet):
                handles.append(joint.below.register_forward_hook(partial(self._enlarge, joint.skip)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _remember(self, number: int, layer: nn.Module, given: Any, output: Any) -> None:
        features = _features(output)
        self._sizes[number] = (features.shape[-2], features.shape[-1])

    def _shrink_output(self, layer: nn.Module, given: Any, output: Any) -> Any:
        return _with(output, self._smaller(_features(output))) if self._acts else None

    def _shrink_input(self, layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if not self._acts:
            return None
        if given:
            return (self._smaller(given[0]), *given[1:]), named
        return given, {**named, "hidden_states": self._smaller(named["hidden_states"])}

    def _enlarge(self, skip: int, layer: nn.Module, given: Any, output: Any) -> Any:
        if not self._acts:
            return None
        return _with(output, resized(_features(output), self._sizes[skip], self._chosen.upscaling))

    def _smaller(self, features: Tensor) -> Tensor:
        height, width = (max(1, round(side / self._chosen.factor)) for side in features.shape[-2:])
        return resized(features, (height, width), self._chosen.downscaling)


def _features(output: Any) -> Tensor:
    features: Tensor = output[0] if isinstance(output, tuple) else output
    return features


def _with(output: Any, features: Tensor) -> Any:
    return (features, *output[1:]) if isinstance(output, tuple) else features
