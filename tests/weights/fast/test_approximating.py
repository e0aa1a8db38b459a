"""Approximations spare what they say, keep the network's answer where they must, and leave no trace."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.library.small import small_checkpoint
from tests.weights.sources import Memory
from webui.domain.request import Speed
from webui.library.shapes import unet_shape
from webui.sampling.steps import ModelCall, Residuals, Step
from webui.weights.build import build_unet
from webui.weights.fast.approximating import Approximations
from webui.weights.unet import UnetWrapper

TEXT = torch.randn(2, 77, 64, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def network() -> UnetWrapper:
    tensors = small_checkpoint(5)
    shape = unet_shape({name: tuple(value.shape) for name, value in tensors.items()})
    assert shape is not None
    return UnetWrapper(build_unet(Memory(tensors), shape, (8, 8), torch.device("cpu"), torch.float32), shape)


@pytest.fixture
def asked(network: UnetWrapper) -> Iterator[dict[str, int]]:
    """How often the deep blocks and the cross-attentions were asked."""
    count = {"deep": 0, "text": 0}
    handles: list[Any] = []
    for name, module in network.module.named_modules():
        kind = "text" if name.endswith("attn2.to_q") else "deep" if name == "mid_block.resnets.0" else ""
        if kind:
            handles.append(module.register_forward_hook(lambda *_, kind=kind: count.update({kind: count[kind] + 1})))
    yield count
    for handle in handles:
        handle.remove()


def call(index: int, total: int = 4, *, moved: float = 0.0, context: Tensor = TEXT) -> ModelCall:
    """A call at a step; `moved` says how far its latents are from those of the others."""
    draw = torch.Generator().manual_seed(1)
    sample = torch.randn(2, 4, 8, 8, generator=draw) + moved * torch.randn(2, 4, 8, 8, generator=draw)
    level = torch.tensor(1.0)
    positive = torch.tensor([True, False])
    return ModelCall(Step(index, total, level, level), sample, torch.full((2,), 500.0), context, positive)


@torch.no_grad()
def test_nothing_asked_for_is_the_network_itself(network: UnetWrapper) -> None:
    with Approximations(Speed()) as none:
        assert none.of(network) is network


@torch.no_grad()
def test_the_first_block_cache_spares_deep_blocks_where_little_changes(
    network: UnetWrapper, asked: dict[str, int]
) -> None:
    with Approximations(Speed(block_cache=0.2)) as some:
        cached = some.of(network)
        assert some.of(network) is cached
        first = cached(call(0), None)
        assert torch.equal(cached(call(1), None), first)  # the same input: what is kept is what would come
        near = cached(call(2, moved=0.01), None)
        assert asked["deep"] == 1
        far = cached(call(3, moved=3.0), None)
        assert asked["deep"] == 2
    exact = network(call(2, moved=0.01), None)
    assert not torch.equal(near, first)  # the outermost blocks were asked
    assert (near - exact).norm() < 0.1 * exact.norm()
    assert torch.equal(far, network(call(3, moved=3.0), None))


@torch.no_grad()
def test_the_cache_keeps_texts_apart_and_lets_residuals_of_levels_through(
    network: UnetWrapper, asked: dict[str, int]
) -> None:
    other = TEXT + 1.0
    channels = [level.channels for level in network.shape.levels]
    sides = [8 >> number for number in range(len(channels))]
    levels = tuple(torch.full((2, width, side, side), 0.5) for width, side in zip(channels, sides, strict=True))
    with Approximations(Speed(block_cache=1.0)) as some:
        cached = some.of(network)
        here = cached(call(0), None)
        assert torch.equal(cached(call(0, context=other), None), network(call(0, context=other), None))
        before = asked["deep"]
        assert torch.equal(cached(call(1), None), here)
        assert asked["deep"] == before
        with_levels = cached(call(1), Residuals(levels=levels))
        assert torch.equal(cached(call(1), None), here)  # they are not in what is kept
    assert torch.equal(with_levels, network(call(1), Residuals(levels=levels)))


@torch.no_grad()
def test_the_gate_asks_the_text_once_after_it(network: UnetWrapper, asked: dict[str, int]) -> None:
    with Approximations(Speed(text_gate=0.5)) as some:
        gated = some.of(network)
        made = [gated(call(index, moved=index / 10), None) for index in range(2)]
        layers = asked["text"] // 2
        made += [gated(call(index, moved=index / 10), None) for index in range(2, 4)]
        assert asked["text"] == 3 * layers
    exact = [network(call(index, moved=index / 10), None) for index in range(4)]
    assert all(torch.equal(a, b) for a, b in zip(made[:3], exact[:3], strict=True))
    assert not torch.equal(made[3], exact[3])


@torch.no_grad()
@pytest.mark.parametrize("speed", [Speed(block_cache=0.5), Speed(text_gate=0.1), Speed(block_cache=0.5, text_gate=0.1)])
def test_a_network_is_itself_afterwards_and_for_others_meanwhile(network: UnetWrapper, speed: Speed) -> None:
    before = {name: set(vars(module)) for name, module in network.module.named_modules()}
    exact = network(call(3), None)
    with Approximations(speed) as some:
        some.of(network)(call(2, moved=2.0), None)
        assert torch.equal(network(call(3), None), exact)  # such as a run inside the job
        with Approximations(speed) as inner:
            inner.of(network)(call(3), None)
            with pytest.raises(ValueError, match="residuals"):
                some.of(network)(call(3), Residuals(down=(TEXT,)))
        assert torch.equal(network(call(3), None), exact)
    assert {name: set(vars(module)) for name, module in network.module.named_modules()} == before
    assert torch.equal(network(call(3), None), exact)


def test_accumulation_is_switched_for_a_run_alone() -> None:
    switch = torch.backends.cuda.matmul
    before = switch.allow_fp16_accumulation
    with Approximations(Speed(fp16_accumulation=True)):
        assert switch.allow_fp16_accumulation
    assert switch.allow_fp16_accumulation == before
