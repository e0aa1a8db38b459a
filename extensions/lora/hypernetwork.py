"""Hypernetworks: small networks that change what each attention layer's keys and values are made of.

Format: A1111's `.pt`, after conversion `<width>.<0 for keys, 1 for values>.linear.<position>.<weight or bias>`.
"""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from webui.extension_api import Account, UnusableFileError
from webui.extension_api.tensors import LoadedModel, TensorFile, is_finite

Activation = Callable[[Tensor], Tensor]
_ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "relu": functional.relu, "leakyrelu": functional.leaky_relu, "elu": functional.elu, "celu": functional.celu,
        "selu": functional.selu, "gelu": functional.gelu, "silu": functional.silu, "mish": functional.mish,
        "swish": functional.hardswish, "hardswish": functional.hardswish, "tanh": torch.tanh,
        "sigmoid": torch.sigmoid, "hardsigmoid": functional.hardsigmoid, "hardtanh": functional.hardtanh,
        "logsigmoid": functional.logsigmoid, "relu6": functional.relu6, "softplus": functional.softplus,
        "softsign": functional.softsign, "softshrink": functional.softshrink, "hardshrink": functional.hardshrink,
        "tanhshrink": functional.tanhshrink,
    }
)  # fmt: skip
_KEY = re.compile(r"(\d+)\.([01])\.linear(?:\.(\d+)|([12]))\.(weight|bias)")


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer (weight (out, in)) or a layer norm (weight (width,)), and whether an activation follows."""

    weight: Tensor
    bias: Tensor | None
    activates: bool

    def __call__(self, hidden: Tensor, activation: Activation | None) -> Tensor:
        if self.weight.ndim == 1:
            return functional.layer_norm(hidden, self.weight.shape, self.weight, self.bias)
        hidden = functional.linear(hidden, self.weight, self.bias)
        return activation(hidden) if self.activates and activation is not None else hidden


@dataclass(frozen=True, slots=True)
class Hypernetwork:
    """Attributes:
    pairs: by width of the context, the layers for keys and for values.
    activation: None where there is none.
    told: a sentence for the user about what of the file was not understood; "" where all was.
    """

    name: str
    pairs: Mapping[int, tuple[tuple[Layer, ...], tuple[Layer, ...]]]
    activation: Activation | None
    told: str = ""

    def __call__(self, context: Tensor, side: int, strength: float) -> Tensor:
        """(..., width) -> the same: context + strength x the network for keys (0) or values (1)."""
        hidden = context.float()
        for layer in self.pairs[context.shape[-1]][side]:
            hidden = layer(hidden, self.activation)
        return (context.float() + strength * hidden).to(context.dtype)


def read_hypernetwork(source: TensorFile, name: str, device: torch.device) -> Hypernetwork:
    """Read a converted hypernetwork.

    Raises:
        UnusableFileError: not a hypernetwork, incomplete, or of a kind that is not known.
    """
    facts = source.header.metadata
    account = Account(name, source.names())
    parts: dict[tuple[int, int], dict[int, dict[str, Tensor]]] = {}
    for key in source.names():
        found = _KEY.fullmatch(key)
        if found is None:
            continue
        account.use(key)
        width, side, position, old_position, part = found.groups()
        tensor = source.read_as(key, torch.float32).to(device)
        if not is_finite(tensor):
            raise UnusableFileError(f"{name}: tensor {key} holds NaN or infinity; the file is damaged")
        place = int(position) if position is not None else int(old_position)
        parts.setdefault((int(width), int(side)), {}).setdefault(place, {})[part] = tensor
    widths = sorted({width for width, _ in parts})
    if not widths or any((width, side) not in parts for width in widths for side in (0, 1)):
        raise UnusableFileError(f"{name}: not a hypernetwork (expected pairs of networks named by their width)")
    activates_last = facts.get("activate_output", "true") == "true"
    pairs = {
        width: tuple(_layers(name, width, parts[width, side], activates_last=activates_last) for side in (0, 1))
        for width in widths
    }
    activation = facts.get("activation_func", "linear").lower()
    if activation not in ("linear", "none", "null") and activation not in _ACTIVATIONS:
        raise UnusableFileError(f"{name}: the activation {activation!r} is not known")
    return Hypernetwork(name, MappingProxyType(pairs), _ACTIVATIONS.get(activation), account.told())  # type: ignore[arg-type]


def _layers(
    name: str, width: int, parts: Mapping[int, Mapping[str, Tensor]], *, activates_last: bool
) -> tuple[Layer, ...]:
    """The layers of one network in order, each checked against the one before."""
    nothing = torch.empty(0, 0, 0)
    matrices = [place for place, part in sorted(parts.items()) if part.get("weight", nothing).ndim == 2]
    layers: list[Layer] = []
    size = width
    for place, part in sorted(parts.items()):
        weight = part.get("weight", nothing)
        if weight.ndim not in (1, 2) or weight.shape[-1] != size:
            raise UnusableFileError(f"{name}: layer {place} for width {width} has the shape {tuple(weight.shape)}")
        size, bias = weight.shape[0], part.get("bias")
        if bias is not None and bias.shape != (size,):
            raise UnusableFileError(f"{name}: the bias of layer {place} for width {width} has {bias.numel()} values")
        activates = place in matrices and (place != matrices[-1] or activates_last)
        layers.append(Layer(weight, bias, activates))
    if size != width:
        raise UnusableFileError(f"{name}: its network for width {width} ends with {size} values")
    return tuple(layers)


class HypernetworkPatch(AbstractContextManager[None]):
    """Hypernetworks in front of the key and value layers of every attention of a UNet, several one after another.

    Attributes:
        key: equal for equal sets of hypernetworks.
    """

    def __init__(self, model: LoadedModel, wanted: Sequence[tuple[Hypernetwork, float]], key: Hashable) -> None:
        self.key = key
        self._model = model
        self._wanted = tuple(wanted)
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> None:
        for side, module in _inputs(self._model):
            fitting = [(one, strength) for one, strength in self._wanted if module.in_features in one.pairs]
            if fitting:
                self._handles.append(module.register_forward_pre_hook(partial(_before, fitting, side)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._handles:
            self._handles.pop().remove()


def fits(hypernetwork: Hypernetwork, model: LoadedModel) -> bool:
    """Whether any attention of the model has a width that it was made for."""
    return any(module.in_features in hypernetwork.pairs for _, module in _inputs(model))


def _inputs(model: LoadedModel) -> Iterator[tuple[int, nn.Linear]]:
    """The layers for keys (0) and values (1) of every attention of the UNet."""
    for name, module in model.unet.module.named_modules():
        side = {"to_k": 0, "to_v": 1}.get(name.rpartition(".")[2])
        if side is not None and isinstance(module, nn.Linear):
            yield side, module


def _before(
    hypernetworks: Sequence[tuple[Hypernetwork, float]], side: int, module: nn.Module, given: tuple[Any, ...]
) -> tuple[Any, ...]:
    context: Tensor = given[0]
    for hypernetwork, strength in hypernetworks:
        context = hypernetwork(context, side, strength)
    return (context, *given[1:])
