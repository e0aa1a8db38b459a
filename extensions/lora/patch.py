"""Puts networks into a model and takes them out again. The formulas stand in `adapters.py`, the files in `network.py`.

A changed weight is written into the layer's own tensor, whose address stays; what was there waits in main memory and
is written back, bit for bit.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType

import torch
from torch import Tensor, nn

from webui.extension_api import listed
from webui.extension_api.tensors import LoadedModel, overwrite, restore

from .block_weights import BlockWeights
from .keys import Place
from .layers import Layers, block_names, layers_of
from .network import Change, Network
from .tags import ALWAYS, Window

_Applied = tuple[Change, float, int | None]  # a change with its strength and ranks
_CROSS = ("attn2_to_k", "attn2_to_v")  # their width is the family's


@dataclass(frozen=True, slots=True)
class Wanted:
    """A network as a prompt asks for it.

    Attributes:
        network: all its changes must fit the model, see `look`.
        text_strength, unet_strength: factors on the change of text encoder and UNet.
        ranks: use only the first ranks of a LoRA; None: all.
        blocks: further factors, by block; None: 1 for all.
        window: the steps at which it acts in the UNet. In the text encoder it always does.
        hires_window: the same of the second pass of hires fix; None: `window`.
    """

    network: Network
    text_strength: float
    unet_strength: float
    ranks: int | None = None
    blocks: BlockWeights | None = None
    window: Window = ALWAYS
    hires_window: Window | None = None

    @property
    def is_timed(self) -> bool:
        """Whether it acts only at some steps."""
        return self.window != ALWAYS or self.hires_window not in (None, ALWAYS)

    def acts(self, reported: int, total: int, *, hires: bool) -> bool:
        """Whether it acts in the UNet at a call; arguments as `Window.holds` takes them."""
        window = self.hires_window if hires and self.hires_window is not None else self.window
        return window.holds(reported, total)

    def strength(self, place: Place) -> float:
        return self.unet_strength if place.component == "unet" else self.text_strength


@dataclass
class Misfit:
    """How a network fits a model, and what of it the model has no place for."""

    fitting: dict[Place, Change] = field(default_factory=dict)
    shapes: list[Place] = field(default_factory=list)
    missing: list[Place] = field(default_factory=list)
    is_foreign: bool = False

    def told(self, network: Network, family: str) -> list[str]:
        """Sentences for the user; none where all is well."""
        if self.is_foreign:
            return [f"{network.name} was left out: it is made for another kind of model than this one ({family})"]
        told = []
        if self.shapes:
            told.append(f"{network.name}: {_layers(self.shapes, 'has another size', 'have other sizes')} in this model")
        if self.missing:
            told.append(f"{network.name}: {_layers(self.missing, 'is', 'are')} not in this model")
        return [f"{sentence} and left out" for sentence in told]


def _layers(places: Sequence[Place], one: str, many: str) -> str:
    names = listed(f"{place.component} {place.name}" for place in places)
    return f"1 layer ({names}) {one}" if len(places) == 1 else f"{len(places)} layers ({names}) {many}"


def look(network: Network, layers: Layers) -> Misfit:
    """How a network fits the layers of a model."""
    misfit = Misfit()
    tried: dict[Hashable, bool] = {}
    for place, change in network.changes.items():
        layer = layers.get(place)
        if layer is None:
            misfit.missing.append(place)
            continue
        shape = _weight(layer).shape
        form = (change.form(), shape)
        if form not in tried:
            tried[form] = change.fits(shape)
        if tried[form]:
            misfit.fitting[place] = change
        else:
            misfit.shapes.append(place)
    fitting = len(misfit.fitting)
    crossing = any(place.name.endswith(_CROSS) for place in misfit.shapes)
    misfit.is_foreign = bool(network.changes) and (
        not fitting or crossing or len(misfit.shapes) > fitting or _is_for_two_encoders(misfit.missing, layers)
    )
    return misfit


def _is_for_two_encoders(missing: Sequence[Place], layers: Layers) -> bool:
    """Whether it changes a second text encoder, and the model has only one."""
    components = {place.component for place in layers}
    return any(place.component == "te2" for place in missing) and "te2" not in components and "te1" in components


class NetworkPatch(AbstractContextManager[None]):
    """Networks applied to one model, one after another in the order of the prompt.

    Attributes:
        key: equal for equal sets of networks on the same model; None where some act only at some steps or in some
            calls, so that the patch does not stay for the next job.
    """

    def __init__(self, model: LoadedModel, wanted: Sequence[Wanted], key: Hashable, *, is_chosen: bool = False) -> None:
        """Args:
        is_chosen: whether calls may say which networks act in them.
        """
        self._model = model
        self._wanted = tuple(wanted)
        self.is_timed = is_chosen or any(one.is_timed for one in wanted)
        self.key = None if self.is_timed else key
        self._acting = (True,) * len(self._wanted)
        self._entered = False
        self._written: list[tuple[nn.Module, str]] = []
        self._added: list[nn.Module] = []  # layers that had no bias

    def __enter__(self) -> None:
        self._acting = (True,) * len(self._wanted)
        self._apply()
        self._entered = True

    def at_step(self, reported: int, total: int, *, hires: bool = False, allowed: Sequence[bool] | None = None) -> None:
        """Before a call of the UNet: let those networks act whose window is open.

        Args:
            reported: the step that A1111's sampler would have reported.
            total: steps of the run.
            hires: whether it is the second pass of hires fix.
            allowed: for each network, whether it may act in this call; None: all may.
        """
        may = allowed if allowed is not None and len(allowed) == len(self._wanted) else (True,) * len(self._wanted)
        acting = tuple(
            one.acts(reported, total, hires=hires) and is_allowed
            for one, is_allowed in zip(self._wanted, may, strict=True)
        )
        if self._entered and acting != self._acting:
            self._restore()
            self._acting = acting
            self._apply()

    def _apply(self) -> None:
        try:
            with torch.no_grad():
                for layer, changes in self._by_layer():
                    self._change(layer, changes)
        except BaseException:
            self._restore()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        self._restore()

    def _change(self, layer: nn.Module, changes: Sequence[_Applied]) -> None:
        weight = original = self._here(_weight(layer))
        bias = before = self._here(layer.bias) if isinstance(layer.bias, Tensor) else None
        for change, strength, ranks in changes:
            weight = change.weight(weight, strength, ranks)
            if change.bias is not None:
                added = strength * change.bias.to(weight).flatten()
                bias = added if bias is None else bias + added
        if weight is not original:
            self._put(layer, "weight", weight)
        if bias is not None and bias is not before:
            self._put(layer, "bias", bias)

    def _by_layer(self) -> Iterator[tuple[nn.Module, list[_Applied]]]:
        """Each layer that changes, with its changes in order. A strength of 0 changes nothing and is not computed."""
        layers = layers_of(self._model)
        names = block_names(self._model) if any(one.blocks for one in self._wanted) else {}
        found: dict[int, tuple[nn.Module, list[_Applied]]] = {}
        for one, acts in zip(self._wanted, self._acting, strict=True):
            for place, change in one.network.changes.items():
                layer, strength = layers.get(place), one.strength(place)
                if layer is None or strength == 0 or not (acts or place.component != "unet"):
                    continue
                if one.blocks is not None:
                    change = change.scaled(one.blocks.ratio(names[id(layer)]))
                found.setdefault(id(layer), (layer, []))[1].append((change, strength, one.ranks))
        yield from found.values()

    def _put(self, layer: nn.Module, name: str, tensor: Tensor) -> None:
        if getattr(layer, name) is None:
            setattr(layer, name, nn.Parameter(tensor, requires_grad=False))
            self._added.append(layer)
        else:
            overwrite(getattr(layer, name), tensor)
            self._written.append((layer, name))

    def _here(self, weight: Tensor) -> Tensor:
        """A weight where the model computes, and in a format that can be computed with."""
        return weight.to(self._model.device, self._model.dtype if weight.dtype.itemsize == 1 else weight.dtype)

    def _restore(self) -> None:
        while self._written:
            layer, name = self._written.pop()
            restore(getattr(layer, name))
        while self._added:
            self._added.pop().register_parameter("bias", None)


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(layer).__name__} has no weight")
    return weight
