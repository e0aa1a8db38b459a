"""ControlNet-LLLite (kohya-ss): small modules that change what goes into the UNet's attention layers.

For each layer: x + weight x up(mid(down(x) | c)), c being an embedding of the hint at the layer's resolution.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import LoadedModel, TensorFile

from .control_files import Found, Shapes, fill

_PREFIXES = ("lllite_unet_", "lllite_")


class Module(nn.Module):
    """One module, with the names that its files use. It is linear or convolutional, as its tensors tell."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while f"conditioning1.{len(layers)}.weight" in shapes:
            out, here, kernel, _ = shapes[f"conditioning1.{len(layers)}.weight"]
            layers += [nn.Conv2d(here, out, kernel, stride=kernel), nn.ReLU()]
        self.conditioning1 = nn.Sequential(*layers[:-1])
        self.down = nn.Sequential(_layer(shapes, "down.0"), nn.ReLU())
        self.mid = nn.Sequential(_layer(shapes, "mid.0"), nn.ReLU())
        self.up = nn.Sequential(_layer(shapes, "up.0"))
        self.is_linear = isinstance(self.down[0], nn.Linear)

    def embed(self, hint: Tensor, size: tuple[int, int]) -> Tensor:
        """(1, 3, H, W) in -1..1 -> (1, C, h, w), or (1, h x w, C) for a linear layer."""
        embedded: Tensor = self.conditioning1(hint)
        if embedded.shape[-2:] != size:
            embedded = functional.interpolate(embedded, size=size, mode="nearest-exact")
        return embedded.flatten(2).transpose(1, 2) if self.is_linear else embedded

    def forward(self, hidden: Tensor, embedded: Tensor) -> Tensor:
        """The change to add to (B, S, C) or (B, C, h, w)."""
        axis = 2 if self.is_linear else 1
        rows = embedded.expand(len(hidden), -1, *embedded.shape[2:])
        return self.up(self.mid(torch.cat([rows, self.down(hidden)], dim=axis)))  # type: ignore[no-any-return]


class LLLite(nn.Module):
    """All modules of a file, by the name of the layer they belong to (dots as `_`)."""

    def __init__(self, found: Found) -> None:
        super().__init__()
        grouped: dict[str, dict[str, tuple[int, ...]]] = {}
        for name, shape in found.shapes.items():
            layer, _, tensor = name.partition(".")
            grouped.setdefault(layer, {})[tensor] = shape
        self.layers = nn.ModuleDict({layer: Module(shapes) for layer, shapes in grouped.items()})


@dataclass(slots=True)
class Control:
    """The settings for the next calls.

    Attributes:
        weight: the strength; 0 turns it off.
        hint: (1, 3, H, W) in -1..1.
        size: of the latents (h, w).
    """

    weight: float
    hint: Tensor
    size: tuple[int, int]


def build_lllite(source: TensorFile, found: Found, device: torch.device, dtype: torch.dtype) -> LLLite:
    """The modules with their weights. Raises as `control_files.fill`."""
    with torch.device("meta"):
        network = LLLite(found)
    fill(network, source, {f"layers.{name}": key for name, key in found.keys.items()}, device, dtype)
    return network


class Attached:
    """An LLLite attached to the layers of a UNet. It is inactive until `set` is called."""

    def __init__(self, network: LLLite) -> None:
        self.network = network
        self._control: Control | None = None
        self._embedded: dict[tuple[str, tuple[int, int]], Tensor] = {}

    def set(self, control: Control | None) -> None:
        """Use these settings from now on; None: add nothing."""
        is_new = self._control is None or control is None or control.hint is not self._control.hint
        if is_new:
            self._embedded = {}
        self._control = control

    @contextmanager
    def on(self, model: LoadedModel) -> Iterator[None]:
        """Hook the modules before their layers.

        Raises:
            UnusableFileError: a module belongs to a layer that the checkpoint does not have.
        """
        layers = _layers_by_name(model)
        handles = []
        try:
            for name, module in self.network.layers.items():
                layer = layers.get(name)
                if layer is None:
                    raise UnusableFileError(f"LLLite: the checkpoint {model.file.name} has no layer for {name}")
                handles.append(layer.register_forward_pre_hook(partial(self._before, name, module)))
            yield
        finally:
            for handle in handles:
                handle.remove()
            self.set(None)

    def _before(
        self, name: str, module: nn.Module, layer: nn.Module, inputs: tuple[Any, ...]
    ) -> tuple[Any, ...] | None:
        control = self._control
        if control is None or control.weight == 0:
            return None
        hidden: Tensor = inputs[0]
        size = _level_size(control.size, hidden)
        key = (name, size)
        if key not in self._embedded:
            self._embedded[key] = cast(Module, module).embed(control.hint.to(hidden), size)
        return (hidden + module(hidden, self._embedded[key]) * control.weight, *inputs[1:])


def _level_size(latent: Sequence[int], hidden: Tensor) -> tuple[int, int]:
    """The resolution (h, w) at which a layer works; halved sizes are rounded up, as the UNet does."""
    if hidden.ndim == 4:
        return hidden.shape[2], hidden.shape[3]
    height, width = latent
    while height * width > hidden.shape[1]:
        height, width = -(-height // 2), -(-width // 2)
    return height, width


def _layers_by_name(model: LoadedModel) -> dict[str, nn.Module]:
    """Layers of the UNet by their LLLite names, after LDM's naming and after diffusers'."""
    found: dict[str, nn.Module] = {}
    for name, module in model.unet.module.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            ldm = model.unet.shape.layout.to_ldm(name)
            for known in (name, ldm):
                if known is not None:
                    for prefix in _PREFIXES:
                        found[prefix + known.replace(".", "_")] = module
    return found


def _layer(shapes: Shapes, name: str) -> nn.Module:
    shape = shapes.get(f"{name}.weight")
    if shape is None:
        raise UnusableFileError(f"LLLite: tensor {name}.weight is missing; the file is incomplete")
    if len(shape) == 2:
        return nn.Linear(shape[1], shape[0])
    return nn.Conv2d(shape[1], shape[0], shape[2], padding=shape[2] // 2)
