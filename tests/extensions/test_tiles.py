"""Tiles and regions: where they lie, how they are put together, what is handed to the network, what is told."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from extensions.controlnet.unit_networks import for_rows, hint_of
from extensions.tiles.grid import batched, feather, gaussian, tiles_over, window_of
from extensions.tiles.options import Region, TilesOptions
from extensions.tiles.painting import Painting, with_own_noise
from tests.narrowing import known
from tests.processing.reporters import Silent
from webui.api.sdapi.dialect.alwayson import options_of, place_of
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.output.parse import parse, read_fields
from webui.processing.back import Back
from webui.prompt.conditioning import Conditioning, Part, Span
from webui.sampling.steps import ModelCall, Step, Window

ROOT = Path(__file__).parents[2]
SIZES = st.integers(5, 90)
STEP = Step(0, 10, torch.tensor(5.0), torch.tensor(4.0))


@given(SIZES, SIZES, st.integers(5, 40), st.integers(5, 40), st.integers(0, 60))
def test_tiles_cover_all_cells_and_overlap(height: int, width: int, tall: int, wide: int, overlap: int) -> None:
    tiles = tiles_over((height, width), (tall, wide), overlap)
    covered = torch.zeros(height, width)
    for tile in tiles:
        window = tile.of(covered)
        assert window.shape == (min(tall, height), min(wide, width))
        window += 1
    assert (covered > 0).all()
    shared = min(overlap, min(tall, wide) - 4)
    lefts = sorted({tile.left for tile in tiles})
    assert all(later - earlier <= wide - shared for earlier, later in pairwise(lefts))
    assert len(set(tiles)) == len(tiles)
    for most in (1, 3, 100):
        batches = batched(tiles, most)
        assert [one for batch in batches for one in batch] == list(tiles)
        assert max(map(len, batches)) <= most


def test_weights_are_those_of_the_papers_program() -> None:
    weights = gaussian(8, 6).double()
    for row, column in ((0, 0), (4, 2), (7, 5)):
        away = ((column - 2.5) / 6) ** 2 + ((row - 4) / 6) ** 2
        assert float(weights[row, column]) == pytest.approx(np.exp(-away / 0.02) / (2 * np.pi * 0.01), rel=1e-5)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_a_foreground_fades_to_its_edge(height: int, width: int, ratio: float) -> None:
    mask = feather(height, width, ratio)
    assert mask.shape == (height, width)
    assert torch.equal(mask, mask.flip(0))
    assert torch.equal(mask, mask.flip(1))
    assert 0 <= float(mask.min()) <= float(mask.max()) <= 1
    radius = int(min(height // 2, width // 2) * ratio)
    if radius:
        assert float(mask[0, 0]) == 0
        assert float(mask[height // 2, width // 2]) >= ((radius - 1) / radius) ** 2 - 1e-6


def call(height: int = 24, width: int = 40, rows: int = 2) -> ModelCall:
    sample = torch.randn(rows, 4, height, width, generator=torch.Generator().manual_seed(1))
    positive = torch.tensor([True] * (rows - rows // 2) + [False] * (rows // 2))
    return ModelCall(STEP, sample, torch.ones(rows), torch.zeros(rows, 7, 3), positive)


class Noted:
    """A network that looks at each cell alone, and notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []

    def __call__(self, call: ModelCall) -> Tensor:
        self.calls.append(call)
        return call.sample.tanh() + call.context.mean(dim=(1, 2))[:, None, None, None]


@pytest.mark.parametrize("method", ["MultiDiffusion", "Mixture of Diffusers"])
@settings(max_examples=20)
@given(st.integers(8, 50), st.integers(8, 50), st.integers(0, 12), st.integers(1, 5))
def test_of_a_local_network_tiles_are_the_whole(method: Any, height: int, width: int, overlap: int, most: int) -> None:
    options = TilesOptions(method=method, tile_width=16, tile_height=8, overlap=overlap, tile_batch_size=most)
    whole = call(height, width)
    made = Painting(options, (height, width)).output(whole, Noted(), ())
    torch.testing.assert_close(made, Noted()(whole), rtol=1e-4, atol=1e-5)


def test_what_the_network_is_handed_does_not_grow_with_the_picture() -> None:
    options = TilesOptions(tile_width=16, tile_height=16, overlap=8, tile_batch_size=2)

    def largest(side: int) -> int:
        network = Noted()
        Painting(options, (side, side)).output(call(side, side), network, ())
        return max(one.sample.numel() for one in network.calls)

    assert largest(128) == largest(64) == 2 * 2 * 4 * 16 * 16


def text(value: float, length: int = 7) -> Conditioning:
    """The same number everywhere in the prompt, and less one in the negative prompt."""
    prompt, negative = (Span(99, torch.full((length, 3), number)) for number in (value, value - 1))
    return Conditioning(((Part(1.0, (prompt,)),),), ((negative,),))


LEFT = Region(x=0, y=0, w=0.5, h=1)


