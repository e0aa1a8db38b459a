"""Layers whose weights lie in main memory and come to the device for the length of a call, one layer ahead.

Which layer follows which is learned from the calls. On CUDA the copy is made on a stream of its own, from pinned
memory, while the layer before computes. A weight in 8 bits (fp8_e4m3) is brought into the network's format at its use.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

STREAMABLE = (nn.Linear, nn.Conv2d)
FP8 = torch.float8_e4m3fn


@dataclass(frozen=True, slots=True)
class _Fetched:
    """Copies of a layer's weights on the device, and the event after which they are there."""

    weights: dict[str, Tensor]
    event: Any


class LayerStream:
    """The layers of one network that get their weights at each call.

    Args:
        device: where calls are computed.
        dtype: what weights in 8 bits are brought into.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device = device
        self._dtype = dtype
        self._side = torch.cuda.Stream(device) if has_cuda(device) else None  # type: ignore[no-untyped-call]
        self._hooks: dict[nn.Module, tuple[RemovableHandle, ...]] = {}
        self._next: dict[nn.Module, nn.Module] = {}
        self._last: nn.Module | None = None
        self._ahead: tuple[nn.Module, _Fetched] | None = None
        self._at_home: dict[nn.Module, dict[str, nn.Parameter | None]] = {}  # of the layers that compute now
        self._stays: set[nn.Module] = set()

    def add(self, layer: nn.Module, *, stays: bool = False) -> None:
        """Give a layer its weights at each call; `stays`: they are on the device, and only need another format."""
        (self._stays.add if stays else self._stays.discard)(layer)
        if layer not in self._hooks:
            self._hooks[layer] = (
                layer.register_forward_pre_hook(self._before, prepend=True),
                layer.register_forward_hook(self._after, always_call=True),
            )

    def discard(self, layer: nn.Module) -> None:
        """The layer has its weights on the device from now on."""
        self._stays.discard(layer)
        for handle in self._hooks.pop(layer, ()):
            handle.remove()

    def rest(self) -> None:
        """The network has answered: nothing is kept on the device."""
        self._last = self._ahead = None

    def _before(self, layer: nn.Module, inputs: Any) -> None:
        ready, self._ahead = self._ahead, None
        fetched = ready[1] if ready is not None and ready[0] is layer else self._fetch(layer)
        if fetched.event is not None:
            torch.cuda.current_stream(self._device).wait_event(fetched.event)
            for weight in fetched.weights.values():
                weight.record_stream(torch.cuda.current_stream(self._device))
        self._at_home[layer] = {name: layer._parameters[name] for name in fetched.weights}
        layer._parameters.update(fetched.weights)  # type: ignore[arg-type]
        if layer in self._stays:
            return
        if self._last is not None:
            self._next[self._last] = layer
        self._last = layer
        follower = self._next.get(layer)
        if follower is not None and follower in self._hooks and follower not in self._stays:
            self._ahead = follower, self._fetch(follower)

    def _after(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        layer._parameters.update(self._at_home.pop(layer, {}))

    def _fetch(self, layer: nn.Module) -> _Fetched:
        if self._side is None:
            return _Fetched(dict(self._copies(layer)), None)
        with torch.cuda.stream(self._side):
            weights = dict(self._copies(layer))
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(self._side)
        return _Fetched(weights, event)

    def _copies(self, layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
        stays = layer in self._stays
        for name, weight in layer._parameters.items():
            if weight is None:
                continue
            there = weight.detach() if stays else weight.detach().to(self._device, non_blocking=True, copy=True)
            yield name, there.to(self._dtype) if there.dtype == FP8 else there


def has_cuda(device: torch.device) -> bool:
    """Whether a device is one of CUDA, and this torch can compute on it."""
    return device.type == "cuda" and bool(torch.backends.cuda.is_built())  # type: ignore[no-untyped-call]


def is_stream(hook: Any) -> bool:
    """Whether a hook of a layer is one of a `LayerStream`, which the program puts there and takes away itself."""
    return isinstance(getattr(hook, "__self__", None), LayerStream)


def streamable(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a network that can be streamed, in their order. Not those that share a weight with another."""
    owners: dict[int, int] = {}
    for layer in module.modules():
        for weight in layer._parameters.values():
            if weight is not None:
                owners[id(weight)] = owners.get(id(weight), 0) + 1
    for layer in module.modules():
        if type(layer) in STREAMABLE and all(
            owners[id(weight)] == 1 for weight in layer._parameters.values() if weight is not None
        ):
            yield layer
