"""Products in 8 bits: exact where nothing is rounded, near where it is, and only where a device has them."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from tests.gpu.pretended import pretended
from tests.narrowing import untyped
from tests.weights.fast.test_approximating import call, network
from webui.domain.request import Speed
from webui.weights.card_formats import Card
from webui.weights.fast.approximating import Approximations, fp16_accumulation
from webui.weights.fast.eight_bits import EightBits, Format, fp8_product, in_fp8, in_int8, int8_product
from webui.weights.fast.network_inputs import NetworkInputs
from webui.weights.owned import overwrite, restore
from webui.weights.unet import UnetWrapper

__all__ = ["network"]  # the fixture

ADA, CPU = Card("cuda", capability=(8, 9)), Card("cpu")


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape) + sum(shape)))


def test_what_8_bits_hold_is_multiplied_exactly() -> None:
    draw = torch.Generator().manual_seed(1)
    whole = torch.randint(-126, 127, (48, 32), generator=draw).float()
    inputs = torch.randint(-126, 127, (24, 32), generator=draw).float()
    whole[:, 0] = inputs[:, 0] = 127.0  # the largest of each row, so that its scale is 1
    bias = drawn(48)
    assert torch.equal(int8_product(in_int8(inputs), in_int8(whole), bias, torch.float32), inputs @ whole.t() + bias)
    powers = 2.0 ** torch.randint(-3, 8, (24, 32), generator=draw)
    powers[0, 0] = 448.0
    weight = torch.full((48, 32), 448.0)
    made = fp8_product(in_fp8(powers), in_fp8(weight), None, torch.float32)
    assert torch.allclose(made, powers @ weight.t(), rtol=1e-6)


@pytest.mark.parametrize("bias", [drawn(64), None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_others_are_near_and_nothing_stays_nothing(dtype: torch.dtype, bias: Tensor | None) -> None:
    inputs, weight = drawn(40, 32).to(dtype), drawn(64, 32).to(dtype)
    bias = None if bias is None else bias.to(dtype)
    exact = torch.nn.functional.linear(inputs.float(), weight.float(), None if bias is None else bias.float())
    for made, share in (
        (int8_product(in_int8(inputs), in_int8(weight), bias, dtype), 0.02),
        (fp8_product(in_fp8(inputs), in_fp8(weight), bias, dtype), 0.06),
    ):
        assert made.dtype == dtype
        assert 0 < (made.float() - exact).norm() < share * exact.norm()
    assert not int8_product(in_int8(inputs * 0), in_int8(weight), None, dtype).any()
    assert not fp8_product(in_fp8(inputs * 0), in_fp8(weight), None, dtype).any()


@torch.no_grad()
@pytest.mark.parametrize(("kind", "card"), [("int8", CPU), ("int8", ADA), ("fp8", ADA)])
def test_a_network_answers_nearly_the_same_and_is_itself_afterwards(
    network: UnetWrapper, kind: Format, card: Card
) -> None:
    exact = network(call(0), None)
    told: list[str] = []
    with Approximations(Speed(eight_bits=kind), told.append, lambda device: card) as some:
        small = some.of(network)
        near = small(call(0), None)
        assert torch.equal(small(call(0), None), near)
        assert torch.equal(network(call(0), None), exact)  # such as a run inside the job
    assert 0 < (near - exact).norm() < 0.05 * exact.norm()
    assert torch.equal(network(call(0), None), exact)
    assert not told


@pytest.mark.parametrize(
    ("kind", "card"),
    [
        ("fp8", CPU),
        ("fp8", Card("cuda", capability=(8, 6))),
        ("fp8", Card("cuda", capability=(9, 4), architecture="gfx942")),
        ("int8", Card("cuda", capability=(7, 0))),
        ("int8", Card("mps")),
    ],
)
def test_a_device_that_cannot_is_told_and_computes_as_usual(network: UnetWrapper, kind: Format, card: Card) -> None:
    told: list[str] = []
    with Approximations(Speed(eight_bits=kind), told.append, lambda device: card) as some:
        assert some.of(network) is network
    assert len(told) == 1
    assert f"{kind} products need" in told[0]


@torch.no_grad()
def test_written_weights_are_rounded_anew_and_streamed_ones_not_at_all(network: UnetWrapper) -> None:
    weight = network.module.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.weight
    with Approximations(Speed(eight_bits="int8")) as some:
        small = some.of(network)
        before = small(call(0), None)
        overwrite(weight, weight * 1.5)
        try:
            assert not torch.equal(small(call(0), None), before)
        finally:
            restore(weight)
        assert torch.equal(small(call(0), None), before)
    told: list[str] = []
    streams = EightBits("int8", untyped(SimpleNamespace(is_whole=False, is_streamed=False)), told.append)
    streams.begin(call(0), None)
    assert streams._acts is False
    assert "weights stream" in told[0]


def test_calls_that_add_up_otherwise_are_other_calls() -> None:
    inputs = NetworkInputs(drawn(2, 4, 8, 8), drawn(2), drawn(2, 77, 8))
    usual = inputs.key
    with fp16_accumulation():
        assert inputs.key != usual
    assert inputs.key == usual


def test_a_card_is_waited_for_nowhere() -> None:
    inputs, weight, bias = drawn(32, 32), drawn(64, 32), drawn(64)
    wanted = {
        "int8": int8_product(in_int8(inputs), in_int8(weight), bias, torch.float32),
        "fp8": fp8_product(in_fp8(inputs), in_fp8(weight), bias, torch.float32),
    }
    with pretended("cuda") as device:
        there = [one.to(device.device) for one in (inputs, weight, bias)]
        device.ledger.clear()
        made = {
            "int8": int8_product(in_int8(there[0]), in_int8(there[1]), there[2], torch.float32),
            "fp8": fp8_product(in_fp8(there[0]), in_fp8(there[1]), there[2], torch.float32),
        }
        assert device.ledger.totals()[1:] == (0, 0)
        assert all(torch.equal(made[kind].cpu(), wanted[kind]) for kind in wanted)
