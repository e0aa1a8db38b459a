"""Convolutions by tiles give the answers of plain ones, and follow their weights."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from webui.processing.tiling import wrapped_edges
from webui.weights import packed_convolutions
from webui.weights.owned import overwrite, restore
from webui.weights.packed_convolutions import TILED_CHANNELS, PackedConv2d, pack_convolutions
from webui.weights.resident import Resident
from webui.weights.tiled_convolutions import tiled_convolution, tiled_weights

CELLS = 36  # from which the layers here use tiles

pytestmark = pytest.mark.usefixtures("no_grad")


@pytest.fixture
def no_grad() -> Iterator[None]:
    with torch.inference_mode():
        yield


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair() -> tuple[nn.Conv2d, PackedConv2d, Resident]:
    """The same convolution twice, the second one by tiles."""
    channels = TILED_CHANNELS
    plain, tiled = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
    tiled.load_state_dict(plain.state_dict())
    resident = Resident("UNet", tiled)
    pack_convolutions(tiled, resident, tiled_from=CELLS)
    assert isinstance(tiled, PackedConv2d)
    return plain, tiled, resident


def picture(seed: int, height: int = 6, width: int = 8) -> Tensor:
    return noise(2, TILED_CHANNELS, height, width, seed=seed).float().to(memory_format=torch.channels_last)


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 8), (10, 4), (64, 48)])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_in_exact_numbers_tiles_are_the_convolution(height: int, width: int, form: torch.memory_format) -> None:
    given, weight, bias = noise(3, 5, height, width).to(memory_format=form), noise(140, 5, 3, 3), noise(140)
    weight = weight.float().double()  # the sums of weights are made in float32
    weights = tiled_weights(weight)
    expected = functional.conv2d(given, weight, bias, padding=1)
    answer = tiled_convolution(given, weights, bias)
    torch.testing.assert_close(answer, expected, rtol=0, atol=1e-4)
    assert answer.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(tiled_convolution(given, weights, None), answer - bias[:, None, None])


def test_a_picture_does_not_depend_on_those_beside_it() -> None:
    weights = tiled_weights(noise(8, 4, 3, 3).bfloat16())
    given = noise(3, 4, 8, 8).bfloat16()
    whole = tiled_convolution(given, weights, None)
    for row in range(3):
        assert torch.equal(tiled_convolution(given[row : row + 1], weights, None)[0], whole[row])


def test_in_bf16_tiles_round_a_few_times_as_often() -> None:
    given, weight = noise(2, 64, 16, 16).bfloat16(), (noise(64, 64, 3, 3) / 24).bfloat16()
    exact = functional.conv2d(given.double(), weight.double(), padding=1)
    answer = tiled_convolution(given, tiled_weights(weight), None)
    assert float((answer - exact).norm() / exact.norm()) < 8e-3


def test_a_layer_uses_tiles_where_they_were_found_to_pay() -> None:
    plain, tiled, _ = pair()
    for height, width, uses in ((6, 8, True), (6, 6, True), (4, 8, False), (7, 8, False), (8, 7, False)):
        given = picture(3, height, width)
        assert tiled._is_tiled(given) is uses
        assert same(tiled(given), plain(given))
    with wrapped_edges([plain, tiled]):
        assert same(tiled(picture(1)), plain(picture(1)))
    for other in (
        nn.Conv2d(64, 64, 3, 2, 1), nn.Conv2d(64, 64, 1), nn.Conv2d(4, 64, 3, padding=1), nn.Conv2d(64, 64, 3),
    ):  # fmt: skip
        pack_convolutions(other, Resident("UNet", other), tiled_from=1)
        assert isinstance(other, PackedConv2d)
        assert not other._is_tiled(picture(1))


def test_a_weight_that_is_written_is_brought_over_anew() -> None:
    plain, tiled, resident = pair()
    given = picture(1)
    before = tiled(given)
    drawn = noise(*plain.weight.shape, seed=5).float() / 24
    for one in (plain, tiled):
        overwrite(one.weight, drawn)
    assert same(tiled(given), plain(given))
    assert not same(tiled(given), before)
    for one in (plain, tiled):
        restore(one.weight)
    assert torch.equal(tiled(given), before)
    for one in (plain, tiled):
        one.weight[0].zero_()  # where no single value tells of it: the patches of a job do
    resident.written += 1
    assert same(tiled(given), plain(given))


def test_without_room_nothing_is_kept_and_the_numbers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    _, tiled, resident = pair()
    kept = tiled(picture(1))
    assert tiled.webui_tiled is not None
    resident.written += 1
    monkeypatch.setattr(packed_convolutions, "free_main_memory", lambda: 0)
    assert torch.equal(tiled(picture(1)), kept)
    assert tiled.webui_tiled is None


def test_weights_that_come_for_each_call_are_used_as_they_are() -> None:
    plain, tiled, _ = pair()
    tiled.register_forward_pre_hook(lambda layer, inputs: None)
    assert torch.equal(tiled(picture(1)), plain(picture(1)))
    assert tiled.webui_tiled is None