def test_a_region_has_its_own_text_and_is_averaged_with_the_background() -> None:
    options = TilesOptions(regions=(LEFT,), draw_background=True, tile_width=16, tile_height=16, overlap=8)
    asked = call()
    plain, network = Noted()(asked), Noted()
    painting = Painting(options, (24, 40))
    made = painting.output(asked, network, [text(6.0)])
    torch.testing.assert_close(made[..., 20:], plain[..., 20:])
    covers = torch.zeros(24, 40)
    for window in tiles_over((24, 40), (16, 16), 8):
        window.of(covers).add_(1)
    share = 1 / (covers[:, :20] + 1)
    torch.testing.assert_close(made[0, 0, :, :20], plain[0, 0, :, :20] + 6 * share, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made[1, 0, :, :20], plain[1, 0, :, :20] + 5 * share, rtol=1e-4, atol=1e-4)


def test_a_foreground_is_laid_over_what_is_there() -> None:
    region = LEFT.model_copy(update={"blend_mode": "Foreground", "feather_ratio": 0.5})
    options = TilesOptions(regions=(region,), draw_background=True, tile_width=64, tile_height=64)
    asked = call()
    made = Painting(options, (24, 40)).output(asked, Noted(), [text(6.0)])
    plain, seen = Noted()(asked), feather(24, 20, 0.5)
    torch.testing.assert_close(made[0, 2, :, :20], plain[0, 2, :, :20] + 6 * seen, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made[..., 20:], plain[..., 20:])


def test_texts_of_different_length_are_asked_for_apart() -> None:
    longer = Conditioning(text(6.0, 14).positive, text(6.0).negative)
    network = Noted()
    made = Painting(TilesOptions(regions=(Region(x=0, y=0, w=1, h=1),)), (24, 40)).output(call(), network, [longer])
    assert [one.context.shape for one in network.calls] == [(1, 14, 3), (1, 7, 3)]
    torch.testing.assert_close(made, call().sample.tanh() + torch.tensor([6.0, 5.0])[:, None, None, None])


def test_a_region_with_a_seed_begins_with_its_own_noise() -> None:
    noise = torch.zeros(2, 4, 24, 40)
    below, over = Region(x=0, y=0, w=0.5, h=1, seed=3), Region(x=0, y=0, w=0.25, h=1, seed=4, blend_mode="Foreground")
    made = with_own_noise(noise, [over, below])
    drawn = torch.randn(1, 4, 24, 20, generator=torch.Generator().manual_seed(3))
    assert torch.equal(made[1, :, :, 10:20], drawn[0, :, :, 10:])
    assert not torch.equal(made[1, :, :, :10], drawn[0, :, :, :10])
    assert not made[..., 20:].any()
    assert torch.equal(with_own_noise(noise, [Region(x=0, y=0, w=1, h=1)]), noise)


def test_regions_beside_the_picture_are_none() -> None:
    assert window_of(Region(x=1, y=0.5, w=0.5, h=0.5), (24, 40)) is None
    assert window_of(Region(x=0.5, y=0.5, w=1, h=1), (24, 40)) == Window(12, 20, 12, 20)


def test_a_map_is_cut_with_the_tile() -> None:
    whole = torch.arange(24 * 8 * 40 * 8.0).view(1, 1, 24 * 8, 40 * 8).expand(1, 3, -1, -1)
    prepared: Any = SimpleNamespace(hint=lambda height, width: whole if (height, width) == (192, 320) else None)
    model: Any = SimpleNamespace(spec=SimpleNamespace(latents=SimpleNamespace(cell=8)))
    windows = (Window(0, 0, 16, 16), Window(8, 24, 16, 16))
    asked = call().within(windows)
    hint = hint_of(prepared, asked, model)
    assert torch.equal(hint[1], whole[0, :, 64:192, 192:320])
    rows = for_rows(hint, asked)
    assert torch.equal(rows[2], rows[3])
    assert torch.equal(rows, asked.cut(whole, 8))
    assert torch.equal(hint_of(prepared, call(), model), whole)


@pytest.fixture(scope="module")
def infos(back: Back) -> tuple[ExtensionInfo, ...]:
    return back.extensions()


def test_arguments_come_by_position(infos: tuple[ExtensionInfo, ...]) -> None:
    args = [
        True, "Mixture of Diffusers", False, True, 256, 192, 24, 16, 8, 2, "None", 2.0, False, 6, 1.0, 0.5, 16, False,
        True, True, False, True, 0.0, 0.1, 0.6, 1.0, "a dog", "noise", "Foreground", 0.3, 7, False, 0.4, 0.4, 0.2, 0.2,
        "", "", "Background", 0.2, -1,
    ]  # fmt: skip
    scripts = {"tiled diffusion": {"args": args}, "Tiled VAE": {"args": [True, 512, 48, False, False, True, True]}}
    read = options_of(scripts, infos)
    options = TilesOptions.model_validate(read["tiles"])
    assert (options.method, options.tile_width, options.overlap) == ("Mixture of Diffusers", 24, 8)
    region = Region(
        x=0, y=0.1, w=0.6, h=1, prompt="a dog", neg_prompt="noise", blend_mode="Foreground", feather_ratio=0.3, seed=7
    )
    assert options.acting == (region,)
    assert read["tiled_vae"] == {
        "enabled": True, "encoder_tile_size": 512, "decoder_tile_size": 48, "fast_decoder": False,
        "fast_encoder": True, "color_fix": True,
    }  # fmt: skip
    place = place_of(("extensions", "tiles", "regions", 1, "w"), scripts, infos)
    assert place == ("alwayson_scripts", "tiled diffusion", "args", 21 + 10 + 3)


