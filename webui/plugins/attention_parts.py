"""Extensions inside the attention layers of a network: one within the other, and none of them can spoil a picture."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import pluggy
import torch
from torch import Tensor

from webui.domain.errors import Cancelled
from webui.plugins.answers import copied, is_a, refuse_change, versions
from webui.plugins.calling import Calls, ExtensionError
from webui.plugins.network_calls import Outside
from webui.sampling.attending import Attend, Attention, TakePart
from webui.sampling.steps import ModelCall

HOOK = "unet_attention"


class Members(Protocol):
    """The extensions of a job, as attention calls them."""

    def call(self, impl: pluggy.HookImpl, given: Mapping[str, Any]) -> Any:
        """What a hook returns."""

    def run(self, extension: str, hook: str, work: Callable[..., Any], *given: Any) -> Any:
        """What other code of an extension returns."""

    def drop(self, extension: str, hook: str, error: Exception) -> None:
        """Leave an extension out of the rest of the job."""

    def is_member(self, extension: str) -> bool:
        """Whether it was not dropped."""


class AttentionParts:
    """Who takes part in the attention of a call of the network."""

    def __init__(self, members: Members, calls: Calls) -> None:
        self._members = members
        self._calls = calls
        self._latest: list[str] = []

    def of(self, impls: Sequence[pluggy.HookImpl], call: ModelCall) -> Mapping[str, TakePart]:
        """One function for each layer, in which one extension stands within the other: the first one's `attend` is the
        second one.

        Args:
            impls: of the hook, in their order.
        """
        found: list[tuple[str, Mapping[str, TakePart]]] = []
        for impl in impls:
            given = copied(call)
            handed = versions(given)
            try:
                mine: Mapping[str, TakePart] = self._members.call(impl, {"call": given}) or {}
                refuse_change("call", given, call, None, handed)
                check_parts(mine, call)
                found.append((impl.plugin_name, mine))
            except Cancelled:
                raise
            except Exception as error:
                self._members.drop(impl.plugin_name, HOOK, error)
        self._latest = [name for name, parts in found if parts]
        whole: dict[str, TakePart] = {}
        for extension, parts in reversed(found):
            for name, part in parts.items():
                whole[name] = partial(self._shared, extension, part, whole.get(name))
        return whole

    def refuse(self) -> None:
        """The output of the latest call was not finite, and without those who took part in it it is."""
        for name in self._latest:
            self._members.drop(name, HOOK, ExtensionError("what it made of the attention is NaN or infinite"))

    def _shared(self, extension: str, part: TakePart, inner: TakePart | None, due: Attention, usual: Attend) -> Tensor:
        """What an attention gives with an extension, as without it where that fails."""

        def without(attention: Attention) -> Tensor:
            return usual(attention) if inner is None else inner(attention, usual)

        if not self._members.is_member(extension):
            return without(due)
        outside = Outside(without, self._calls)
        try:
            output = self._members.run(extension, HOOK, part, due, outside)
            _check(output, due)
            return output  # type: ignore[no-any-return]
        except Exception as error:
            if error is outside.error or isinstance(error, Cancelled | torch.OutOfMemoryError):
                raise
            self._members.drop(extension, HOOK, error)
            return without(due)


def check_parts(new: Any, call: ModelCall) -> None:
    """Raises ExtensionError unless it says who takes part in layers that there are."""
    is_a(Mapping)(new, None)
    for name, part in new.items():
        if name not in call.layers:
            raise ExtensionError(f"takes part in a layer {name!r}, which this checkpoint's network does not have")
        if not callable(part):
            raise ExtensionError(f"returned {type(part).__name__} for the layer {name}, expected a function")


def _check(output: Any, due: Attention) -> None:
    """Raises ExtensionError unless it has the shape, the format and the device of an attention's output."""
    is_a(Tensor)(output, None)
    rows, heads, tokens, width = due.query.shape
    expected = (rows, tokens, heads * width)
    like = due.query
    if tuple(output.shape) != expected or (output.dtype, output.device) != (like.dtype, like.device):
        raise ExtensionError(
            f"returned {tuple(output.shape)} {output.dtype} on {output.device} for {due.layer.name}, "
            f"expected {expected} {like.dtype} on {like.device}"
        )
