"""Applies the approximations that a request asks for to the networks of a run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from webui.domain.request import Speed
from webui.sampling.steps import ModelCall, Network, Residuals
from webui.weights.card_formats import Card, card_at
from webui.weights.fast.block_cache import BlockCache
from webui.weights.fast.eight_bits import EightBits, why_not
from webui.weights.fast.overriding import Approximation
from webui.weights.fast.text_gate import TextGate
from webui.weights.unet import UnetWrapper


class Approximations:
    """The approximations of one run of a sampler; leave it to have the networks be as they were. A context manager."""

    def __init__(
        self,
        speed: Speed,
        tell: Callable[[str], None] = lambda text: None,
        card: Callable[[torch.device], Card] = card_at,
    ) -> None:
        """Args:
        tell: is told, in sentences, what of it a device cannot do.
        card: what a device is.
        """
        self._speed = speed
        self._tell = tell
        self._card = card
        self._networks: list[tuple[Network, Network]] = []  # a network, and what is to be called in its place
        self._until = ExitStack()

    def __enter__(self) -> "Approximations":
        if self._speed.fp16_accumulation:
            self._until.enter_context(fp16_accumulation())
        return self

    def __exit__(self, *raised: object) -> None:
        self._until.close()
        self._networks.clear()

    def of(self, network: Network) -> Network:
        """What is to be called in the place of a network: itself where nothing is asked for, or nothing is known of its
        kind.
        """
        for known, approximated in self._networks:
            if known is network:
                return approximated
        kinds = self._kinds(network) if isinstance(network, UnetWrapper) else ()
        if not kinds or not isinstance(network, UnetWrapper):
            return network
        module: nn.Module = network.module
        for kind in kinds:
            kind.install(module, self._until)
        made = _Approximated(network, kinds)
        self._networks.append((network, made))
        return made

    def _kinds(self, network: UnetWrapper) -> tuple[Approximation, ...]:
        kinds: list[Approximation] = []
        if (kind := self._speed.eight_bits) != "off":
            why = why_not(kind, self._card(network.device))
            if why:
                self._tell(why)
            else:
                kinds.append(EightBits(kind, network.resident, self._tell))
        if self._speed.block_cache > 0:
            kinds.append(BlockCache(self._speed.block_cache))
        if self._speed.text_gate > 0:
            kinds.append(TextGate(self._speed.text_gate))
        return tuple(kinds)


class _Approximated:
    """A network whose approximations are told of each call."""

    def __init__(self, network: Network, kinds: tuple[Approximation, ...]) -> None:
        self._network = network
        self._kinds = kinds

    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        for kind in self._kinds:
            kind.begin(call, residuals)
        try:
            return self._network(call, residuals)
        finally:
            for kind in self._kinds:
                kind.end()


@contextmanager
def fp16_accumulation() -> Iterator[None]:
    """While entered, NVIDIA's cards add up products of fp16 in fp16. Nothing changes on other devices."""
    switch = torch.backends.cuda.matmul
    before = switch.allow_fp16_accumulation
    switch.allow_fp16_accumulation = True
    try:
        yield
    finally:
        switch.allow_fp16_accumulation = before
