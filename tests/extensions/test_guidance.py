"""The formulas of changed guidance: each by its laws, and off means untouched."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from extensions.guidance.dynamic_thresholding import scheduled, thresholded
from extensions.guidance.formulas import projected
from extensions.guidance.free_features import channels, joined, share_of
from extensions.guidance.guidance_job import CallCount, ChangedGuidance
from extensions.guidance.levers import FreeU, FreeUStage, Perturbed, SelfAttention, Thresholding
from extensions.guidance.options import GuidanceOptions
from extensions.guidance.shrinking import resized
from extensions.guidance.worse_estimates import blurred, perturbed_scale, self_attention_guided
from webui.domain.request import GenerationRequest
from webui.extension_api.tensors import Place, Step, with_spread_of

ON = {"enabled": True}


def estimates(scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Guided, prompt's and negative prompt's estimates (2, 4, 8, 8)."""
    torch.manual_seed(0)
    cond, uncond = torch.randn(2, 2, 4, 8, 8)
    return uncond + scale * (cond - uncond), cond, uncond


def step(index: int, total: int = 10) -> Step:
    return Step(index, total, torch.tensor(2.0), torch.tensor(1.0), Place(call=index))


def unasked(latents: Tensor, positive: bool) -> Tensor:
    raise AssertionError("nothing here asks the network")


def edited(options: GuidanceOptions, scale: float, index: int = 1) -> Tensor | None:
    guided, cond, uncond = estimates(scale)
    joined = ChangedGuidance(options, GenerationRequest(cfg_scale=scale, steps=10))
    return joined.edit_denoised(step(index), guided, cond, uncond, cond, unasked)


def test_rescale_is_equations_15_and_16() -> None:
    guided, cond, _ = estimates(9.0)
    got = with_spread_of(guided, cond, 0.7)
    for image in range(2):
        full = guided[image] * cond[image].std() / guided[image].std()
        torch.testing.assert_close(got[image], 0.7 * full + 0.3 * guided[image])
    assert torch.equal(with_spread_of(guided, cond, 0.0), guided)
    torch.testing.assert_close(with_spread_of(guided, cond, 1.0).std(dim=(1, 2, 3)), cond.std(dim=(1, 2, 3)))


