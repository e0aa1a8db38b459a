"""What others add to the network, measured where it arrives, whoever adds it: no extension has to know another one.

Everything is relative to what is there without it: |added| / |there| over all numbers of a part (Frobenius norms).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from webui.extension_api.tensors import Attention, AttentionLayer, checkpoint_weight

from .network_parts import NetworkPart

_DOWN, _MIDDLE, _LEVELS = (
    "down_block_additional_residuals", "mid_block_additional_residual", "down_intrablock_additional_residuals",
)  # fmt: skip
_NOTHING = 1e-12
_SMALLEST = 1e-6  # of a share: what is below is rounding


class Additions:
    """Measures during one call of the network, between `begin` and `end`.

    Attributes:
        skips: of each part whose output goes over a skip connection, and of the middle's last, what is added to it
            (ControlNet), a number for each step.
        levels: of the last part of each level of the encoder, what is added within it (T2I-Adapter).
        attention: of each transformer, what others change in its cross-attention (IP-Adapter, regions).
        weights: of each part, how far its weights are from the checkpoint's (LoRA).
    """

    def __init__(self, parts: Sequence[NetworkPart]) -> None:
        self.skips: dict[str, list[float]] = {}
        self.levels: dict[str, list[float]] = {}
        self.attention: dict[str, list[float]] = {}
        self.weights: dict[str, float] = {}
        self._parts = tuple(parts)
        self._sources = skip_sources(parts)
        self._ends = level_ends(parts)
        self._row: int | None = None
        self._added: dict[tuple[str, str], Tensor] = {}  # kind and part -> |added|
        self._there: dict[str, Tensor] = {}
        self._plain: dict[str, Tensor] = {}  # layer -> what its attention gives without the others
        self._changed: dict[str, list[Tensor]] = defaultdict(list)

    @contextmanager
    def watching(self, unet: Any, layers: Mapping[str, AttentionLayer]) -> Iterator[None]:
        """While entered, what is handed to the network and to the ends of its attention layers is looked at."""
        handles = [unet.register_forward_pre_hook(self._residuals, with_kwargs=True)]
        for name, layer in layers.items():
            if layer.kind == "cross":
                ends = unet.get_submodule(name).to_out[0]
                handles.append(ends.register_forward_pre_hook(partial(self._mixed, name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def begin(self, row: int) -> None:
        """Look at the next call: at a row of it."""
        self._forget()
        self._row = row

    def seen(self, name: str, made: Tensor) -> None:
        """A part has made (C, h, w)."""
        if ("skip", name) in self._added or ("level", name) in self._added:
            self._there[name] = made.norm()

    def answered(self, attention: Attention, output: Tensor) -> None:
        """Attention has given (rows, S, H x d), without other extensions than this one."""
        if self._row is not None and self._row in attention.rows and attention.layer.name not in self._plain:
            self._plain[attention.layer.name] = output[attention.rows.index(self._row)]

    def end(self, place: int) -> None:
        """The call has ended, of the step that is recorded at this place."""
        for (kind, name), size in self._added.items():
            if name in self._there:
                share = float(size) / max(float(self._there[name]), _NOTHING)
                _note(self.skips if kind == "skip" else self.levels, name, place, share)
        for block, shares in self._changed.items():
            _note(self.attention, block, place, float(torch.stack(shares).mean()))
        self._forget()

    def _forget(self) -> None:
        """Hold no tensors until the next call."""
        self._row = None
        for kept in (self._added, self._there, self._plain, self._changed):
            kept.clear()

    @torch.no_grad()
    def weigh(self, unet: nn.Module) -> None:
        """Compare the weights of each part with those of the checkpoint's file."""
        for part in self._parts:
            pairs = [(weight, checkpoint_weight(weight)) for weight in unet.get_submodule(part.name).parameters()]
            changed = sum(_energy(here, own) for here, own in pairs if own is not here)
            if changed:  # only then are all weights of the part read
                whole = sum(_energy(own) for _, own in pairs)
                self.weights[part.name] = (changed / max(whole, _NOTHING)) ** 0.5

    def told(self) -> dict[str, Any]:
        """As plain data."""
        return {"skips": self.skips, "levels": self.levels, "attention": self.attention, "weights": self.weights}

    def _residuals(self, module: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if self._row is None:
            return
        for name, tensor in zip(self._sources, named.get(_DOWN) or (), strict=False):
            self._arrives("skip", name, tensor)
        if (middle := named.get(_MIDDLE)) is not None and (last := self._last_of_middle()):
            self._arrives("skip", last, middle)
        for name, tensor in zip(self._ends, named.get(_LEVELS) or (), strict=False):
            self._arrives("level", name, tensor)

    def _arrives(self, kind: str, name: str, tensor: Tensor) -> None:
        if tensor.ndim == 4 and self._row is not None:
            own = tensor[self._row if self._row < len(tensor) else 0]
            self._added[kind, name] = own.detach().float().norm()

    def _last_of_middle(self) -> str | None:
        return next((part.name for part in reversed(self._parts) if part.side == "middle"), None)

    def _mixed(self, name: str, module: Any, given: tuple[Any, ...]) -> None:
        plain = self._plain.pop(name, None)
        if self._row is None or plain is None or self._row >= len(given[0]):
            return
        final = given[0][self._row]
        if final.shape == plain.shape:
            plain = plain.detach().float()
            change = (final.detach().float() - plain).norm() / plain.norm().clamp(min=_NOTHING)
            self._changed[name.split(".transformer_blocks")[0]].append(change)


def _energy(values: Tensor, without: Tensor | None = None) -> float:
    """The sum of the squares of numbers, or of their difference from others."""
    own = values.detach().float().cpu()
    return float((own if without is None else own - without.detach().float().cpu()).square().sum())


def _note(table: dict[str, list[float]], name: str, place: int, share: float) -> None:
    if share > _SMALLEST:
        values = table.setdefault(name, [])
        values += [0.0] * (place - len(values))
        values.append(round(share, 5))


def skip_sources(parts: Sequence[NetworkPart]) -> tuple[str, ...]:
    """The parts whose outputs go over the skip connections, in the order in which the encoder makes them: the first
    convolution, each residual block with the transformer after it, each downsampling.
    """
    found: list[str] = []
    for part in parts:
        if part.name == "conv_in" or (part.side == "down" and part.kind in ("resnet", "down")):
            found.append(part.name)
        elif part.side == "down" and part.kind == "transformer":
            found[-1] = part.name
    return tuple(found)


def level_ends(parts: Sequence[NetworkPart]) -> tuple[str, ...]:
    """The last part of each level of the encoder before it is halved."""
    ends: dict[int, str] = {}
    for part in parts:
        if part.side == "down" and part.kind in ("resnet", "transformer"):
            ends[part.level] = part.name
    return tuple(ends[level] for level in sorted(ends))
