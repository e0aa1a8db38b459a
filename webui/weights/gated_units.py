"""The gated units between attention layers (GEGLU, arXiv:2002.05202) without copies of what they make.

diffusers computes both halves in one product and then reads each from every other piece of memory. Two products, each
in memory of its own, give the same numbers, and what follows them can be written in place.
"""

from typing import Any

import torch
from diffusers.models.activations import GEGLU
from torch import Tensor, nn
from torch.nn import functional

from webui.weights.packed_linears import PackedLinear


class HalvedGEGLU(GEGLU):
    """A gated unit that computes its halves one after the other; made of an existing one by `halve`."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(..., D) -> (..., F): what the first half makes times the GELU of what the second makes."""
        layer = self.proj
        if _is_plain(layer) and not torch.is_grad_enabled():
            if isinstance(layer, PackedLinear) and layer.is_usual(hidden_states):
                return gated(*layer.parts(hidden_states, 2))
            if type(layer) is nn.Linear and hidden_states.dtype == layer.weight.dtype:
                return gated(*halves(hidden_states, layer.weight, layer.bias))
        answer: Tensor = super().forward(hidden_states, *args, **kwargs)
        return answer


def halves(sample: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """(..., D) with weights (2 F, D) and (2 F,) -> twice (..., F)."""
    biases = (None, None) if bias is None else bias.chunk(2)
    first, second = (functional.linear(sample, *half) for half in zip(weight.chunk(2), biases, strict=True))
    return first, second


def gated(first: Tensor, second: Tensor) -> Tensor:
    """The first half times the GELU of the second, written over the second."""
    gate: Tensor = torch.ops.aten.gelu_(second)
    return gate.mul_(first)


def _is_plain(layer: nn.Module) -> bool:
    """Whether nobody acts inside a projection."""
    return not (layer._forward_pre_hooks or layer._forward_hooks or "forward" in layer.__dict__)


def halve(network: nn.Module) -> None:
    """Have the gated units of a network compute their halves one after the other."""
    for unit in network.modules():
        if type(unit) is GEGLU:
            unit.__class__ = HalvedGEGLU
