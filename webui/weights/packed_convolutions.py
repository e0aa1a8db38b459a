"""Convolutions whose weights are laid out ahead for a CPU's kernel, where few pixels meet many weights.

oneDNN brings weights into blocks of its own before each call. Deep in a UNet, where a picture has 8 x 8 or 4 x 4 cells
and 1280 channels, that takes as long as the convolution itself. A laid-out copy gives the same numbers, bit for bit.
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from webui.hardware.main_memory import free_main_memory
from webui.weights.owned import writes
from webui.weights.resident import Resident

GIB = 2**30
LEFT = 2 * GIB  # bytes of main memory that have to stay free
SHAPES = 2  # that have a copy at once, since prompt and negative prompt may be asked for apart
_FORMATS = (torch.float32, torch.bfloat16)

log = logging.getLogger(__name__)


class PackedConv2d(nn.Conv2d):
    """A convolution that keeps a laid-out copy of its weight; made of an existing one by `pack_small`."""

    webui_most: int  # pixels (rows x h x w of the input) up to which the copy is used
    webui_network: Resident  # the network that it belongs to
    webui_copies: dict[tuple[int, ...], tuple[tuple[object, ...], Tensor | None]]  # by the shape of the input

    def forward(self, input: Tensor) -> Tensor:
        """As nn.Conv2d."""
        packed = self._copy_for(input)
        if packed is None:
            return super().forward(input)
        return convolved(self, input, packed)

    def _copy_for(self, sample: Tensor) -> Tensor | None:
        """The laid-out weight for inputs of a shape; None where the plain one is used."""
        positions = sample.numel() // max(1, sample.shape[1])
        if positions > self.webui_most or not _is_usual(self, sample):
            return None
        shape, state = tuple(sample.shape), self._state()
        known = self.webui_copies.get(shape)
        if known is None or known[0] != state:
            if any(one[0] != state for one in self.webui_copies.values()):
                self.webui_copies.clear()
            while len(self.webui_copies) >= SHAPES:
                del self.webui_copies[next(iter(self.webui_copies))]
            known = self.webui_copies[shape] = (state, self._made(sample))
        return known[1]

    def _made(self, sample: Tensor) -> Tensor | None:
        size = self.weight.numel() * self.weight.element_size()
        if free_main_memory() < LEFT + 2 * size:
            log.debug("no room to lay out a weight of %d MiB", size >> 20)
            return None
        return packed_weight(self, sample)

    def _state(self) -> tuple[object, ...]:
        """What a copy holds for. The value in the middle tells of writers who told nobody."""
        weight = self.weight
        middle = weight.detach().as_strided((), (), weight.storage_offset() + weight.numel() // 2).item()
        return (
            weight.data_ptr(),
            weight.dtype,
            writes(weight),
            self.webui_network.written,
            self.webui_network.moves,
            middle,
        )


def _is_usual(layer: nn.Conv2d, sample: Tensor) -> bool:
    """Whether an input can be convolved by the laid-out kernel: on a CPU, in a format it knows, with edges of zeros."""
    return (
        sample.device.type == "cpu"
        and type(sample) is Tensor
        and sample.dim() == 4
        and sample.dtype == layer.weight.dtype
        and sample.dtype in _FORMATS
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and not torch.is_grad_enabled()
    )


def packed_weight(layer: nn.Conv2d, sample: Tensor) -> Tensor:
    """The weight of a layer laid out for inputs (rows, C, h, w)."""
    operators: Any = torch._C._nn  # torch's stubs leave these out
    packed: Tensor = operators.mkldnn_reorder_conv2d_weight(
        layer.weight.detach().to_mkldnn(), layer.padding, layer.stride, layer.dilation, layer.groups, sample.shape
    )
    return packed


def convolved(layer: nn.Conv2d, sample: Tensor, packed: Tensor) -> Tensor:
    """The answer of a layer by its laid-out weight."""
    answer: Tensor = torch.ops.mkldnn._convolution_pointwise(
        sample, packed, layer.bias, layer.padding, layer.stride, layer.dilation, layer.groups, "none", [], ""
    )
    return answer


def can_pack() -> bool:
    """Whether this build of torch has the kernels; they are no public part of it."""
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


def pack_small(network: nn.Module, most: int, resident: Resident) -> None:
    """Have the convolutions of a network use laid-out weights for inputs of up to so many pixels.

    Args:
        resident: counts when the weights of the network may have been written.
    """
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.groups == 1:
            layer.__class__ = PackedConv2d
            packed: Any = layer
            packed.webui_most, packed.webui_network, packed.webui_copies = most, resident, {}
