"""Runs the network of a unit during a job: it adds residuals to a call of the UNet, or acts on the UNet's layers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from webui.extension_api import Models, UnusableFileError
from webui.extension_api.tensors import LoadedModel, ModelCall, Residuals, TensorFile

from .control_files import fill, recognise
from .control_lora import borrowed, build_control_lora, build_difference
from .control_net import ControlNet, control_shape, empty_network
from .injection import CONTROL_WINS, adapter_weights, is_soft, layer_weights, level_sizes, resized_to, weighted
from .lllite import Attached, Control, LLLite, build_lllite
from .t2i_adapter import FullAdapter, LightAdapter, build_adapter
from .units import PreparedUnit

AVERAGED_WORD = "shuffle"  # networks with this word in their file name average residuals over the area
Network = ControlNet | FullAdapter | LightAdapter | LLLite


class Acting(Protocol):
    """A network on a model, for one unit of one job."""

    def residuals(self, call: ModelCall) -> Residuals | None:
        """The residuals that it adds in this call."""

    def idle(self) -> None:
        """Called instead of `residuals` where it does not act in the next call."""

    def applied(self) -> AbstractContextManager[None]:
        """While entered, it may act on the model."""


def build(source: TensorFile, device: torch.device, dtype: torch.dtype) -> Network:
    """The network in a file. Raises UnusableFileError where there is none of a known kind."""
    found = recognise(source.header.shapes, source.path.name)
    match found.kind:
        case "control_lora":
            return build_control_lora(source, found, device, dtype)
        case "difference":
            return build_difference(source, found, device, dtype)
        case "t2i_adapter":
            return build_adapter(source, found, device, dtype)
        case "lllite":
            return build_lllite(source, found, device, dtype)
    network = empty_network(control_shape(found.shapes))
    fill(network, source, found.keys, device, dtype)
    return network


def load(models: Models, path: Path, device: torch.device, dtype: torch.dtype) -> Network:
    """The network of a file, kept in memory for further jobs."""
    return models.load(path, partial(build, device=device, dtype=dtype))


def acting(network: Network, prepared: PreparedUnit, path: Path, model: LoadedModel) -> Acting:
    """The network for a unit on a model.

    Raises:
        UnusableFileError: it was made for another family of models.
    """
    if isinstance(network, ControlNet):
        return ControlNetUnit(network, prepared, model, averaged=AVERAGED_WORD in path.stem.lower(), name=path.name)
    if isinstance(network, LLLite):
        return LLLiteUnit(network, prepared, model)
    return AdapterUnit(network, prepared, model)


class ControlNetUnit:
    """ControlNet and control-LoRA."""

    def __init__(
        self, network: ControlNet, prepared: PreparedUnit, model: LoadedModel, *, averaged: bool, name: str
    ) -> None:
        _check_fit(network, model, name)
        self._network = network
        self._prepared = prepared
        self._model = model
        self._averaged = averaged
        self._hints: dict[tuple[int, int], Tensor] = {}
        self._region = prepared.region()

    @contextmanager
    def applied(self) -> Iterator[None]:
        self._network.set_heads(self._model.spec.heads)
        with borrowed(self._network, self._model):
            yield
        self._hints = {}

    def idle(self) -> None: ...

    def residuals(self, call: ModelCall) -> Residuals | None:
        unit, unet = self._prepared.unit, self._model.unet
        device, dtype = unet.device, unet.dtype
        with _on(self._network, device, low_vram=unit.low_vram):
            found = self._network(
                call.sample[:, : self._model.spec.latents.channels].to(device, dtype),
                call.timestep.to(device),
                call.context.to(device, dtype),
                None if call.vector is None else call.vector.to(device, dtype),
                self._embedded((call.sample.shape[-2], call.sample.shape[-1])),
            )
        soft = is_soft(unit, self._prepared.module.name, hires=call.step.hires)
        only_positive = self._averaged or unit.control_mode == CONTROL_WINS
        *down, mid = weighted(
            found,
            layer_weights(unit, len(found), soft=soft),
            rows=call.positive.to(device) if only_positive else None,
            region=None if self._region is None else self._region.to(device),
            averaged=self._averaged,
        )
        return Residuals(tuple(down), mid)

    def _embedded(self, latent: tuple[int, int]) -> Tensor:
        """The embedded hint for latents of this size; the same in all calls of a pass."""
        if latent not in self._hints:
            hint = self._prepared.hint(*in_pixels(latent, self._model))
            unet = self._model.unet
            self._hints[latent] = self._network.embed_hint(hint.to(unet.device, unet.dtype))
        return self._hints[latent]


class AdapterUnit:
    """T2I-Adapter: its features are computed once for all calls of both passes."""

    def __init__(self, network: FullAdapter | LightAdapter, prepared: PreparedUnit, model: LoadedModel) -> None:
        channels = [level.channels for level in model.unet.shape.levels]
        ours = [out for _, out, _ in network.shape.levels]
        if ours[: len(channels)] != channels:
            raise UnusableFileError(
                f"T2I-Adapter: its features have {ours} channels, the checkpoint {model.file.name} {channels}; it was "
                "made for another family"
            )
        self._network = network
        self._prepared = prepared
        self._model = model
        self._features: tuple[Tensor, ...] = ()
        self._region = prepared.region()

    def applied(self) -> AbstractContextManager[None]:
        return nullcontext()

    def idle(self) -> None: ...

    def residuals(self, call: ModelCall) -> Residuals | None:
        unit, unet = self._prepared.unit, self._model.unet
        latent = (call.sample.shape[-2], call.sample.shape[-1])
        if not self._features:
            self._features = self._made(latent)
        halvings = (1, 1, 2, 2) if self._network.shape.shrink > self._model.spec.latents.cell else (0, 1, 2, 3)
        soft = is_soft(unit, self._prepared.module.name, hires=call.step.hires)
        features = [
            one.expand(len(call.sample), -1, -1, -1)
            for one in resized_to(self._features, level_sizes(latent, halvings))
        ]
        added = weighted(
            features,
            adapter_weights(unit, len(features), soft=soft),
            rows=call.positive.to(unet.device) if unit.control_mode == CONTROL_WINS else None,
            region=None if self._region is None else self._region.to(unet.device),
        )
        return Residuals(levels=added)

    def _made(self, latent: tuple[int, int]) -> tuple[Tensor, ...]:
        unet = self._model.unet
        hint = self._prepared.hint(*in_pixels(latent, self._model)).to(unet.device, unet.dtype)
        if self._network.shape.grey:
            hint = hint.mean(dim=1, keepdim=True)
        shrink = self._network.shape.shrink
        pad = (0, -hint.shape[-1] % shrink, 0, -hint.shape[-2] % shrink)
        features: tuple[Tensor, ...] = self._network(torch.nn.functional.pad(hint, pad, mode="replicate"))
        return features


class LLLiteUnit:
    """ControlNet-LLLite: it acts on layers and adds no residuals. As in A1111, it is off in the second pass of hires
    fix.
    """

    def __init__(self, network: LLLite, prepared: PreparedUnit, model: LoadedModel) -> None:
        self._attached = Attached(network)
        self._prepared = prepared
        self._model = model
        self._hints: dict[tuple[int, int], Tensor] = {}

    def applied(self) -> AbstractContextManager[None]:
        return self._attached.on(self._model)

    def idle(self) -> None:
        self._attached.set(None)

    def residuals(self, call: ModelCall) -> Residuals | None:
        if call.step.hires:
            self.idle()
            return None
        latent = (call.sample.shape[-2], call.sample.shape[-1])
        if latent not in self._hints:
            self._hints[latent] = self._prepared.hint(*in_pixels(latent, self._model)) * 2 - 1
        self._attached.set(Control(self._prepared.unit.weight, self._hints[latent], latent))
        return None


def in_pixels(latent: tuple[int, int], model: LoadedModel) -> tuple[int, int]:
    """(height, width) of the picture that latents of (h, w) cells stand for."""
    cell = model.spec.latents.cell
    return latent[0] * cell, latent[1] * cell


@contextmanager
def _on(network: torch.nn.Module, device: torch.device, *, low_vram: bool) -> Iterator[None]:
    """While entered, the network is on the UNet's device; with `low_vram` it is in main memory between calls."""
    network.to(device)
    try:
        yield
    finally:
        if low_vram and device.type != "cpu":
            network.to("cpu")


def _check_fit(network: ControlNet, model: LoadedModel, name: str) -> None:
    """Raise where a network was made for another family of models."""
    ours, theirs = network.shape, model.unet.shape
    skips = [level.channels for level in theirs.levels for _ in range(len(level.encoder))]
    residual = [block.out_channels for block in ours.blocks if block.kind == "residual"]
    if residual != skips:
        raise UnusableFileError(
            f"{name}: its encoder has the channels {residual}, that of the checkpoint {model.file.name} {skips}; "
            "it was made for another family of models"
        )
    if ours.context_width not in (0, theirs.context_width):
        raise UnusableFileError(
            f"{name}: it reads text of width {ours.context_width}, the checkpoint {model.file.name} writes "
            f"{theirs.context_width}; it was made for another family of models"
        )


Patch = Callable[[], AbstractContextManager[None]]


@contextmanager
def all_applied(networks: list[Acting]) -> Iterator[None]:
    """While entered, every network may act on the model."""
    with ExitStack() as stack:
        for network in networks:
            stack.enter_context(network.applied())
        yield
