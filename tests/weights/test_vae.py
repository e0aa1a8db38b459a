"""The VAE's door: one image at a time, values in range, seamless tiles, half precision that overflows."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tests.library.small import small_vae
from tests.weights.sources import Memory
from webui.domain.errors import NotFiniteError
from webui.library.shapes import vae_shape
from webui.weights.build import build_vae
from webui.weights.tiles import decode_in_tiles, starts
from webui.weights.vae import VaeWrapper

CPU = torch.device("cpu")


def door(tensors: dict[str, Tensor] | None = None, dtype: torch.dtype = torch.float32) -> VaeWrapper:
    tensors = tensors or small_vae()
    shape = vae_shape({name: tuple(value.shape) for name, value in tensors.items()})
    assert shape is not None
    return VaeWrapper(
        build_vae(Memory(tensors), shape, CPU, dtype), scale=0.5, downscale=shape.downscale, name="VAE of x"
    )


def latents(rows: int = 2, height: int = 6, width: int = 8) -> Tensor:
    return torch.randn(rows, 4, height, width, generator=torch.Generator().manual_seed(4))


def test_a_batch_is_its_images_one_by_one() -> None:
    vae = door()
    both = vae.decode(latents())
    assert both.shape == (2, 3, 12, 16)
    assert both.dtype == torch.float32
    assert 0 <= float(both.min()) <= float(both.max()) <= 1
    assert torch.equal(both[1:], vae.decode(latents()[1:]))
    encoded = vae.encode(both)
    assert encoded.shape == (2, 4, 6, 8)
    assert torch.equal(encoded[1:], vae.encode(both[1:]))


def test_large_activations_move_the_vae_to_float32_for_good() -> None:
    tensors = small_vae()
    weight = "decoder.up.0.block.2.conv2.weight"
    tensors[weight] = tensors[weight] * 0 + 6e4
    vae = door(tensors, torch.float16)
    calls: list[torch.dtype] = []
    original = vae.module.decode

    def decode(
        scaled: Tensor, return_dict: bool
    ) -> object:  # half precision on a CPU may widen inside: overflow by hand
        calls.append(scaled.dtype)
        answer = original(scaled, return_dict=return_dict)
        return (answer[0] + float("inf"),) if scaled.dtype == torch.float16 else answer

    vae.module.decode = decode
    pixels = vae.decode(latents(rows=2))
    assert torch.isfinite(pixels).all()
    assert calls == [torch.float16, torch.float32, torch.float32]
    assert vae.dtype == torch.float32


def test_no_black_picture_for_what_is_not_a_number() -> None:
    vae = door()
    bad = latents()
    bad[1, 2, 3, 3] = float("nan")
    with pytest.raises(NotFiniteError, match="VAE of x"):
        vae.decode(bad)
    vae.module.decode = lambda scaled, return_dict: (torch.full((1, 3, 12, 16), float("nan")),)
    with pytest.raises(NotFiniteError, match="even in float32"):
        vae.decode(latents())


@given(st.integers(1, 200), st.integers(1, 64), st.data())
def test_tiles_cover_every_cell_and_end_at_the_edge(length: int, tile: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, tile - 1))
    firsts = starts(length, tile, overlap)
    covered = {cell for first in firsts for cell in range(first, min(first + tile, length))}
    assert covered == set(range(length))
    assert firsts == sorted(set(firsts))
    assert all(first + tile <= length for first in firsts) or length < tile
    assert all(later - earlier <= tile - overlap for earlier, later in pairwise(firsts))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (21, 40), (9, 33)])
def test_a_local_decoder_gives_the_same_picture_in_tiles(height: int, width: int) -> None:
    def local(part: Tensor) -> Tensor:
        return functional.interpolate(part[:, :3], scale_factor=8.0, mode="nearest")

    whole = latents(1, height, width)
    tiled = decode_in_tiles(local, whole, scale=8, tile=12, overlap=4)
    torch.testing.assert_close(tiled, local(whole), rtol=0, atol=1e-5)


def test_tiled_decoding_is_close_to_whole_decoding() -> None:
    vae = door()
    whole = latents(1, 24, 24)
    assert torch.equal(vae.decode_tiled(whole, tile=24, overlap=8), vae.decode(whole))
    assert (vae.decode_tiled(whole, tile=16, overlap=8) - vae.decode(whole)).abs().mean() < 0.02


def test_overlap_must_be_smaller_than_the_tile() -> None:
    with pytest.raises(ValueError, match="overlap"):
        decode_in_tiles(lambda part: part, latents(), scale=8, tile=4, overlap=4)
