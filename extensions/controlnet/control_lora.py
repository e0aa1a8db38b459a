"""Control-LoRA: a control network whose large weights are those of the checkpoint plus a low-rank change.

Memory holds only the tensors of its file. The weights of the checkpoint are used in place, for the length of a job.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import LoadedModel, TensorFile, checkpoint_weight

from .control_files import Found, fill
from .control_net import ControlNet, Shapes, control_shape, empty_network


class Borrowing(nn.Module):
    """A linear layer or convolution with the weights W + change, where W belongs to the checkpoint.

    Attributes:
        up, down: low-rank change (out, r, ...) and (r, in, ...), or None.
        delta: full change of W's shape, or None.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, rank_shapes: tuple[tuple[int, ...], ...] | None) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(rank_shapes[0])) if rank_shapes else None
        self.down = nn.Parameter(torch.empty(rank_shapes[1])) if rank_shapes else None
        self.weight = None if rank_shapes else nn.Parameter(torch.empty(layer.weight.shape))
        self.bias = None if layer.bias is None else nn.Parameter(torch.empty(layer.bias.shape))
        self._convolves = (layer.stride, layer.padding) if isinstance(layer, nn.Conv2d) else None
        self._shape = tuple(layer.weight.shape)
        self._lent: list[
            Tensor
        ] = []  # in a list, so that the checkpoint's tensor does not become a parameter of this network

    def borrow(self, weight: Tensor) -> None:
        """Use this weight of the checkpoint until `give_back`.

        Raises:
            UnusableFileError: its size does not fit.
        """
        if weight.numel() != math.prod(self._shape):
            raise UnusableFileError(
                f"control-LoRA: a layer of {self._shape} does not fit the checkpoint's {tuple(weight.shape)}; it was "
                "made for another architecture"
            )
        self._lent = [weight]

    def give_back(self) -> None:
        self._lent = []

    def forward(self, hidden: Tensor, *others: Tensor) -> Tensor:
        """The output of the layer with the changed weights; `others` (time, text) are ignored."""
        weight = checkpoint_weight(self._lent[0]).to(hidden).reshape(self._shape)
        if self.weight is not None:
            weight = weight + self.weight
        whole = self._apply_weight(hidden, weight, self.bias)
        if self.up is None or self.down is None:
            return whole
        inner = self._apply_weight(hidden, self.down, None)
        if self._convolves is None:
            return whole + functional.linear(inner, self.up)
        return whole + functional.conv2d(inner, self.up)

    def _apply_weight(self, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self._convolves is None:
            return functional.linear(hidden, weight, bias)
        stride, padding = self._convolves
        return functional.conv2d(hidden, weight, bias, stride, padding)


def build_control_lora(source: TensorFile, found: Found, device: torch.device, dtype: torch.dtype) -> ControlNet:
    """The network of a control-LoRA file. Raises as `control_files.fill`."""
    network = empty_network(control_shape(_whole_shapes(found.shapes)))
    with torch.device("meta"):
        for name, layer in list(network.named_modules()):
            if isinstance(layer, nn.Linear | nn.Conv2d) and f"{name}.up" in found.shapes:
                ranks = (found.shapes[f"{name}.up"], found.shapes[f"{name}.down"])
                network.set_submodule(name, Borrowing(layer, ranks))
    fill(network, source, found.keys, device, dtype)
    return network


def build_difference(source: TensorFile, found: Found, device: torch.device, dtype: torch.dtype) -> ControlNet:
    """The network of a file that holds differences from the checkpoint's weights. Raises as `control_files.fill`."""
    with torch.device("meta"):
        network = Difference(control_shape(found.shapes))
        for name, layer in list(network.named_modules()):
            if isinstance(layer, nn.Linear | nn.Conv2d) and not _is_own(name):
                network.set_submodule(name, Borrowing(layer, None))
    fill(network, source, found.keys, device, dtype)
    return network


class Difference(ControlNet):
    """A network whose parameters are differences from those of a checkpoint."""


@contextmanager
def borrowed(network: ControlNet, model: LoadedModel) -> Iterator[None]:
    """While entered, the network uses the checkpoint's weights.

    Raises:
        UnusableFileError: the checkpoint has another architecture than the file was made for.
    """
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, Borrowing)]
    small = [one for one in network.named_parameters() if one[1].ndim == 1 and not _is_own(one[0])]
    kept = [(parameter, parameter.data) for _, parameter in small] if isinstance(network, Difference) else []
    try:
        for name, layer in layers:
            layer.borrow(_lent(model, name, "weight"))
        for (name, _), (parameter, change) in zip(small, kept, strict=False):
            owner, _, leaf = name.rpartition(".")
            parameter.data = change + checkpoint_weight(_lent(model, owner, leaf)).to(change)
        yield
    finally:
        for _, layer in layers:
            layer.give_back()
        for parameter, change in kept:
            parameter.data = change


def _lent(model: LoadedModel, layer: str, leaf: str) -> Tensor:
    """A tensor of the checkpoint's UNet, by LDM's name of its layer."""
    there = model.unet.shape.layout.to_diffusers(layer) or layer
    try:
        found = getattr(model.unet.module.get_submodule(there), leaf)
    except AttributeError as error:
        raise UnusableFileError(
            f"control-LoRA: its layer {layer} does not fit the checkpoint {model.file.name}; it was made for another "
            "architecture"
        ) from error
    if not isinstance(found, Tensor):
        raise UnusableFileError(f"control-LoRA: {layer} of the checkpoint {model.file.name} has no {leaf}")
    return found


def _is_own(name: str) -> bool:
    """Whether a layer belongs to the control network alone, so that a UNet has no counterpart."""
    return name.startswith(("input_hint_block.", "zero_convs.", "middle_block_out."))


def _whole_shapes(shapes: Shapes) -> Shapes:
    """The shapes of the weights that the low-rank factors stand for."""
    whole = dict(shapes)
    for name, shape in shapes.items():
        if name.endswith(".up"):
            layer = name.removesuffix(".up")
            down = shapes.get(f"{layer}.down")
            if down is None:
                raise UnusableFileError(f"control-LoRA: tensor {layer}.down is missing; the file is incomplete")
            whole[f"{layer}.weight"] = (shape[0], *down[1:])
    return whole
