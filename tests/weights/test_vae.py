"""The VAE's door: one image at a time, values in range, seamless tiles, half precision that overflows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.library.small import small_vae
from tests.narrowing import known
from tests.weights.sources import Memory
from webui.domain.errors import NotFiniteError
from webui.library.shapes import vae_shape
from webui.weights.build import build_vae
from webui.weights.vae import VaeWrapper
from webui.weights.vae_tiles import (
    DECODER_PAD,
    ENCODER_PAD,
    VaeTiling,
    cuts_of,
    decode_in_tiles,
    encode_in_tiles,
)

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


@given(st.integers(40, 300), st.integers(40, 300), st.integers(8, 64), st.sampled_from([ENCODER_PAD, DECODER_PAD]))
def test_tiles_meet_without_a_gap_and_see_beyond_their_edges(height: int, width: int, tile: int, pad: int) -> None:
    covered = torch.zeros(height, width, dtype=torch.int)
    for cut in cuts_of(height, width, tile, pad):
        top, left, bottom, right = cut.kept
        covered[top:bottom, left:right] += 1
        seen = cut.computed
        assert all(side >= 0 for side in seen)
        assert seen[2] - seen[0] <= tile + 2 * pad or height <= 2 * pad
        assert seen[0] == max(0, top - pad) or top == 0
        assert seen[3] == min(width, right + pad) or right == width
    assert (covered == 1).all()


def test_what_fits_into_a_tile_is_decoded_whole() -> None:
    vae = door()
    whole = latents(1, 24, 24)
    assert torch.equal(vae.decode_tiled(whole), vae.decode(whole))


@pytest.mark.parametrize("fast", [False, True], ids=["pooled", "estimated"])
def test_one_tile_through_the_network_is_the_network(fast: bool) -> None:
    vae = door()
    tiling = VaeTiling(64, 64, fast, fast)
    scaled, pixels = latents(1, 12, 16), torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(1))
    if fast:  # the small copy is the picture itself where its longer side is a tile's
        tiling = VaeTiling(32, 16, fast_encoder=True, fast_decoder=True)
    decoded = decode_in_tiles(vae.module.decoder, scaled, tiling, vae.downscale)
    torch.testing.assert_close(decoded, vae.module.decoder(scaled), rtol=1e-3, atol=1e-4)
    encoded = encode_in_tiles(vae.module.encoder, pixels, tiling, vae.downscale)
    torch.testing.assert_close(encoded, vae.module.encoder(pixels), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "tiling", [VaeTiling(32, 16, fast, fast, fix) for fast, fix in ((False, False), (True, False), (True, True))]
)
def test_tiles_are_close_to_the_whole(tiling: VaeTiling) -> None:
    torch.manual_seed(3)
    vae = door()
    whole = latents(1, 40, 56)
    expected = vae.decode(whole)
    with vae.in_tiles(tiling):
        tiled = vae.decode(whole)
        assert not torch.equal(tiled, expected)
        # the weights are random and the latents noise, of which a small copy tells little
        assert (tiled - expected).abs().mean() < (0.08 if tiling.fast_decoder else 0.02)
        assert (vae.encode(expected) - door_encoded(vae, expected)).abs().mean() < 0.1
    assert torch.equal(vae.decode(whole), expected)


def door_encoded(vae: VaeWrapper, pixels: Tensor) -> Tensor:
    """What the encoder makes of the whole picture."""
    moments: Tensor = known(vae.module.quant_conv)(vae.module.encoder(pixels * 2 - 1))
    return (moments.chunk(2, dim=1)[0] - vae.shift) * vae.scale


def test_the_largest_activation_of_a_fast_decoder_does_not_grow_with_the_picture() -> None:
    def largest(height: int) -> int:
        vae, seen = door(), [0]

        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen.append(output.numel())

        for module in vae.module.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(note)
        decode_in_tiles(vae.module.decoder, latents(1, height, height), VaeTiling(32, 16), vae.downscale)
        return max(seen)

    assert largest(96) <= largest(64)


def test_without_memory_pictures_are_encoded_in_tiles() -> None:
    vae = door()
    pixels = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(1))
    expected = vae.encode(pixels)
    original, calls = vae.module.encode, []

    def encode(pixels: Tensor, return_dict: bool) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError
        return original(pixels, return_dict=return_dict)

    vae.module.encode = encode
    assert torch.equal(vae.encode(pixels), expected)
    assert len(calls) == 2
