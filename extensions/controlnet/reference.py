"""Reference units, which need no control network. The UNet runs on a noised picture first; the inputs of its
self-attention are remembered, and the self-attention of the next call attends to them too; "adain" (arXiv:1703.06868)
matches the statistics of its features too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from webui.extension_api.tensors import LoadedModel

_EPSILON = 1e-6
_NO_FIDELITY = 1e-5
# Blocks of LDM's encoder and decoder whose features are matched, shallow to deep and deep to shallow.
_ENCODER = (4, 5, 7, 8, 10, 11)
_DECODER = (0, 1, 2, 3, 4, 5, 6, 7)
_XL_ENCODER, _XL_DECODER = _ENCODER[:4], _DECODER[:6]
_FEATURE_DEPTH = 2  # features are matched in half as many blocks as attention is shared in

Phase = Literal["off", "write", "read"]


@dataclass(frozen=True, slots=True)
class Look:
    """The settings of one unit for a call.

    Attributes:
        weight: share of the layers that take part, deep ones first.
        fidelity: 0..1, the share of the negative prompt's rows that stays as without the unit.
        attention, features: whether attention is shared, and whether features are matched.
    """

    weight: float
    fidelity: float
    attention: bool
    features: bool


class Reference:
    """Hooks on the layers of a UNet, with what they remember of a reference picture."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._phase: Phase = "off"
        self._look: Look | None = None
        self._negative = torch.zeros(0, dtype=torch.bool)  # (rows,), True for rows of the negative prompt
        self._seen: dict[nn.Module, list[tuple[Tensor, float]]] = {}
        self._statistics: dict[nn.Module, list[tuple[Tensor, Tensor, float]]] = {}

    @contextmanager
    def on(self) -> Iterator[None]:
        """Hook the layers."""
        handles = []
        try:
            for place, layer in _attention_layers(self._model):
                handles.append(layer.register_forward_hook(partial(self._attend, place)))
            for place, layer in _feature_layers(self._model):
                handles.append(layer.register_forward_hook(partial(self._match, place)))
            yield
        finally:
            for handle in handles:
                handle.remove()
            self.forget()

    @contextmanager
    def looking(self, look: Look) -> Iterator[None]:
        """While entered, the UNet runs on the noised picture, and the hooks remember."""
        self._phase, self._look = "write", look
        try:
            yield
        finally:
            self._phase = "off"

    def read(self, positive: Tensor) -> None:
        """Use what is remembered in the next call. `positive`: (rows,) bool, rows of the prompt."""
        self._phase = "read" if self._seen or self._statistics else "off"
        self._negative = ~positive

    def forget(self) -> None:
        """Forget everything that is remembered."""
        self._phase, self._look = "off", None
        self._seen, self._statistics = {}, {}

    def _attend(self, place: float, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        look = self._look
        if self._phase == "write" and look is not None and look.attention and look.weight > place:
            self._seen.setdefault(layer, []).append((inputs[0].clone(), look.fidelity))
        if self._phase != "read" or layer not in self._seen:
            return None
        seen = self._seen.pop(layer)
        hidden: Tensor = inputs[0]
        context = torch.cat([hidden, *(one for one, _ in seen)], dim=1)
        guided = layer.forward(hidden, context)
        return self._mixed(guided, output, sum(fidelity for _, fidelity in seen) / len(seen))

    def _match(self, place: float, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        features = output[0] if isinstance(output, tuple) else output
        look = self._look
        if self._phase == "write" and look is not None and look.features and look.weight > place:
            variance, mean = torch.var_mean(features, dim=(2, 3), keepdim=True, correction=0)
            self._statistics.setdefault(layer, []).append((mean, variance, look.fidelity))
        if self._phase != "read" or layer not in self._statistics:
            return None
        seen = self._statistics.pop(layer)
        variance, mean = torch.var_mean(features, dim=(2, 3), keepdim=True, correction=0)
        wanted_mean = sum((one[0] for one in seen), torch.zeros_like(mean)) / len(seen)
        wanted_variance = sum((one[1] for one in seen), torch.zeros_like(variance)) / len(seen)
        matched = (features - mean) / _deviation(variance) * _deviation(wanted_variance) + wanted_mean
        mixed = self._mixed(matched, features, sum(one[2] for one in seen) / len(seen))
        return (mixed, *output[1:]) if isinstance(output, tuple) else mixed

    def _mixed(self, guided: Tensor, own: Tensor, fidelity: float) -> Tensor:
        """fidelity x (rows of the negative prompt left alone) + (1 - fidelity) x (all rows guided)."""
        if fidelity <= _NO_FIDELITY:
            return guided
        left_alone = torch.where(self._negative.view(-1, *[1] * (own.ndim - 1)), own, guided)
        return fidelity * left_alone + (1 - fidelity) * guided


def _deviation(variance: Tensor) -> Tensor:
    return variance.clamp(min=_EPSILON).sqrt()


def _attention_layers(model: LoadedModel) -> list[tuple[float, nn.Module]]:
    """Self-attention layers with their places 0..1: wide layers first, then in the network's order."""
    found: list[tuple[int, nn.Module]] = []
    unet = model.unet.module
    for part in (unet.down_blocks, unet.mid_block, unet.up_blocks):
        for name, module in part.named_modules():
            if name.endswith(".attn1"):
                found.append((int(module.to_q.in_features), module))
    found.sort(key=lambda one: -one[0])
    return [(number / len(found), module) for number, (_, module) in enumerate(found)]


def _feature_layers(model: LoadedModel) -> list[tuple[float, nn.Module]]:
    """The last layer of each block whose features are matched, with its place 0..1."""
    is_xl = model.unet.shape.vector_width is not None
    encoder, decoder = (_XL_ENCODER, _XL_DECODER) if is_xl else (_ENCODER, _DECODER)
    places = [("middle_block", 0.0)]
    places += [(f"input_blocks.{block}", 1 - number / len(encoder)) for number, block in enumerate(encoder)]
    places += [(f"output_blocks.{block}", number / len(decoder)) for number, block in enumerate(decoder)]
    found = []
    for block, place in places:
        layer = _last_layer(model, block)
        if layer is not None:
            found.append((place * _FEATURE_DEPTH, layer))
    return found


def _last_layer(model: LoadedModel, block: str) -> nn.Module | None:
    """The module whose output is that of a block of LDM."""
    unet, layout = model.unet.module, model.unet.shape.layout
    if block == "middle_block":
        middle: nn.Module = unet.mid_block
        return middle
    modules: dict[str, nn.Module] = dict(unet.named_modules())
    for probe in (f"{block}.2.conv", f"{block}.1.conv", f"{block}.1", f"{block}.0.in_layers.0"):
        there = layout.to_diffusers(probe)
        if there is None:
            continue
        if probe.endswith((".conv", ".in_layers.0")):
            there = there.rpartition(".")[0]  # the whole upsampler or residual block
        found: nn.Module | None = modules.get(there)
        if found is not None:
            return found
    return None
