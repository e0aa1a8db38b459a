"""Convolutions that keep a second form of their weights for a faster kernel of a CPU.

oneDNN brings weights into blocks of its own before each call. Deep in a UNet, where a picture has 8 x 8 or 4 x 4 cells
and 1280 channels, that takes as long as the convolution itself. A laid-out copy gives the same numbers, bit for bit.
Where a picture is larger, most 3 x 3 convolutions can be computed by tiles with less than half the products
(`tiled_convolutions.py`).
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from webui.hardware.main_memory import free_main_memory
from webui.weights.owned import writes
from webui.weights.resident import Resident
from webui.weights.tiled_convolutions import tiled_convolution, tiled_weights

GIB = 2**30
LEFT = 2 * GIB  # bytes of main memory that have to stay free
SHAPES = 2  # that have a copy at once, since prompt and negative prompt may be asked for apart
TILED_CHANNELS = 64  # from which on tiles pay, in and out
_FORMATS = (torch.float32, torch.bfloat16)
_TILED_KIND = ((3, 3), (1, 1), (1, 1), (1, 1))  # kernel, step, border, and distance of what is summed

log = logging.getLogger(__name__)

State = tuple[object, ...]  # of a weight; where it is another one, forms that were made of the weight hold no more


class PackedConv2d(nn.Conv2d):
    """A convolution that keeps other forms of its weight; made of an existing one by `pack_convolutions`.

    Which kernel computes depends on the size of the input alone, never on free memory, unless their numbers are equal:
    where a tiled weight cannot be kept it is made anew for each call.
    """

    webui_most: int  # pixels (rows x h x w of the input) up to which the laid-out copy is used
    webui_tiled_from: int  # pixels (h x w) from which tiles are used; 0: never
    webui_network: Resident  # the network that it belongs to
    webui_copies: dict[tuple[int, ...], tuple[State, Tensor | None]]  # by the shape of the input
    webui_tiled: tuple[State, Tensor] | None

    def forward(self, input: Tensor) -> Tensor:
        """As nn.Conv2d."""
        if not _is_usual(self, input):
            return super().forward(input)
        if self._is_tiled(input):
            return tiled_convolution(input, self._tiled_weight(), self.bias)
        packed = self._copy_for(input)
        return super().forward(input) if packed is None else convolved(self, input, packed)

    def _is_tiled(self, sample: Tensor) -> bool:
        height, width = sample.shape[-2:]
        return (
            0 < self.webui_tiled_from <= height * width
            and height % 2 == width % 2 == 0
            and (self.kernel_size, self.stride, self.padding, self.dilation) == _TILED_KIND
            and min(self.in_channels, self.out_channels) >= TILED_CHANNELS
        )

    def _tiled_weight(self) -> Tensor:
        """The weight as tiles need it: kept, or made now."""
        state = self._state()
        if self.webui_tiled is not None and self.webui_tiled[0] == state:
            return self.webui_tiled[1]
        self.webui_tiled = None
        made = tiled_weights(self.weight.detach())
        if free_main_memory() >= LEFT:
            self.webui_tiled = (state, made)
        return made

    def _copy_for(self, sample: Tensor) -> Tensor | None:
        """The laid-out weight for inputs of a shape; None where the plain one is used."""
        positions = sample.numel() // max(1, sample.shape[1])
        if positions > self.webui_most:
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

    def _state(self) -> State:
        return weight_state(self.weight, self.webui_network)


def weight_state(weight: Tensor, network: Resident) -> State:
    """What a second form of a weight holds for. The value in the middle tells of writers who told nobody."""
    middle = weight.detach().as_strided((), (), weight.storage_offset() + weight.numel() // 2).item()
    return weight.data_ptr(), weight.dtype, writes(weight), network.written, network.moves, middle


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
        and not layer._forward_pre_hooks  # a weight that comes anew for each call
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


def pack_convolutions(network: nn.Module, resident: Resident, *, most: int = 0, tiled_from: int = 0) -> None:
    """Have the convolutions of a network keep other forms of their weights.

    Args:
        resident: counts when the weights of the network may have been written.
        most: pixels (rows x h x w) of inputs up to which laid-out copies are used; 0: none is.
        tiled_from: pixels (h x w) of inputs from which tiles are used; 0: never.
    """
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.groups == 1:
            layer.__class__ = PackedConv2d
            packed: Any = layer
            packed.webui_most, packed.webui_tiled_from, packed.webui_network = most, tiled_from, resident
            packed.webui_copies, packed.webui_tiled = {}, None
