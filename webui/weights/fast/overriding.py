"""What approximations of a network share: standing in for parts of it, and remembering something of like calls."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from webui.sampling.steps import ModelCall, Residuals

T = TypeVar("T")
KEPT = 4  # kinds of calls: prompt and negative prompt may be asked for apart, and `[a|b]` alternates between texts


class Approximation(Protocol):
    """Something that leaves out a part of a network's work."""

    def install(self, network: nn.Module, until: ExitStack) -> None:
        """Stand in for parts of a network, until `until` is left."""

    def begin(self, call: ModelCall, residuals: Residuals | None) -> None:
        """A call of the network begins."""

    def end(self) -> None:
        """It has ended; until the next begins, all parts compute what they always do."""


class Memories(Generic[T]):
    """What was remembered of calls with the same text and the same shape, of the last few of these."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._known: OrderedDict[tuple[int, torch.Size], tuple[Tensor, T]] = OrderedDict()

    def of(self, call: ModelCall) -> T:
        """That of calls like this one. The text is the same where it is the same tensor, as rows are laid out once."""
        key = (id(call.context), call.sample.shape)
        if key not in self._known:
            self._known[key] = (call.context, self._make())  # with the tensor, so that no other gets its id
        self._known.move_to_end(key)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._known[key][1]


def stand_in(module: nn.Module, around: Callable[..., Any], until: ExitStack) -> None:
    """Have `around(forward, *arguments)` answer for a module, where `forward` is what answered before, until `until` is
    left. Hooks on the module are called as before.
    """
    before: Callable[..., Any] = module.forward
    mine = module.__dict__.get("forward")

    def forward(*arguments: Any, **named: Any) -> Any:
        return around(before, *arguments, **named)

    def put_back() -> None:
        if mine is None:
            del module.__dict__["forward"]
        else:
            module.__dict__["forward"] = mine

    module.__dict__["forward"] = forward
    until.callback(put_back)
