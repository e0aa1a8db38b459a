"""Noise sources: known draws, and the laws that make an image independent of its batch."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import Case, over_cases
from webui.sampling.noise import ImageNoise, Source, open_stream, paste_centred, slerp
from webui.sampling.philox import Philox, philox4x32

CPU = torch.device("cpu")
SIGMA = torch.tensor(1.0)
SOURCES: tuple[Source, ...] = ("CPU", "GPU", "NV")
SHAPE = (4, 8, 8)


def noise(
    seeds: list[int],
    subseeds: list[int] | None = None,
    *,
    strength: float = 0.0,
    resize_from: tuple[int, int] = (0, 0),
    ensd: int = 0,
    source: Source = "CPU",
    shape: tuple[int, int, int] = SHAPE,
) -> ImageNoise:
    width, height = resize_from
    return ImageNoise(seeds, subseeds or [], strength, (height // 8, width // 8), ensd, source, shape, CPU)


def test_philox_repeats_what_cuda_drew() -> None:
    philox = Philox(0)
    first = [-0.9246624, -0.42534396, -2.6438458, 0.14518388, -0.12086651, -0.5797257, -0.6228513, -0.32838714]
    first += [-1.074542, -0.3631441, -1.6710504, 2.265505]
    assert philox.normal((3, 4)).flatten().tolist() == pytest.approx(first, rel=1e-6)
    second = [0.18082589, -0.5522627, 0.9238134, -0.73497033]
    assert philox.normal((2, 2)).flatten().tolist() == pytest.approx(second, rel=1e-6)
    large = [0.64660764, -0.49690345, 1.6190792, -0.10494773]
    assert Philox(12345678901).normal((4,)).tolist() == pytest.approx(large, rel=1e-6)


def test_philox_agrees_with_the_authors_known_answers() -> None:
    """Vectors of the Random123 library (kat_vectors, philox4x32 10 rounds)."""
    zeros = np.zeros(1, np.uint64)
    ones = np.full(1, 0xFFFFFFFF, np.uint64)
    words = philox4x32((zeros, zeros, zeros, zeros), 0)
    assert [f"{int(word[0]):08x}" for word in words] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]
    words = philox4x32((ones, ones, ones, ones), 2**64 - 1)
    assert [f"{int(word[0]):08x}" for word in words] == ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]


@pytest.mark.parametrize("source", ["CPU", "GPU", "NV"])
def test_seeds_have_64_bits_and_go_on_from_0(source: Source) -> None:
    def drawn(seed: int) -> torch.Tensor:
        return open_stream(seed, source, torch.device("cpu"))((4,))

    assert torch.equal(drawn(2**64 + 5), drawn(5))
    assert torch.isfinite(drawn(2**64 - 1)).all()
    # Torch's generator on the CPU is seeded with the lower half alone; Philox takes all of it.
    assert torch.equal(drawn(2**40 + 5), drawn(2**50 + 5)) == (source != "NV")


def test_philox_takes_seeds_modulo_64_bits() -> None:
    assert np.array_equal(Philox(-5).normal((8,)), Philox(2**64 - 5).normal((8,)))


def test_known_draws_of_the_cpu_source() -> None:
    one = noise([42])
    first, second = one.first().flatten(), one(SIGMA, SIGMA).flatten()
    assert first[:4].tolist() == pytest.approx([1.926915, 1.487284, 0.900717, -2.105521], abs=1e-6)
    assert second[:3].tolist() == pytest.approx([-0.685482, 0.563559, -1.507175], abs=1e-6)


def test_known_draws_of_a_variation() -> None:
    first = noise([42], [7], strength=0.3).first().flatten()
    assert first[:4].tolist() == pytest.approx([1.584988, 1.398570, 1.536170, -2.145949], abs=1e-6)


def test_known_draws_with_ensd() -> None:
    one = noise([42], ensd=31337)
    assert torch.equal(one.first(), noise([42]).first())
    second = one(SIGMA, SIGMA)
    assert second.flatten()[:3].tolist() == pytest.approx([0.541950, -1.064897, -0.848128], abs=1e-6)
    assert torch.equal(second, noise([42 + 31337]).first())


@pytest.mark.parametrize("source", SOURCES)
def test_ensd_may_make_a_seed_negative(source: Source) -> None:
    one = noise([3], ensd=-31337, source=source)
    one.first()
    assert one(SIGMA, SIGMA).isfinite().all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "options",
    [{}, {"strength": 0.4}, {"ensd": 31337}, {"resize_from": (32, 96)}, {"resize_from": (96, 96), "strength": 0.4}],
)
def test_a_batch_equals_its_images_alone(source: Source, options: dict[str, Any]) -> None:
    seeds, subseeds = [3, 4, 1], [10, 11, 12]
    batch = noise(seeds, subseeds, source=source, **options)
    alone = [noise([s], [v], source=source, **options) for s, v in zip(seeds, subseeds, strict=True)]
    assert torch.equal(batch.first(), torch.cat([one.first() for one in alone]))
    for _ in range(3):
        assert torch.equal(batch(SIGMA, SIGMA), torch.cat([one(SIGMA, SIGMA) for one in alone]))


@pytest.mark.parametrize("source", SOURCES)
def test_draws_are_unit_normal_and_differ(source: Source) -> None:
    one = noise([5], source=source, shape=(4, 64, 64))
    draws = [one.first(), one(SIGMA, SIGMA), one(SIGMA, SIGMA)]
    for draw in draws:
        assert draw.shape == (1, 4, 64, 64)
        assert draw.dtype == torch.float32
        assert float(draw.mean()) == pytest.approx(0, abs=0.03)
        assert float(draw.std()) == pytest.approx(1, abs=0.03)
    assert abs(float((draws[0] * draws[1]).mean())) < 0.03
    assert not torch.equal(draws[1], draws[2])


@pytest.mark.parametrize("source", SOURCES)
def test_the_global_generator_plays_no_part(source: Source) -> None:
    before = torch.random.get_rng_state()
    one = noise([5], source=source)
    first = one.first()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(noise([5], source=source).first(), first)


def test_the_gpu_source_is_the_cpu_where_there_is_no_gpu() -> None:
    assert torch.equal(noise([5], source="GPU").first(), noise([5]).first())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA card")
def test_the_nv_source_is_what_an_nvidia_card_draws() -> None:
    card = torch.device("cuda")
    drawn, imitated = open_stream(77, "GPU", card), open_stream(77, "NV", card)
    for _ in range(2):
        torch.testing.assert_close(imitated((4, 64, 64)), drawn((4, 64, 64)), atol=1e-5, rtol=1e-5)


def test_the_start_noise_is_drawn_once() -> None:
    one = noise([5])
    one.first()
    with pytest.raises(RuntimeError, match="new ImageNoise"):
        one.first()


def test_a_variation_of_full_strength_is_the_other_noise() -> None:
    torch.testing.assert_close(noise([1], [2], strength=1.0).first(), noise([2]).first())


def test_a_variation_leaves_the_noise_of_the_steps_alone() -> None:
    plain, varied = noise([1]), noise([1], [2], strength=0.5)
    assert not torch.equal(plain.first(), varied.first())
    assert torch.equal(plain(SIGMA, SIGMA), varied(SIGMA, SIGMA))


def test_a_missing_variation_seed_is_0() -> None:
    assert torch.equal(noise([1], strength=0.5).first(), noise([1], [0], strength=0.5).first())


@given(st.floats(0, 1), st.integers(0, 1000))
def test_slerp_keeps_the_length_of_columns_of_equal_length(share: float, seed: int) -> None:
    low, high = (torch.nn.functional.normalize(d, dim=1) for d in noise([seed, seed + 1]).first())
    between = slerp(share, low, high)
    torch.testing.assert_close(between.norm(dim=1), torch.ones(4, 8), atol=1e-4, rtol=1e-4)


def test_slerp_goes_from_one_to_the_other() -> None:
    low, high = noise([1, 2]).first()
    torch.testing.assert_close(slerp(0.0, low, high), low)
    torch.testing.assert_close(slerp(1.0, low, high), high)


def test_slerp_of_parallel_noise_exchanges_the_shares() -> None:
    low = noise([1]).first()[0]
    torch.testing.assert_close(slerp(0.25, low, 2 * low), 0.25 * low + 0.75 * 2 * low)


@pytest.mark.parametrize("source", SOURCES)
def test_a_latent_one_cell_high_can_be_varied(source: Source) -> None:
    assert noise([1], [2], strength=0.3, shape=(4, 1, 8), source=source).first().isfinite().all()


def test_seed_resize_keeps_the_small_noise_in_the_middle() -> None:
    small = noise([9]).first()
    large = noise([9], resize_from=(64, 64), shape=(4, 12, 16))
    base = noise([9], shape=(4, 12, 16))
    pasted, plain = large.first(), base.first()
    assert torch.equal(pasted[..., 2:10, 4:12], small)
    assert torch.equal(pasted[..., :2, :], plain[..., :2, :])
    assert torch.equal(pasted[..., 12:], plain[..., 12:])
    assert torch.equal(large(SIGMA, SIGMA), base(SIGMA, SIGMA))


def test_seed_resize_cuts_the_middle_out_of_larger_noise() -> None:
    large = noise([9], shape=(4, 12, 16)).first()
    cut = noise([9], resize_from=(128, 96)).first()
    assert torch.equal(cut, large[..., 2:10, 4:12])


@pytest.mark.parametrize("resize_from", [(64, 64), (64, 0), (0, 64), (71, 71)])
def test_seed_resize_from_the_same_size_or_half_given_is_nothing(resize_from: tuple[int, int]) -> None:
    assert torch.equal(noise([9], resize_from=resize_from).first(), noise([9]).first())


def test_noise_one_cell_too_long_loses_both_ends() -> None:
    base = torch.zeros(1, 1, 7)
    pasted = paste_centred(torch.arange(1.0, 9).reshape(1, 1, 8), base)
    assert pasted.flatten().tolist() == [2, 3, 4, 5, 6, 7, 0]
    assert not base.any()


@over_cases(".extra.npz", where=lambda case: case.endpoint.endswith("txt2img") and case.group != "api")
def test_start_noise_is_that_of_a1111(case: Case) -> None:
    payload, settings, recorded = case.payload, case.payload["override_settings"], case.arrays()
    passes = sorted((name for name in recorded if name.startswith("noise")), key=lambda name: int(name[5:]))
    for number, name in enumerate(passes):
        iteration = number // 2 if payload.get("enable_hr") else number
        images = slice(iteration * payload["batch_size"], (iteration + 1) * payload["batch_size"])
        made = ImageNoise(
            case.seeds[images],
            case.subseeds[images],
            payload.get("subseed_strength", 0),
            (payload.get("seed_resize_from_h", 0) // 8, payload.get("seed_resize_from_w", 0) // 8),
            settings.get("eta_noise_seed_delta", 0),
            settings["randn_source"],
            recorded[name].shape[1:],
            CPU,
        ).first()
        assert np.array_equal(made.numpy(), recorded[name]), name