def test_thresholding_keeps_to_the_range_of_the_modest_scale() -> None:
    guided, cond, uncond = estimates(20.0)
    got = thresholded(guided, uncond, 20.0, Thresholding(mimic_scale=5.0, percentile=99.0), 0.0)
    mimic = uncond + 5.0 * (cond - uncond)
    for image in range(2):
        for channel in range(4):
            here, modest = guided[image, channel], mimic[image, channel]
            away, wanted = here - here.mean(), (modest - modest.mean()).abs().max()
            reach = max(torch.quantile(away.abs(), 0.99), wanted)
            expected = here.mean() + away.clamp(-reach, reach) * wanted / reach
            torch.testing.assert_close(got[image, channel], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("measure", ["AD", "STD"])
@pytest.mark.parametrize("startpoint", ["MEAN", "ZERO"])
@pytest.mark.parametrize("separate", [True, False])
def test_at_its_own_scale_thresholding_changes_nothing(measure: str, startpoint: str, separate: bool) -> None:
    guided, _, uncond = estimates(7.0)
    options = Thresholding.model_validate({"measure": measure, "startpoint": startpoint, "separate": separate})
    torch.testing.assert_close(thresholded(guided, uncond, 7.0, options, 0.3), guided, atol=1e-4, rtol=1e-4)


def test_thresholding_by_deviation_gives_the_deviation_of_the_modest_scale() -> None:
    guided, cond, uncond = estimates(20.0)
    got = thresholded(guided, uncond, 20.0, Thresholding(measure="STD", mimic_scale=5.0), 0.0)
    mimic = uncond + 5.0 * (cond - uncond)
    torch.testing.assert_close(got.std(dim=(2, 3)), mimic.std(dim=(2, 3)))
    torch.testing.assert_close(got.mean(dim=(2, 3)), guided.mean(dim=(2, 3)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("mode", "first", "last"),
    [
        ("Constant", 9, 9), ("Linear Down", 9, 1), ("Linear Up", 1, 9), ("Power Up", 1, 9), ("Power Down", 9, 1),
        ("Cosine Down", 9, 1), ("Cosine Up", 1, 9), ("Half Cosine Down", 9, 1 + 8 * math.cos(1)),
        ("Half Cosine Up", 1, 9 - 8 * math.cos(1)), ("Cosine Repeating", 9, 9), ("Linear Repeating", 9, 9),
        ("Sawtooth", 1, 1),
    ],
)  # fmt: skip
def test_the_curves_of_a_scale_begin_and_end_as_named(mode: str, first: float, last: float) -> None:
    options = Thresholding.model_validate({"mimic_mode": mode})
    ends = [scheduled(9.0, options.mimic_mode, 1.0, 2.0, done) for done in (0.0, 1.0)]
    assert ends == pytest.approx([first, last], abs=1e-3)


def test_projection_with_eta_1_and_no_limit_is_guidance() -> None:
    guided, cond, uncond = estimates(9.0)
    got, _ = projected(guided, cond, uncond, 9.0, eta=1, norm=0)
    torch.testing.assert_close(got, guided, atol=1e-5, rtol=1e-5)


def test_what_projection_adds_is_across_the_prompts_estimate_and_not_too_long() -> None:
    guided, cond, uncond = estimates(9.0)
    got, _ = projected(guided, cond, uncond, 9.0, eta=0, norm=2)
    added = (got - cond) / 8
    assert (added * cond).sum(dim=(1, 2, 3)).abs().max() < 1e-3
    assert torch.linalg.vector_norm(added, dim=(1, 2, 3)).max() <= 2.0001


def test_momentum_adds_the_guidance_before() -> None:
    guided, cond, uncond = estimates(9.0)
    _, first = projected(guided, cond, uncond, 9.0, eta=1, norm=0, momentum=0.5)
    got, second = projected(guided, cond, uncond, 9.0, eta=1, norm=0, momentum=0.5, before=first)
    torch.testing.assert_close(second, first * 1.5)
    torch.testing.assert_close(got, cond + 8 * first * 1.5, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("index", "inside"), [(0, False), (2, True), (5, True), (8, True), (9, False)])
def test_outside_the_interval_only_the_prompt_counts(index: int, inside: bool) -> None:
    _, cond, _ = estimates(7.0)
    got = edited(GuidanceOptions(start=0.2, end=0.8), 7.0, index)
    assert got is None if inside else got is not None and torch.equal(got, cond)


def test_what_is_off_or_0_changes_nothing() -> None:
    for options in ({}, {"pag": {**ON, "scale": 0}}, {"sag": {**ON, "scale": 0}}):
        assert edited(GuidanceOptions.model_validate(options), 5.0) is None


def test_perturbed_attention_leads_away_from_what_the_network_says_without_it() -> None:
    guided, cond, uncond = estimates(5.0)
    joined = ChangedGuidance(GuidanceOptions(pag=Perturbed(enabled=True, scale=2)), GenerationRequest(cfg_scale=5.0))
    got = joined.edit_denoised(step(1), guided, cond, uncond, cond, lambda latents, positive: cond * 0.5)
    assert got is not None
    torch.testing.assert_close(got, guided + 2 * cond * 0.5)


def test_attenuation_takes_a_share_of_the_scale_with_each_call() -> None:
    chosen = Perturbed(scale=4, attenuation=40, start=0.2, end=0.8)
    assert [perturbed_scale(chosen, 0.5, acted) for acted in range(4)] == pytest.approx([4, 2.4, 0.8, 0])
    assert perturbed_scale(chosen, 0.1, 0) == perturbed_scale(chosen, 0.9, 0) == 0


def test_self_attention_guidance_asks_for_the_blurred_picture_with_the_same_noise() -> None:
    guided, cond, uncond = estimates(5.0)
    noise, mask = torch.randn_like(cond), torch.zeros(2, 1, 8, 8)
    mask[..., :4, :] = 1
    seen: list[Tensor] = []

    def ask(latents: Tensor, positive: bool) -> Tensor:
        assert not positive
        seen.append(latents)
        return torch.zeros_like(latents)

    got = self_attention_guided(guided, uncond, uncond + noise, mask, SelfAttention(scale=0.5), ask)
    degraded = torch.cat([blurred(uncond, 2.0)[..., :4, :], uncond[..., 4:, :]], dim=2)
    torch.testing.assert_close(seen[0], degraded + noise)
    torch.testing.assert_close(got, guided + 0.5 * degraded)


def test_a_blur_keeps_what_is_even() -> None:
    even = torch.full((1, 4, 12, 12), 0.3)
    torch.testing.assert_close(blurred(even, 2.0), even)


def test_freeu_with_all_factors_1_is_off_and_even_factors_scale() -> None:
    torch.manual_seed(1)
    features = torch.randn(2, 12, 8, 8)
    assert torch.equal(joined(features, 8, FreeUStage(), "2", 1.0), features)
    assert torch.equal(joined(features, 8, FreeUStage(backbone_factor=2, skip_factor=0), "1", 0.0), features)
    stage = FreeUStage(backbone_factor=3, backbone_width=1, skip_factor=0.5, skip_high_end_factor=0.5)
    got = joined(features, 8, stage, "1", 1.0)
    torch.testing.assert_close(got[:, :8], features[:, :8] * 3)
    torch.testing.assert_close(got[:, 8:], features[:, 8:] * 0.5, atol=1e-5, rtol=1e-5)


def test_freeu_2_weighs_places_by_their_mean_feature() -> None:
    torch.manual_seed(1)
    features = torch.randn(1, 8, 4, 4)
    got = joined(features, 8, FreeUStage(backbone_factor=2, backbone_width=1), "2", 1.0)
    mean = features.mean(dim=1).flatten()
    ratio = (got / features).mean(dim=1).flatten()
    assert ratio[mean.argmin()] == pytest.approx(1, abs=1e-5)
    assert ratio[mean.argmax()] == pytest.approx(2, abs=1e-5)


def test_the_channels_of_freeu_include_both_ends_and_begin_again() -> None:
    assert channels(0.5, 0.0, 8).tolist() == [True] * 5 + [False] * 3
    assert channels(0.25, 0.25, 8).tolist() == [False, False, True, True, True, False, False, False]
    assert channels(0.5, 0.75, 8).tolist() == [True, True, False, False, False, False, False, True]
    assert channels(-0.25, 0.5, 8).tolist() == channels(0.25, 0.25, 8).tolist()


def test_freeu_counts_calls_over_both_passes() -> None:
    count = CallCount()
    assert [count.at(Place(call=call)) for call in (0, 1, 1, 2)] == [0, 1, 1, 2]
    assert [count.at(Place(hires=True, call=call)) for call in (0, 1)] == [3, 4]
    assert count.at(Place(batch=1)) == 0


def test_the_schedule_of_freeu() -> None:
    half = FreeU(start=0.25, stop=0.75)
    assert [share_of(half, call, 8) for call in range(8)] == [0, 0, 1, 1, 1, 1, 0, 0]
    assert [share_of(FreeU(start=2, stop=6), call, 8) for call in range(8)] == [0, 0, 1, 1, 1, 1, 0, 0]
    smooth = FreeU(start=0.25, stop=0.75, smoothness=1)
    assert [share_of(smooth, call, 8) for call in range(8)] == [0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0]


@pytest.mark.parametrize("method", ["bicubic", "bilinear", "nearest-exact", "area", "bislerp"])
def test_resizing_keeps_what_is_even(method: str) -> None:
    even = torch.full((1, 4, 8, 8), 0.3)
    torch.testing.assert_close(resized(even, (4, 6), method), torch.full((1, 4, 4, 6), 0.3))  # type: ignore[arg-type]
    assert resized(even, (8, 8), method) is even  # type: ignore[arg-type]


def test_options_are_bounded() -> None:
    wrongs: tuple[dict[str, Any], ...] = (
        {"rescale": 1.5}, {"start": 0.8, "end": 0.2}, {"thresholding": {"percentile": 0}},
        {"thresholding": {"mimic_scale": float("nan")}}, {"freeu": {"stages": [{}] * 4}}, {"apg": {"momentum": 1}},
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            GuidanceOptions.model_validate(wrong)


def test_options_of_version_1_are_understood() -> None:
    old = GuidanceOptions.model_validate({"threshold": True, "percentile": 0.995, "mimic_scale": 5, "rescale": 0.1})
    assert old == GuidanceOptions(rescale=0.1, thresholding=Thresholding(enabled=True, percentile=99.5, mimic_scale=5))
