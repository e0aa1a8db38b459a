"""Linear layers whose weights are laid out ahead for a CPU's kernel, with the same numbers bit for bit.

torch's own call lays the weight out each time, and first writes the bias to each row of the answer.
"""

from typing import Any

import torch
from torch import Tensor, nn

from webui.hardware.main_memory import free_main_memory
from webui.weights.packed_convolutions import GIB, State, can_pack, weight_state
from webui.weights.resident import Resident

LEFT = 6 * GIB  # bytes of main memory that have to stay free: large networks have GiB of such weights
_FORMATS = (torch.float32, torch.bfloat16)


class PackedLinear(nn.Linear):
    """A linear layer that keeps a laid-out copy of its weight; made of an existing one by `pack_linears`."""

    webui_network: Resident  # the network that it belongs to
    webui_packed: dict[int, tuple[State, tuple[Tensor, ...]]]  # by the number of parts

    def forward(self, input: Tensor) -> Tensor:
        """As nn.Linear."""
        return self.parts(input, 1)[0] if self.is_usual(input) else super().forward(input)

    def parts(self, sample: Tensor, count: int) -> tuple[Tensor, ...]:
        """What it answers to (..., D), in so many equal parts of its width, each in memory of its own."""
        state = weight_state(self.weight, self.webui_network)
        known = self.webui_packed.get(count)
        if known is None or known[0] != state:
            self.webui_packed.clear()
            known = self.webui_packed[count] = (state, self._made(count))
        biases = (None,) * count if self.bias is None else self.bias.chunk(count)
        return tuple(multiplied(sample, one, bias) for one, bias in zip(known[1], biases, strict=True))

    def is_usual(self, sample: Tensor) -> bool:
        """Whether the kernel for laid-out weights can answer."""
        return (
            sample.device.type == "cpu"
            and type(sample) is Tensor
            and sample.dtype == self.weight.dtype
            and sample.dtype in _FORMATS
            and not self._forward_pre_hooks  # a weight that comes anew for each call
            and not torch.is_grad_enabled()
        )

    def _made(self, count: int) -> tuple[Tensor, ...]:
        """The parts of the weight, laid out; as they are where there is no room, which gives the same numbers."""
        parts = self.weight.detach().chunk(count)
        size = self.weight.numel() * self.weight.element_size()
        return parts if free_main_memory() < LEFT + 2 * size else tuple(map(packed_matrix, parts))


def packed_matrix(weight: Tensor) -> Tensor:
    """A weight (F, D) laid out for any number of rows."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    return packed


def multiplied(sample: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(..., D) with a weight, laid out or plain -> (..., F)."""
    answer: Tensor = torch.ops.mkldnn._linear_pointwise(sample, weight, bias, "none", [], "")
    return answer


def can_pack_linears() -> bool:
    """Whether this build of torch has the kernels; they are no public part of it."""
    operators = torch.ops.mkldnn
    return can_pack() and hasattr(operators, "_reorder_linear_weight") and hasattr(operators, "_linear_pointwise")


def pack_linears(network: nn.Module, resident: Resident) -> None:
    """Have the linear layers of a network use laid-out weights.

    Args:
        resident: counts when the weights of the network may have been written.
    """
    for layer in network.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = PackedLinear
            packed: Any = layer
            packed.webui_network, packed.webui_packed = resident, {}
