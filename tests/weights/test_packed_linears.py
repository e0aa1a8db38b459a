"""Linear layers with laid-out weights give the same numbers, and never those of weights that were written since."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from webui.weights import packed_linears
from webui.weights.owned import overwrite, restore
from webui.weights.packed_linears import PackedLinear, can_pack_linears, pack_linears
from webui.weights.resident import Resident

pytestmark = pytest.mark.usefixtures("no_grad")
DTYPES = (torch.float32, torch.bfloat16)


@pytest.fixture
def no_grad() -> Iterator[None]:
    with torch.inference_mode():
        yield


def pair(dtype: torch.dtype, *, bias: bool = True) -> tuple[nn.Linear, PackedLinear, Resident]:
    """The same layer twice, the second one packed."""
    plain, packed = (nn.Linear(64, 96, bias=bias, dtype=dtype) for _ in range(2))
    packed.load_state_dict(plain.state_dict())
    resident = Resident("UNet", packed)
    pack_linears(packed, resident)
    assert isinstance(packed, PackedLinear)
    return plain, packed, resident


def tokens(dtype: torch.dtype, *shape: int) -> Tensor:
    return torch.randn(*shape, 64, generator=torch.Generator().manual_seed(1)).to(dtype)


def test_this_build_has_the_kernels() -> None:
    assert can_pack_linears()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("room", [False, True])
def test_the_answers_are_the_same_bit_for_bit(
    dtype: torch.dtype, bias: bool, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_linears, "free_main_memory", lambda: 2 * packed_linears.LEFT if room else 0)
    plain, packed, _ = pair(dtype, bias=bias)
    for shape in ((2, 16), (2, 77), (1, 3, 5), (7,)):
        given = tokens(dtype, *shape)
        assert torch.equal(packed(given), plain(given))
    [(_, kept)] = packed.webui_packed.values()
    assert [one.is_mkldnn for one in kept] == [room]


def test_its_answer_comes_in_parts() -> None:
    plain, packed, _ = pair(torch.bfloat16)
    given = tokens(torch.bfloat16, 2, 16)
    first, second = packed.parts(given, 2)
    assert torch.equal(torch.cat([first, second], dim=-1), plain(given))
    assert first.is_contiguous()
    assert second.is_contiguous()


def test_a_weight_that_is_written_is_laid_out_anew() -> None:
    plain, packed, resident = pair(torch.float32)
    given = tokens(torch.float32, 2, 16)
    before = packed(given)
    drawn = torch.randn(plain.weight.shape, generator=torch.Generator().manual_seed(5))
    for one in (plain, packed):
        overwrite(one.weight, drawn)
    assert torch.equal(packed(given), plain(given))
    assert not torch.equal(packed(given), before)
    for one in (plain, packed):
        restore(one.weight)
    assert torch.equal(packed(given), before)
    for one in (plain, packed):
        one.weight[0].zero_()  # where no single value tells of it: the patches of a job do
    resident.written += 1
    assert torch.equal(packed(given), plain(given))


def test_other_formats_and_weights_that_come_for_each_call_are_left_to_torch() -> None:
    _, packed, _ = pair(torch.float32)
    with pytest.raises(RuntimeError, match="dtype"):
        packed(tokens(torch.bfloat16, 2))
    packed.register_forward_pre_hook(lambda layer, inputs: None)
    packed(tokens(torch.float32, 2))
    assert not packed.webui_packed
