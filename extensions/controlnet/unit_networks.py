"""Runs the network of a unit during a job: it adds residuals to a call of the UNet, or acts on the UNet's layers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from webui.extension_api import Models, UnusableFileError
from webui.extension_api.tensors import LoadedModel, ModelCall, Residuals, TensorFile, Window

from .control_files import fill, recognise
from .control_kinds import UNION_TYPES, union_kind
from .control_lora import borrowed, build_control_lora, build_difference
from .control_net import ControlNet, control_shape, empty_network
from .injection import CONTROL_WINS, adapter_weights, is_soft, layer_weights, level_sizes, resized_to, weighted
from .lllite import Attached, Control, LLLite, build_lllite
from .t2i_adapter import FullAdapter, LightAdapter, build_adapter
from .units import PreparedUnit

AVERAGED_WORD = "shuffle"  # networks with this word in their file name average residuals over the area
Area = tuple[tuple[int, int], tuple[Window, ...]]
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


def acting(network: Network, prepared: PreparedUnit, path: Path, model: LoadedModel, models: Models) -> Acting:
    """The network for a unit on a model.

    Raises:
        UnusableFileError: it was made for another family of models.
    """
    if isinstance(network, ControlNet):
        averaged = AVERAGED_WORD in path.stem.lower()
        return ControlNetUnit(network, prepared, model, models, averaged=averaged, name=path.name)
    if isinstance(network, LLLite):
        return LLLiteUnit(network, prepared, model)
    return AdapterUnit(network, prepared, model, models)


class ControlNetUnit:
    """ControlNet and control-LoRA."""

    def __init__(
        self,
        network: ControlNet,
        prepared: PreparedUnit,
        model: LoadedModel,
        models: Models,
        *,
        averaged: bool,
        name: str,
    ) -> None:
        _check_fit(network, model, name)
        self._network = network
        self._prepared = prepared
        self._model = model
        self._models = models
        self._averaged = averaged
        self._kind = _kind_of_map(network, prepared, name)
        self._hints: dict[Area, Tensor] = {}
        self._region = Region(prepared, model)

    @contextmanager
    def applied(self) -> Iterator[None]:
        with self._models.using(self._network):  # from here on it may leave the device between calls
            self._network.set_heads(self._model.spec.heads)
        with borrowed(self._network, self._model):
            yield
        self._hints = {}

    def idle(self) -> None: ...

    def residuals(self, call: ModelCall) -> Residuals | None:
        unit, unet = self._prepared.unit, self._model.unet
        device, dtype = unet.device, unet.dtype
        with self._models.using(self._network, leaves=unit.low_vram):
            found = self._network(
                call.sample[:, : self._model.spec.latents.channels].to(device, dtype),
                call.timestep.to(device),
                call.context.to(device, dtype),
                None if call.vector is None else call.vector.to(device, dtype),
                self._embedded(call),
                self._kind,
            )
        soft = is_soft(unit, self._prepared.module.name, hires=call.step.hires)
        only_positive = self._averaged or unit.control_mode == CONTROL_WINS
        *down, mid = weighted(
            found,
            layer_weights(unit, len(found), soft=soft),
            rows=call.positive.to(device) if only_positive else None,
            region=self._region.of(call, device),
            averaged=self._averaged,
        )
        return Residuals(tuple(down), mid)

    def _embedded(self, call: ModelCall) -> Tensor:
        """The embedded hint, of the windows that a call is for; the same in all such calls of a pass."""
        area = area_of(call)
        if area not in self._hints:
            unet = self._model.unet
            hint = hint_of(self._prepared, call, self._model).to(unet.device, unet.dtype)
            with self._models.using(self._network):
                self._hints[area] = self._network.embed_hint(hint, self._kind)
        return for_rows(self._hints[area], call)


class AdapterUnit:
    """T2I-Adapter: its features are computed once for all calls of both passes."""

    def __init__(
        self, network: FullAdapter | LightAdapter, prepared: PreparedUnit, model: LoadedModel, models: Models
    ) -> None:
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
        self._models = models
        self._features: dict[tuple[Window, ...], tuple[Tensor, ...]] = {}
        self._region = Region(prepared, model)

    def applied(self) -> AbstractContextManager[None]:
        return nullcontext()

    def idle(self) -> None: ...

    def residuals(self, call: ModelCall) -> Residuals | None:
        unit, unet = self._prepared.unit, self._model.unet
        latent = (call.sample.shape[-2], call.sample.shape[-1])
        if call.windows not in self._features:
            self._features[call.windows] = self._made(call)
        halvings = (1, 1, 2, 2) if self._network.shape.shrink > self._model.spec.latents.cell else (0, 1, 2, 3)
        soft = is_soft(unit, self._prepared.module.name, hires=call.step.hires)
        features = [
            for_rows(one, call).expand(len(call.sample), -1, -1, -1)
            for one in resized_to(self._features[call.windows], level_sizes(latent, halvings))
        ]
        added = weighted(
            features,
            adapter_weights(unit, len(features), soft=soft),
            rows=call.positive.to(unet.device) if unit.control_mode == CONTROL_WINS else None,
            region=self._region.of(call, unet.device),
        )
        return Residuals(levels=added)

    def _made(self, call: ModelCall) -> tuple[Tensor, ...]:
        unet = self._model.unet
        hint = hint_of(self._prepared, call, self._model).to(unet.device, unet.dtype)
        if self._network.shape.grey:
            hint = hint.mean(dim=1, keepdim=True)
        shrink = self._network.shape.shrink
        pad = (0, -hint.shape[-1] % shrink, 0, -hint.shape[-2] % shrink)
        with self._models.using(self._network):
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
        self._hints: dict[Area, Tensor] = {}

    def applied(self) -> AbstractContextManager[None]:
        return self._attached.on(self._model)

    def idle(self) -> None:
        self._attached.set(None)

    def residuals(self, call: ModelCall) -> Residuals | None:
        if call.step.hires:
            self.idle()
            return None
        area = area_of(call)
        if area not in self._hints:
            self._hints[area] = for_rows(hint_of(self._prepared, call, self._model) * 2 - 1, call)
        latent = (call.sample.shape[-2], call.sample.shape[-1])
        self._attached.set(Control(self._prepared.unit.weight, self._hints[area], latent))
        return None


class Region:
    """Where the control of a unit acts."""

    def __init__(self, prepared: PreparedUnit, model: LoadedModel) -> None:
        self._mask = prepared.region()
        self._cell = model.spec.latents.cell

    def of(self, call: ModelCall, device: torch.device) -> Tensor | None:
        """(1, 1, H, W) in 0..1, one for each row where the call is for windows; None: everywhere."""
        if self._mask is None:
            return None
        mask = self._mask
        if call.windows:
            size = (call.cells[0] * self._cell, call.cells[1] * self._cell)
            mask = call.cut(torch.nn.functional.interpolate(mask, size=size, mode="bilinear"), self._cell)
        return mask.to(device)


def area_of(call: ModelCall) -> Area:
    """What a call is about: how many latents there are, and the windows of them that it is for."""
    return call.cells, call.windows


def hint_of(prepared: PreparedUnit, call: ModelCall, model: LoadedModel) -> Tensor:
    """The hint of a unit (1, 3, H, W); where the call is for windows, the part of each."""
    cell = model.spec.latents.cell
    hint = prepared.hint(call.cells[0] * cell, call.cells[1] * cell)
    return torch.cat([one.of(hint, cell) for one in call.windows]) if call.windows else hint


def for_rows(tensor: Tensor, call: ModelCall) -> Tensor:
    """What was made of each window, for each row of it; without windows as it is."""
    return tensor.repeat_interleave(len(call.sample) // len(tensor), dim=0) if call.windows else tensor


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


def _kind_of_map(network: ControlNet, prepared: PreparedUnit, name: str) -> int | None:
    """The kind of map that a unit hands to a union; None where it is not known, and for other networks."""
    if network.shape.types is None:
        return None
    kind = union_kind(prepared.unit.union_control_type, prepared.module.types)
    known = network.shape.types[0]
    if kind is not None and kind >= known:
        lacks = next(word for word, number in UNION_TYPES.items() if number == kind)
        raise UnusableFileError(
            f"{name}: this union tells {known} kinds of map apart, and {lacks} is none of them; take the promax "
            "file, or another union_control_type"
        )
    return kind


Patch = Callable[[], AbstractContextManager[None]]


@contextmanager
def all_applied(networks: list[Acting]) -> Iterator[None]:
    """While entered, every network may act on the model."""
    with ExitStack() as stack:
        for network in networks:
            stack.enter_context(network.applied())
        yield
