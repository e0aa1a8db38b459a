"""Temporal gating of the text (T-GATE, arXiv:2404.02747): late in a run cross-attention adds what it added before.

The paper finds that what a text adds settles early. From a step on, the answers of all cross-attention layers are those
of the first call after it. The paper also leaves out the negative prompt from there on, which is a matter of guidance
and not done here.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from torch import Tensor, nn

from webui.sampling.steps import ModelCall, Residuals
from webui.weights.fast.overriding import Memories, stand_in

CROSS_ATTENTION = "attn2"  # its name in diffusers' transformer blocks


class TextGate:
    """The gate of one run of a sampler. Implements `overriding.Approximation`."""

    def __init__(self, after: float) -> None:
        """`after`: share of the steps, 0..1, from which on nothing new is asked of the text."""
        self._after = after
        self._memories: Memories[dict[int, Tensor]] = Memories(dict)
        self._now: dict[int, Tensor] | None = None

    def install(self, network: nn.Module, until: ExitStack) -> None:
        layers = [module for name, module in network.named_modules() if name.endswith(f".{CROSS_ATTENTION}")]
        for number, layer in enumerate(layers):
            stand_in(layer, partial(self._attend, number), until)

    def begin(self, call: ModelCall, residuals: Residuals | None) -> None:
        gated = call.step.progress >= self._after and not call.windows
        self._now = self._memories.of(call) if gated else None

    def end(self) -> None:
        self._now = None

    def _attend(self, number: int, forward: Callable[..., Tensor], *arguments: Any, **named: Any) -> Tensor:
        if self._now is None:
            return forward(*arguments, **named)
        if number not in self._now:
            self._now[number] = forward(*arguments, **named)
        return self._now[number]