@pytest.fixture(scope="module")
def back(bundled_back: Back) -> Back:
    return bundled_back


REQUEST = GenerationRequest(
    prompt="a cat", checkpoint="tiny-sd1", sampler="Euler", steps=2, seed=5, width=128, height=64
)
TILES: dict[str, Any] = {"tile_width": 8, "tile_height": 8, "overlap": 4}


def made(back: Back, request: GenerationRequest = REQUEST, **tiles: Any) -> GenerationResult:
    result = back.run(request.with_(extensions={"tiles": {**TILES, **tiles}}), Silent())
    assert not result.notices
    return result


def pixels(result: GenerationResult) -> np.ndarray:
    return np.asarray(result.images[0].image)


def test_a_tile_that_is_all_changes_nothing(back: Back) -> None:
    plain = back.run(REQUEST, Silent())
    one = made(back, tile_width=16)
    assert np.array_equal(pixels(plain), pixels(one))
    assert "Tiled" not in one.images[0].infotext
    assert not np.array_equal(pixels(plain), pixels(made(back)))


@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_batches_of_tiles_are_the_tiles_one_by_one(sampler: str, back: Back) -> None:
    request = REQUEST.with_(sampler=sampler)
    alone = pixels(made(back, request, tile_batch_size=1)).astype(int)
    assert np.abs(alone - pixels(made(back, request, tile_batch_size=4))).max() <= 1


def test_what_is_told_makes_the_same_again(back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    region = {"x": 0, "y": 0, "w": 0.5, "h": 1, "prompt": "dog, (red: 1.2)", "neg_prompt": "fog", "seed": 9}
    first = made(back, method="Mixture of Diffusers", regions=[region], draw_background=False)
    reading = read_fields(parse(first.images[0].infotext), infos)
    again = back.run(reading.request, Silent())
    assert reading.request.extensions["tiles"]["tile_width"] == 8
    assert np.array_equal(pixels(first), pixels(again))
    assert first.images[0].infotext == again.images[0].infotext


def test_the_picture_of_img2img_is_enlarged_first(back: Back) -> None:
    picture = Picture.of(Image.new("RGB", (64, 48), "red"))
    request = REQUEST.with_(task=Img2Img(image=picture, denoising_strength=0.5), width=512, height=512)
    assert made(back, request, upscaler="Lanczos", scale_factor=2.0).images[0].image.size == (128, 96)
    assert made(back, request).images[0].image.size == (64, 48)
    kept = {"keep_input_size": False, "upscaler": "Lanczos"}
    assert made(back, request.with_(width=64, height=64), **kept).images[0].image.size == (128, 128)


@pytest.mark.parametrize(
    ("tiles", "message"),
    [
        ({"region_control": True}, "there is no region"),
        ({"regions": [{"prompt": "a AND b"}]}, "AND cannot stand"),
        ({"upscaler": "Lanczos", "scale_factor": 16}, "less than or equal to 8192"),
    ],
)
def test_what_cannot_be_made_is_refused(tiles: dict[str, Any], message: str, back: Back) -> None:
    picture = Picture.of(Image.new("RGB", (640, 64), "red"))
    with pytest.raises(BadRequestError, match=message):
        made(back, REQUEST.with_(task=Img2Img(image=picture)), **tiles)


def test_networks_in_a_region_are_told(back: Back) -> None:
    tiles = {**TILES, "regions": [{"prompt": "dog <lora:tiny-lora:1>"}], "draw_background": True}
    result = back.run(REQUEST.with_(extensions={"tiles": tiles}), Silent())
    assert "left out" in known(next(iter(result.notices))).text


def test_the_vae_works_in_tiles_where_the_picture_is_large(back: Back) -> None:
    vae = {"encoder_tile_size": 64, "decoder_tile_size": 8}
    request = REQUEST.with_(width=320, steps=1)
    plain = pixels(back.run(request, Silent()))
    tiled = back.run(request.with_(extensions={"tiled_vae": vae}), Silent())
    assert not tiled.notices
    assert not np.array_equal(plain, pixels(tiled))
    assert np.array_equal(plain, pixels(back.run(replace_vae(request, enabled=False), Silent())))


def replace_vae(request: GenerationRequest, **options: Any) -> GenerationRequest:
    return request.with_(extensions={"tiled_vae": options})


def test_a_call_for_parts_cannot_be_cut_again() -> None:
    part = call().within([Window(0, 0, 8, 8)])
    with pytest.raises(ValueError, match="windows"):
        part.within([Window(0, 0, 4, 4)])
    assert torch.equal(replace(part, windows=()).cut(part.sample), part.sample)
