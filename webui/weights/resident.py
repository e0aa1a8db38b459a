"""One network that can leave its device, as a whole or layer by layer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from webui.weights.owned import move
from webui.weights.recovery import CACHES_EMPTIED, Rung, with_recovery
from webui.weights.streaming import FP8, LayerStream, has_cuda, streamable

T = TypeVar("T")

_CPU = "cpu"
_AHEAD = 2  # streamed layers that are on the device at once
_KEPT_WIDE = ("conv_in", "conv_out", "time_embedding", "add_embedding", "class_embedding", "time_embed", "label_emb")


class Keeper(Protocol):
    """What a network needs of the `Residency` that has charge of it; that class says what each method does."""

    def use(self, resident: "Resident", activations: int = 0) -> AbstractContextManager[None]: ...
    def fits(self, resident: "Resident", activations: int) -> bool: ...
    def rungs(self, resident: "Resident | None") -> tuple[Rung, Rung]: ...
    def tell(self, text: str) -> None: ...


class Resident:
    """A network as a `Residency` sees it. Before one takes charge of it (`join`) it stays where it is.

    Attributes:
        name: for texts.
        bytes: of all weights; `loaded` of those on the device; `least` while all that can be streamed is.
        parts: into how many calls, one after another, the rows of one are divided.
        tile: the side of the tiles in which it works, in latent cells; 0: whole.
        moves: counts up whenever the program moves weights.
        written: counts up whenever extensions may have written weights or put others in their place.
        last_used, in_use: when it was used last, in uses of all networks, and how often it is entered now.
    """

    def __init__(self, name: str, *modules: nn.Module | None) -> None:
        self.name = name
        self.bytes = self.loaded = self.least = 0
        self.parts = 1
        self.tile = 0
        self.moves = self.written = 0
        self.last_used = self.in_use = 0
        self.is_streamed = False
        self._modules = tuple(module for module in modules if module is not None)
        self._residency: Keeper | None = None
        self._device: torch.device | None = None
        self._layers: tuple[nn.Module, ...] = ()
        self._rest: tuple[nn.Module, ...] = ()
        self._buffer = 0  # bytes of the streamed layers that are on the device at once
        self._on: set[nn.Module] = set()  # layers whose weights lie on the device
        self._rest_is_on = True
        self._stream: LayerStream | None = None
        self._small: frozenset[nn.Module] = frozenset()  # layers in 8 bits
        self._addresses: tuple[int, ...] = ()
        self._addressed = (-1, -1)  # of moves and writes, when the addresses were asked for

    @property
    def device(self) -> torch.device | None:
        """Where it computes; None: where its weights lie."""
        return self._device

    @property
    def is_whole(self) -> bool:
        """Whether all its weights are on the device."""
        return self._residency is None or (self._rest_is_on and len(self._on) == len(self._layers))

    @property
    def must(self) -> int:
        """Bytes that must be free for it to be called with layers that stream."""
        return self._buffer if self._rest_is_on else self.least

    def join(self, residency: Keeper, device: torch.device, name: str, *, here: bool, fp8: bool) -> None:
        """Be in the charge of a residency from now on."""
        self.name = name or self.name
        self._residency, self._device = residency, device
        self._layers = tuple(layer for module in self._modules for layer in streamable(module))
        known = set(self._layers)
        self._rest = tuple(one for module in self._modules for one in module.modules() if one not in known)
        self._stream = LayerStream(device, self._format())
        self._on, self._rest_is_on = (set(self._layers) if here else set()), here
        if fp8:
            self._make_small()
        self.measure()

    def measure(self) -> None:
        """Count its weights anew."""
        sizes = {layer: _size(layer) for layer in self._layers}
        rest = sum(map(_size, self._rest))
        self.bytes = sum(sizes.values()) + rest
        self.loaded = sum(sizes[layer] for layer in self._on) + (rest if self._rest_is_on else 0)
        self._buffer = min(sum(sizes.values()), _AHEAD * max(sizes.values(), default=0))
        self.least = rest + self._buffer

    def convert(self, dtype: torch.dtype) -> None:
        """Bring its weights into another format, where they lie."""
        for owner in (one for module in self._modules for one in module.modules()):
            for name, weight in tuple(_weights(owner)):
                if weight.is_floating_point():
                    move(owner, name, weight.detach().to(dtype))
        self.measure()
        self._changed()

    def usual(self) -> None:
        """Forget what the last job needed: it is whole, in one call, without tiles."""
        self.parts, self.tile, self.is_streamed = 1, 0, False

    def use(self, activations: int = 0) -> AbstractContextManager[None]:
        """While entered, it can be called. See `Residency.use`."""
        return nullcontext() if self._residency is None else self._residency.use(self, activations)

    def run(
        self,
        attempt: Callable[[], T],
        *,
        work: str,
        lower: str,
        activations: int = 0,
        rungs: Sequence[Rung] = (),
    ) -> T:
        """The result of a call, made again in a way that needs less where memory runs out.

        Args:
            attempt: calls it.
            rungs: its own ways to need less, which come after everything else has left, before its weights stream.
            work, lower: see `with_recovery`.

        Raises:
            MemoryShortError: see `with_recovery`.
        """
        if self._residency is None:
            try:
                return with_recovery(attempt, (CACHES_EMPTIED, *rungs), work=work, lower=lower)
            finally:
                self.usual()
        residency = self._residency

        def inside() -> T:
            with residency.use(self, activations):
                return attempt()

        alone, streaming = residency.rungs(self)
        return with_recovery(inside, (alone, *rungs, streaming), work=work, lower=lower, told=residency.tell)

    def fits(self, activations: int) -> bool:
        """Whether a call can be expected to have room."""
        return self._residency is None or self._residency.fits(self, activations)

    def load(self, allowed: int) -> int:
        """Bring weights to the device until so many bytes are there, with those that stream meanwhile. Returns the
        bytes moved.
        """
        before = self.loaded
        if not self._rest_is_on:
            for one in self._rest:
                self._place(one, on=True)
            self._rest_is_on = True
            self.loaded += sum(map(_size, self._rest))
        away = {layer: _size(layer) for layer in self._layers if layer not in self._on}
        spare, total = allowed - self.loaded, sum(away.values())
        whole = spare >= total
        spare -= 0 if whole else self._buffer
        # streamed layers stand evenly among the others, so that there is time to bring them
        share, credit = spare / max(1, total), 0.0
        for layer, size in away.items():
            credit += size * share
            if whole or (credit >= size / 2 and size <= spare):
                self._place(layer, on=True)
                self._on.add(layer)
                credit -= size
                spare -= size
                self.loaded += size
            self._hook(layer)
        if self.loaded != before:
            self._changed()
        return self.loaded - before

    def shrink(self, short: int) -> int:
        """Have layers leave until so many bytes are free; they stream. Returns the bytes that were freed."""
        freed = 0
        for layer in sorted(self._on, key=_size, reverse=True):
            if freed >= short:
                break
            self._place(layer, on=False)
            self._on.discard(layer)
            self._hook(layer)
            freed += _size(layer)
            self.loaded -= _size(layer)
        if freed:
            self._changed()
        return freed

    def leave(self) -> int:
        """Have all weights leave the device. Returns the bytes that were freed."""
        freed = self.loaded
        for layer in tuple(self._on):
            self._place(layer, on=False)
            self._hook(layer)
        self._on.clear()
        if self._rest_is_on:
            for one in self._rest:
                self._place(one, on=False)
        self._rest_is_on = False
        self.loaded = 0
        self._changed()
        return freed

    def stream(self) -> bool:
        """Stream all that can be for the rest of the job. False where it does already."""
        if self.is_streamed or not self._layers:
            return False
        self.is_streamed = True
        self.shrink(self.loaded)
        return True

    def settle(self) -> None:
        """Bring weights to where they are thought to be, after extensions may have put others in their place."""
        if self._device is None or self._device.type == "cpu":
            return
        known = set(self._layers)
        for layer in (*self._layers, *self._rest):
            on = layer in self._on if layer in known else self._rest_is_on
            for _, weight in _weights(layer):
                if (weight.device.type == self._device.type) != on:
                    self._place(layer, on=on)
                    break

    @property
    def addresses(self) -> tuple[int, ...]:
        """Where its weights lie. Asked anew only where they may have changed; those written in place stay."""
        state = (self.moves, self.written)
        if state != self._addressed:
            self._addressed = state
            self._addresses = tuple(one.data_ptr() for module in self._modules for one in module.parameters())
        return self._addresses

    def rest(self) -> None:
        """A call is over: what was brought ahead is let go of."""
        if self._stream is not None:
            self._stream.rest()

    @torch.inference_mode()  # the mode in which jobs load weights, which can be written in no other
    def _place(self, owner: nn.Module, *, on: bool) -> None:
        for name, weight in tuple(_weights(owner)):
            move(owner, name, _on_device(weight, self._target()) if on else _in_main_memory(weight))

    def _target(self) -> torch.device:
        return self._device or torch.device(_CPU)

    def _hook(self, layer: nn.Module) -> None:
        if self._stream is None:
            return
        if layer not in self._on:
            self._stream.add(layer)
        elif layer in self._small:
            self._stream.add(layer, stays=True)
        else:
            self._stream.discard(layer)

    def _changed(self) -> None:
        self.moves += 1
        self.rest()

    def _format(self) -> torch.dtype:
        """The format of its first weights, which are never in 8 bits."""
        return next((weight.dtype for module in self._modules for weight in module.parameters()), torch.float32)

    def _make_small(self) -> None:
        """Keep the weights of layers in 8 bits, but for those at its ends: pictures depend most on them, and they are
        small.
        """
        small = set()
        for module in self._modules:
            for name, layer in module.named_modules():
                if layer in set(self._layers) and not name.startswith(_KEPT_WIDE):
                    small.add(layer)
                    weight = layer._parameters["weight"]
                    if weight is not None:
                        move(layer, "weight", weight.detach().to(FP8))
        self._small = frozenset(small)
        for layer in small:
            self._hook(layer)


def _weights(owner: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a module itself, without those of modules inside it."""
    for found in (owner._parameters, owner._buffers):
        yield from ((name, one) for name, one in found.items() if one is not None)


def _size(owner: nn.Module) -> int:
    return sum(one.numel() * one.element_size() for _, one in _weights(owner))


def _on_device(weight: Tensor, device: torch.device) -> Tensor:
    return weight.detach().to(device, non_blocking=True, copy=True)


def _in_main_memory(weight: Tensor) -> Tensor:
    """A copy in main memory; in pages that stay there, where a device copies from those faster."""
    if has_cuda(weight.device):
        try:
            pinned = torch.empty_like(weight, device=_CPU, pin_memory=True)
        except RuntimeError:  # the system gives no more such pages
            return weight.detach().to(_CPU)
        return pinned.copy_(weight.detach())
    return weight.detach().to(_CPU, copy=True)
