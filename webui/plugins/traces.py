"""Finding what a patch left behind in a model: layers, hooks, weights. Replaced functions are in `codetrace.py`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from webui.weights.model import LoadedModel
from webui.weights.owned import identity
from webui.weights.streaming import is_stream


@dataclass(frozen=True, slots=True)
class ModelTrace:
    """What a model looks like: layers with their hooks and overridden methods, where its weights lie, one value each.

    Made only for jobs in which an extension patches the model; takes some 30 ms.
    """

    layers: tuple[tuple[int, int, int, bool], ...]
    identities: tuple[int, ...]
    moves: tuple[int, ...]  # how often the program itself has moved or converted each network
    places: tuple[tuple[int, ...], ...]  # the addresses of each network's weights
    values: Tensor  # (weights,) float32

    @classmethod
    def of(cls, model: LoadedModel) -> "ModelTrace":
        networks = tuple(_networks(model))
        modules = [layer for network, _ in networks for layer in network.modules()]
        weights = [weight for network, _ in networks for weight in network.parameters()]
        layers = tuple(
            (
                id(layer),
                _foreign(layer._forward_hooks.values()),
                _foreign(layer._forward_pre_hooks.values()),
                "forward" in layer.__dict__,
            )
            for layer in modules
        )
        places = tuple(tuple(weight.data_ptr() for weight in network.parameters()) for network, _ in networks)
        with torch.inference_mode():
            return cls(
                layers,
                tuple(identity(weight) for weight in weights),
                tuple(moves for _, moves in networks),
                places,
                _values([weight for weight in weights if weight.numel()]),
            )

    def difference(self, now: "ModelTrace") -> str:
        """What has changed since, in words; "" for nothing."""
        if self.layers != now.layers:
            return "its layers, their hooks or their methods are not as they were"
        moved = (
            place != there and before == after
            for place, there, before, after in zip(self.places, now.places, self.moves, now.moves, strict=True)
        )
        if self.identities != now.identities or any(moved):
            return "its weights are other tensors than before"
        if not torch.equal(self.values.nan_to_num(), now.values.nan_to_num()):
            return "its weights have other values than before"
        return ""


def _foreign(hooks: Iterable[Any]) -> int:
    """How many hooks are not those of the program, which come and go with the memory that there is."""
    return sum(not is_stream(hook) for hook in hooks)


def _values(weights: Sequence[Tensor]) -> Tensor:
    """One value of each weight. Those that lie on the same device are brought together."""
    found = torch.zeros(len(weights))
    for device in {weight.device for weight in weights}:
        here = [number for number, weight in enumerate(weights) if weight.device == device]
        found[here] = torch.stack([_middle(weights[number]).float() for number in here]).cpu()
    return found


def _middle(weight: Tensor) -> Tensor:
    """The value in the middle of its memory, whatever the layout (channels last on fast CPUs)."""
    return weight.as_strided((), (), weight.storage_offset() + weight.numel() // 2)


def _networks(model: LoadedModel) -> Iterator[tuple[nn.Module, int]]:
    """The modules that patches may act on, with how often the program has moved each."""
    for owner in (model.network, model.vae, *model.text.encoders):
        module, resident = getattr(owner, "module", None), getattr(owner, "resident", None)
        if isinstance(module, nn.Module):
            yield module, getattr(resident, "moves", 0)
