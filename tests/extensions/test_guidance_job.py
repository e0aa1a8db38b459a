"""Changed guidance in whole jobs: what is off or neutral leaves every pixel as it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from extensions.guidance.hyper_tiles import HyperTiles, counts, in_tiles, tile_for
from extensions.guidance.levers import Tiled
from tests.processing.reporters import Silent
from webui.domain.request import GenerationRequest
from webui.extension_api.tensors import Attention, AttentionLayer
from webui.processing.back import Back

pytestmark = pytest.mark.usefixtures("pickles_here")
ON = {"enabled": True}
Made = Callable[..., tuple[np.ndarray, str]]


@pytest.fixture(scope="module")
def made(reference_back: Back) -> Made:
    """Makes a small picture of a tiny checkpoint with options of the extension."""

    def make(options: dict[str, Any] | None = None, **more: Any) -> tuple[np.ndarray, str]:
        request = GenerationRequest.model_validate(
            {
                "checkpoint": "tiny-sd2-v", "prompt": "a red cat", "seed": 7, "steps": 2, "width": 128, "height": 128,
                "sampler": "Euler", "extensions": {"guidance": options} if options else {}, **more,
            }
        )  # fmt: skip
        result = reference_back.run(request, Silent())
        assert not result.notices
        return np.asarray(result.images[0].image), result.images[0].infotext

    return make


@pytest.fixture(scope="module")
def plain(made: Made) -> np.ndarray:
    return made()[0]


def test_what_is_neutral_changes_no_bit(made: Made, plain: np.ndarray) -> None:
    pixels, text = made(
        {
            "freeu": {**ON, "start": 1, "stop": 1}, "pag": {**ON, "scale": 0}, "sag": {**ON, "scale": 0},
            "deep_shrink": {**ON, "factor": 1}, "hypertile": {"unet": True, "vae": True},  # one tile of 128 pixels
        }
    )  # fmt: skip
    assert np.array_equal(pixels, plain)
    for key in ("FreeU Stages", "pagi_enabled", "sag_enabled", "kohya_hrfix_enabled", "Hypertile U-Net: True"):
        assert key in text
    assert np.array_equal(made({"freeu": {**ON, "stages": [{}, {}]}})[0], plain)


@pytest.mark.parametrize(
    "options",
    [
        {"freeu": ON},
        {"pag": ON},
        {"sag": ON},
        {"apg": ON},
        {"thresholding": {**ON, "mimic_scale": 3}},
        {"deep_shrink": {**ON, "block": 2, "end": 1}},
        {"deep_shrink": {**ON, "block": 3, "end": 1, "after_skip": False, "upscaling": "bislerp"}},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_is_on_makes_another_picture(options: dict[str, Any], made: Made, plain: np.ndarray) -> None:
    assert not np.array_equal(made(options)[0], plain)


@pytest.mark.parametrize("sampler", ["DDIM", "Heun", "Euler CFG++"])
def test_the_parts_work_with_other_samplers(sampler: str, made: Made) -> None:
    without, _ = made(sampler=sampler)
    assert not np.array_equal(made({"pag": ON, "sag": ON}, sampler=sampler)[0], without)


def test_in_tiles_a_large_picture_is_another_and_the_seed_decides_which(made: Made) -> None:
    large, tiled = {"width": 256, "height": 256, "steps": 1}, {"hypertile": {"unet": True, "vae": True}}
    first, again, without = made(tiled, **large)[0], made(tiled, **large)[0], made(**large)[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, without)


def test_tiles_divide_a_side_and_are_not_too_small() -> None:
    assert counts(32, 16, 3) == [2, 1]
    assert counts(96, 16, 2) == [6, 4]
    assert counts(8, 16, 3) == [1]
    assert tile_for(512, 768, Tiled()) == 32
    assert tile_for(520, 512, Tiled()) == 16
    assert tile_for(1024, 1024, Tiled(max_tile=128)) == 16


def test_each_tile_attends_to_itself_alone() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 48, 8)  # 6 x 8 tokens

    def mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    layer = AttentionLayer("a", "self", "down", 0, 0, 0, 4, 32, 32, lambda context: (context, context))
    got = in_tiles(Attention(layer, query, key, value, (0, 1), (6, 8), mix), (3, 2)).view(2, 6, 8, 32)
    for top in range(0, 6, 2):
        for left in range(0, 8, 4):
            places = [row * 8 + column for row in (top, top + 1) for column in range(left, left + 4)]
            expected = mix(*(one[:, :, places] for one in (query, key, value)))
            torch.testing.assert_close(got[:, top : top + 2, left : left + 4].reshape(2, 8, 32), expected)


def test_tiles_are_drawn_anew_from_the_seed_before_the_second_pass() -> None:
    tiles = HyperTiles(5)
    first = [tiles.drawn((96, 96), 16, 4) for _ in range(6)]
    tiles.begin()
    assert [tiles.drawn((96, 96), 16, 4) for _ in range(6)] == first
    assert len(set(first)) > 1
