"""The CPU's faster paths compute the same."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.library.small import small_checkpoint
from tests.weights.sources import Memory
from webui.library.shapes import unet_shape
from webui.weights import precision, speed
from webui.weights.blocked_attention import BlockedAttention, batched_attention, blocked_attention
from webui.weights.build import build_unet
from webui.weights.packed_convolutions import PackedConv2d
from webui.weights.resident import Resident


@pytest.mark.parametrize(("queries", "keys"), [(64, 77), (50, 50), (16, 16), (1, 3)])
def test_blocked_attention_is_attention(queries: int, keys: int) -> None:
    draw = torch.Generator().manual_seed(1)
    query = torch.randn(2, 3, queries, 8, generator=draw)
    key, value = torch.randn(2, 2, 3, keys, 8, generator=draw)
    expected = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(blocked_attention(query, key, value, block=16), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("large", [1.0, 30.0, 1e4])
def test_scores_of_any_size_are_weighed_right(large: float) -> None:
    """Powers of large scores would overflow, so their largest is taken from them first."""
    draw = torch.Generator().manual_seed(2)
    query = torch.randn(1, 2, 32, 8, generator=draw) * torch.tensor([1.0, large])[:, None, None]
    key, value = torch.randn(2, 1, 2, 40, 8, generator=draw)
    expected = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(blocked_attention(query, key, value, block=16), expected, rtol=0, atol=1e-3)
    query, key, value = query.bfloat16(), key.bfloat16(), value.bfloat16()
    exact = functional.scaled_dot_product_attention(query.double(), key.double(), value.double())
    answer = blocked_attention(query, key, value)
    assert float((answer - exact)[:, 0].norm() / exact[:, 0].norm()) < 1e-2
    assert bool(answer.isfinite().all())


@pytest.mark.parametrize("length", [1, 16, 77, 154])
@pytest.mark.parametrize("large", [1.0, 1e3])
def test_batched_attention_is_attention(length: int, large: float) -> None:
    draw = torch.Generator().manual_seed(3)
    query = torch.randn(2, 3, 20, 8, generator=draw) * large
    key, value = torch.randn(2, 2, 3, length, 8, generator=draw)
    expected = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(batched_attention(query, key, value), expected, rtol=0, atol=1e-3)
    assert BlockedAttention(None).mixed(query, key, value, None).equal(expected)
    mixed = BlockedAttention(None, batches_texts=True).mixed(query, key, value, None)
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-3)
    assert length == 1 or not mixed.equal(expected)  # of a single key its value is the answer


def test_attention_that_is_learned_is_left_to_torch() -> None:
    draw = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(1, 2, 32, 8, generator=draw).requires_grad_() for _ in range(3))
    BlockedAttention(16, batches_texts=True).mixed(query, key, value, None).sum().backward()  # type: ignore[no-untyped-call]
    assert query.grad is not None


@pytest.mark.parametrize(
    "kernels",
    [
        speed.FormatKernels(False),
        speed.FormatKernels(True, 16),
        speed.FormatKernels(True, None, 8, 4),
        speed.FormatKernels(True, 16, 0, 1, halves_gates=True),
        speed.FormatKernels(True, 16, 0, 1, halves_gates=True, packs_linears=True, batches_texts=True),
    ],
)
def test_a_sped_up_unet_answers_the_same(kernels: speed.FormatKernels, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = small_checkpoint(5)
    shape = unet_shape({name: tuple(value.shape) for name, value in tensors.items()})
    assert shape is not None
    unet = build_unet(Memory(tensors), shape, (8, 8), torch.device("cpu"), torch.float32)
    draw = torch.Generator().manual_seed(1)
    arguments = (
        torch.randn(2, 4, 8, 8, generator=draw),
        torch.tensor([500.0, 500.0]),
        torch.randn(2, 77, 64, generator=draw),
    )
    monkeypatch.setattr(speed, "total_main_memory", lambda: speed.ENOUGH)
    with torch.inference_mode():
        plain = unet(*arguments).sample
        speed.speed_up(unet, kernels, Resident("UNet", unet))
        torch.testing.assert_close(unet(*arguments).sample, plain, rtol=0, atol=1e-4)


def test_tiles_need_a_machine_with_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for memory, tiled_from in ((speed.ENOUGH, 64), (speed.ENOUGH - 1, 0)):
        layer = nn.Conv2d(64, 64, 3, padding=1)
        monkeypatch.setattr(speed, "total_main_memory", lambda memory=memory: memory)
        speed.speed_up(layer, speed.FormatKernels(packs_to=8, tiled_from=64), Resident("UNet", layer))
        assert isinstance(layer, PackedConv2d)
        assert layer.webui_tiled_from == tiled_from


@pytest.mark.parametrize(
    ("fast", "amx", "setting"), [(True, False, "medium"), (True, True, "highest"), (False, False, "highest")]
)
def test_products_round_only_where_allowed(
    monkeypatch: pytest.MonkeyPatch, fast: bool, amx: bool, setting: str
) -> None:
    monkeypatch.setattr(precision, "cpu_has_amx", lambda: amx)
    before = torch.get_float32_matmul_precision()
    try:
        precision.allow_fast_products(fast)
        assert torch.get_float32_matmul_precision() == setting
    finally:
        torch.set_float32_matmul_precision(before)
