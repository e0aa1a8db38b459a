"""Weights that the program moves and extensions change: they keep their identity wherever they lie, and what a
checkpoint's file says is kept beside a weight that was changed.

A weight is written in place, so its address stays and code that was captured or compiled for it goes on. Its own values
wait in main memory meanwhile.
"""

from typing import Any

import torch
from torch import Tensor, nn

_CPU = "cpu"
_ORIGIN, _BEFORE, _WRITES = "webui_origin", "webui_before", "webui_writes"  # attributes of the parameters themselves


def identity(weight: Tensor) -> int:
    """A number that stays when a weight is moved, and is another one's for another weight."""
    return int(getattr(weight, _ORIGIN, id(weight)))


def move(owner: nn.Module, name: str, moved: Tensor) -> None:
    """Let a parameter or buffer have the same values elsewhere. The parameter stays the same object where torch can do
    that, and keeps its identity where it cannot.
    """
    if name in owner._buffers:
        owner._buffers[name] = moved
        return
    weight = owner._parameters[name]
    if weight is None:
        raise ValueError(f"{type(owner).__name__} has no {name}")
    same_object = not torch.__future__.get_overwrite_module_params_on_conversion()
    if same_object and torch._has_compatible_shallow_copy_type(weight, moved):  # as torch's own `Module.to` decides it
        weight.data = moved
        return
    placed: Any = nn.Parameter(moved, requires_grad=False)
    for key, value in ((_ORIGIN, identity(weight)), (_BEFORE, before(weight)), (_WRITES, writes(weight))):
        setattr(placed, key, value)
    owner._parameters[name] = placed


def before(weight: Tensor) -> tuple[Tensor, ...]:
    """The values that a weight had before each time that it was overwritten, the oldest first; in main memory."""
    kept: tuple[Tensor, ...] = getattr(weight, _BEFORE, ())
    return kept


def checkpoint_weight(weight: Tensor) -> Tensor:
    """The values that the checkpoint itself has for a weight, wherever they lie."""
    return (before(weight) or (weight,))[0]


def writes(weight: Tensor) -> int:
    """How often a weight was written by `overwrite` and `restore`."""
    return int(getattr(weight, _WRITES, 0))


@torch.no_grad()
def overwrite(weight: Tensor, values: Tensor) -> None:
    """Write values of the same shape into a weight; `restore` gives it those that it had."""
    kept: Any = weight
    setattr(kept, _BEFORE, (*before(weight), weight.detach().to(_CPU, copy=True)))
    weight.copy_(values)
    setattr(kept, _WRITES, writes(weight) + 1)


@torch.no_grad()
def restore(weight: Tensor) -> None:
    """Undo the last `overwrite`. Raises ValueError where there was none."""
    *older, last = before(weight) or (None,)
    if last is None:
        raise ValueError("the weight was not overwritten")
    weight.copy_(last)
    kept: Any = weight
    setattr(kept, _BEFORE, tuple(older))
    setattr(kept, _WRITES, writes(weight) + 1)
