"""Weights that are laid out ahead give the same numbers, and never those of weights that were written since."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from webui.processing.tiling import wrapped_edges
from webui.weights import packed_convolutions
from webui.weights.owned import overwrite, restore
from webui.weights.packed_convolutions import PackedConv2d, can_pack, pack_convolutions
from webui.weights.resident import Resident

MOST = 128

pytestmark = pytest.mark.usefixtures("no_grad")


@pytest.fixture
def no_grad() -> Iterator[None]:
    with torch.inference_mode():
        yield


def pair(dtype: torch.dtype, stride: int = 1, kernel: int = 3) -> tuple[nn.Conv2d, PackedConv2d, Resident]:
    """The same convolution twice, the second one packed."""
    plain, packed = (nn.Conv2d(32, 48, kernel, stride, kernel // 2, dtype=dtype) for _ in range(2))
    packed.load_state_dict(plain.state_dict())
    for one in (plain, packed):
        one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    resident = Resident("UNet", packed)
    pack_convolutions(packed, resident, most=MOST)
    assert isinstance(packed, PackedConv2d)
    return plain, packed, resident


def picture(seed: int, dtype: torch.dtype, side: int = 8) -> Tensor:
    drawn = torch.randn(2, 32, side, side, generator=torch.Generator().manual_seed(seed))
    return drawn.to(dtype).to(memory_format=torch.channels_last)


def test_this_build_has_the_kernels() -> None:
    assert can_pack()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (1, 1)])
def test_the_answers_are_the_same_bit_for_bit(dtype: torch.dtype, stride: int, kernel: int) -> None:
    plain, packed, _ = pair(dtype, stride, kernel)
    for seed in range(3):
        given = picture(seed, dtype)
        answer = packed(given)
        assert torch.equal(answer, plain(given))
        assert answer.stride() == plain(given).stride()
    assert len(packed.webui_copies) == 1
    assert torch.equal(packed(picture(9, dtype, 4)), plain(picture(9, dtype, 4)))
    assert torch.equal(packed(picture(9, dtype, 6)), plain(picture(9, dtype, 6)))
    assert list(packed.webui_copies) == [(2, 32, 4, 4), (2, 32, 6, 6)]  # the sizes that were used last


def test_large_pictures_and_other_edges_use_the_plain_weight() -> None:
    plain, packed, _ = pair(torch.float32)
    large = picture(1, torch.float32, 16)
    assert torch.equal(packed(large), plain(large))
    with wrapped_edges([plain, packed]):
        assert torch.equal(packed(picture(1, torch.float32)), plain(picture(1, torch.float32)))
    assert not packed.webui_copies


def test_a_weight_that_is_written_is_laid_out_anew() -> None:
    plain, packed, resident = pair(torch.float32)
    given = picture(1, torch.float32)
    before = packed(given)
    drawn = torch.randn(plain.weight.shape, generator=torch.Generator().manual_seed(5))
    for one in (plain, packed):
        overwrite(one.weight, drawn)
    assert torch.equal(packed(given), plain(given))
    for one in (plain, packed):
        restore(one.weight)
    assert torch.equal(packed(given), before)
    for one in (plain, packed):
        one.weight.copy_(drawn * 2)  # somebody who tells nobody
    assert torch.equal(packed(given), plain(given))
    for one in (plain, packed):
        one.weight[0].zero_()  # where no single value tells of it: the patches of a job do
    resident.written += 1
    assert torch.equal(packed(given), plain(given))


def test_without_room_the_plain_weight_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, packed, _ = pair(torch.float32)
    monkeypatch.setattr(packed_convolutions, "free_main_memory", lambda: 0)
    assert torch.equal(packed(picture(1, torch.float32)), plain(picture(1, torch.float32)))
    assert [copy for _, copy in packed.webui_copies.values()] == [None]
