"""The CPU's faster paths compute the same."""

import pytest
import torch
from torch.nn import functional

from tests.library.small import small_checkpoint
from tests.weights.sources import Memory
from webui.library.shapes import unet_shape
from webui.weights import precision, speed
from webui.weights.build import build_unet


@pytest.mark.parametrize(("queries", "keys"), [(64, 77), (50, 50), (16, 16), (1, 3)])
def test_blocked_attention_is_attention(queries: int, keys: int) -> None:
    draw = torch.Generator().manual_seed(1)
    query = torch.randn(2, 3, queries, 8, generator=draw)
    key, value = torch.randn(2, 2, 3, keys, 8, generator=draw)
    expected = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(speed.blocked_attention(query, key, value, block=16), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("blocks_from", [None, 16])
def test_a_sped_up_unet_answers_the_same(channels_last: bool, blocks_from: int | None) -> None:
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
    plain = unet(*arguments).sample
    speed.speed_up(unet, speed.FormatKernels(channels_last, blocks_from))
    torch.testing.assert_close(unet(*arguments).sample, plain, rtol=0, atol=1e-4)


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
