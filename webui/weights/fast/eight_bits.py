"""Linear layers in 8 bits: both factors of each product are rounded, which is quicker where a device multiplies so.

int8 rounds a weight by output channels and an input by tokens (vector-wise quantisation, arXiv:2208.07339, section
3.1); fp8 (E4M3, arXiv:2209.05433) has exponents, so each factor has one scale. Weights are rounded once a run.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from webui.sampling.steps import ModelCall, Residuals
from webui.weights.card_formats import Card
from webui.weights.fast.overriding import stand_in
from webui.weights.owned import writes
from webui.weights.resident import Resident
from webui.weights.streaming import FP8

Format = Literal["int8", "fp8"]
MULTIPLE = 16  # of the widths of a layer that a card multiplies in 8 bits
LEAST_ROWS = 17  # of an input, likewise; smaller products gain nothing
_INT8_MOST, _FP8_MOST = 127, 448
_TINY = 1e-12  # in place of the scale of nothing but zeros


@dataclass(frozen=True, slots=True)
class Rounded:
    """A matrix in 8 bits; `values` times `scale` is about what it was.

    Attributes:
        values: (rows, columns).
        scale: float32; (rows, 1), or without dimensions for all of it.
    """

    values: Tensor
    scale: Tensor


def in_int8(matrix: Tensor) -> Rounded:
    """A matrix rounded row by row."""
    scale = matrix.abs().amax(dim=1, keepdim=True).float().clamp_(min=_TINY) / _INT8_MOST
    return Rounded((matrix / scale).round_().to(torch.int8), scale)


def in_fp8(matrix: Tensor) -> Rounded:
    """A matrix rounded with one scale. Waits for no device."""
    scale = matrix.abs().amax().float().clamp_(min=_TINY) / _FP8_MOST
    return Rounded((matrix.float() / scale).to(FP8), scale)


def int8_product(inputs: Rounded, weight: Rounded, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """(M, K) inputs and (N, K) weight -> (M, N) of `dtype`."""
    answer = torch._int_mm(inputs.values, weight.values.t()) * inputs.scale
    scale = weight.scale.view(-1)
    return (answer.mul_(scale) if bias is None else torch.addcmul(bias.float(), answer, scale)).to(dtype)


def fp8_product(inputs: Rounded, weight: Rounded, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """As `int8_product`."""
    answer = torch._scaled_mm(
        inputs.values, weight.values.t(), scale_a=inputs.scale, scale_b=weight.scale, out_dtype=dtype
    )
    return answer if bias is None else answer + bias


_ROUND = MappingProxyType({"int8": in_int8, "fp8": in_fp8})
_MULTIPLY = MappingProxyType({"int8": int8_product, "fp8": fp8_product})


def why_not(kind: Format, card: Card) -> str:
    """Why a device does not multiply in this format, in a sentence; "" where it does."""
    has = {"int8": card.multiplies_int8, "fp8": card.multiplies_fp8}
    if has[kind]:
        return ""
    needed = {
        "int8": "a CPU, or NVIDIA's cards from Turing on",
        "fp8": "NVIDIA's cards of compute capability 8.9 and above (Ada, Hopper, Blackwell)",
    }
    return f"linear layers were computed as usual: {kind} products need {needed[kind]}; the other format may be there"


class EightBits:
    """The linear layers of one run of a sampler. Implements `overriding.Approximation`.

    Attributes:
        multiplied: products that were computed in 8 bits.
    """

    def __init__(self, kind: Format, resident: Resident, tell: Callable[[str], None] = lambda text: None) -> None:
        """Args:
        resident: the network that the layers belong to; while its weights stream there is no room for other copies.
        tell: is told once what the user should know.
        """
        self.multiplied = 0
        self._kind = kind
        self._resident = resident
        self._tell = tell
        self._acts = False
        self._kept: dict[nn.Linear, tuple[object, Rounded]] = {}

    def install(self, network: nn.Module, until: ExitStack) -> None:
        for layer in network.modules():
            if type(layer) is nn.Linear and not (layer.in_features % MULTIPLE or layer.out_features % MULTIPLE):
                stand_in(layer, partial(self._answer, layer), until)
        until.callback(self._kept.clear)

    def begin(self, call: ModelCall, residuals: Residuals | None) -> None:
        self._acts = self._has_room()

    def end(self) -> None:
        self._acts = False

    def _has_room(self) -> bool:
        if self._resident.is_whole and not self._resident.is_streamed:
            return True
        self._kept.clear()
        self._tell(f"linear layers were computed as usual: weights stream, and {self._kind} copies have no room")
        return False

    def _answer(self, layer: nn.Linear, forward: Callable[[Tensor], Tensor], inputs: Tensor, *others: Any) -> Tensor:
        rows = inputs.numel() // max(1, inputs.shape[-1])
        if not self._acts or rows < LEAST_ROWS:
            return forward(inputs, *others)
        if self._resident.is_streamed:  # since memory ran out in this call
            self._acts = self._has_room()
            return forward(inputs, *others)
        self.multiplied += 1
        flat = inputs.reshape(rows, inputs.shape[-1])
        answer = _MULTIPLY[self._kind](_ROUND[self._kind](flat), self._weight(layer), layer.bias, inputs.dtype)
        return answer.view(*inputs.shape[:-1], layer.out_features)

    def _weight(self, layer: nn.Linear) -> Rounded:
        """The weight in 8 bits, rounded anew after it was written."""
        state = (writes(layer.weight), self._resident.written, self._resident.moves)
        known = self._kept.get(layer)
        if known is None or known[0] != state:
            known = self._kept[layer] = (state, _ROUND[self._kind](layer.weight.detach()))
        return known[1]
