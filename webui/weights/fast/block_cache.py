"""First-block cache: where the first block of a UNet answers nearly what it did, the deep blocks are not asked again.

Between neighbouring steps the deep part of a UNet changes little, while the outermost blocks carry what does
(DeepCache, arXiv:2312.00858). Each call computes the outermost block of the encoder. If its answer differs from that of
the last whole call by no more than a share, all blocks but the outermost of the decoder answer what they did then.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn

from webui.sampling.steps import ModelCall, Residuals
from webui.weights.fast.overriding import Memories, stand_in


@dataclass(slots=True, eq=False)
class _Whole:
    """The last whole call of a kind.

    Attributes:
        first: the answer of the first block (rows, C, h, w).
        deep: the answers of the deep blocks, by their numbers.
        again: whether the call that runs now gives these answers again.
    """

    first: Tensor | None = None
    deep: dict[int, Any] = field(default_factory=dict)
    again: bool = False


class BlockCache:
    """The cache of one run of a sampler, for UNets of diffusers. Implements `overriding.Approximation`.

    Attributes:
        spared: calls in which the deep blocks were not asked.
    """

    def __init__(self, threshold: float) -> None:
        """`threshold`: mean change of the first block's answer, as a share of its mean size, that counts as none."""
        self.spared = 0
        self._threshold = threshold
        self._memories: Memories[_Whole] = Memories(_Whole)
        self._now: _Whole | None = None

    def install(self, network: nn.Module, until: ExitStack) -> None:
        first, *others = network.get_submodule("down_blocks").children()
        middle = [block for name, block in network.named_children() if name == "mid_block"]
        ups = list(network.get_submodule("up_blocks").children())
        stand_in(first, self._first, until)
        for number, block in enumerate([*others, *middle, *ups[:-1]]):
            stand_in(block, partial(self._deep, number), until)

    def begin(self, call: ModelCall, residuals: Residuals | None) -> None:
        # Residuals of levels are added to the blocks' answers in place; windows have rows of their own each time.
        whole = call.windows or (residuals is not None and residuals.levels)
        self._now = None if whole else self._memories.of(call)

    def end(self) -> None:
        if self._now is not None:
            self.spared += self._now.again
            self._now.again = False
        self._now = None

    def _first(self, forward: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        answer = forward(*arguments, **named)
        if (now := self._now) is not None:
            now.again = now.first is not None and bool(now.deep) and self._is_same(answer[0], now.first)
            if not now.again:
                now.first, now.deep = answer[0], {}
        return answer

    def _is_same(self, here: Tensor, before: Tensor) -> bool:
        """Costs one synchronisation with a device."""
        return bool((here - before).abs().mean() <= self._threshold * before.abs().mean())

    def _deep(self, number: int, forward: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        now = self._now
        if now is not None and now.again:
            return now.deep[number]
        answer = forward(*arguments, **named)
        if now is not None:
            now.deep[number] = answer
        return answer
