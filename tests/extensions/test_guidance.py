"""Changed guidance: each part by its formula and its laws, and off means untouched."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from extensions.guidance.formulas import rescaled, thresholded
from extensions.guidance.plugin import ChangedGuidance, GuidanceOptions
from webui.extension_api.tensors import Step


def estimates(scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Guided, prompt's and negative prompt's estimates (2, 4, 8, 8)."""
    torch.manual_seed(0)
    cond, uncond = torch.randn(2, 2, 4, 8, 8)
    return uncond + scale * (cond - uncond), cond, uncond


def step(index: int, total: int = 10) -> Step:
    return Step(index, total, torch.tensor(2.0), torch.tensor(1.0))


def test_rescale_is_equations_15_and_16() -> None:
    guided, cond, _ = estimates(9.0)
    got = rescaled(guided, cond, 0.7)
    for image in range(2):
        full = guided[image] * cond[image].std() / guided[image].std()
        torch.testing.assert_close(got[image], 0.7 * full + 0.3 * guided[image])
    assert torch.equal(rescaled(guided, cond, 0.0), guided)
    torch.testing.assert_close(rescaled(guided, cond, 1.0).std(dim=(1, 2, 3)), cond.std(dim=(1, 2, 3)))


def test_thresholding_keeps_to_the_range_of_the_modest_scale() -> None:
    guided, cond, uncond = estimates(20.0)
    got = thresholded(guided, cond, uncond, 5.0, 0.99)
    mimic = uncond + 5.0 * (cond - uncond)
    for image in range(2):
        for channel in range(4):
            here, modest = guided[image, channel], mimic[image, channel]
            away = here - here.mean()
            bound = torch.quantile((modest - modest.mean()).abs(), 0.99)
            reach = max(torch.quantile(away.abs(), 0.99), bound)
            wanted = here.mean() + away.clamp(-reach, reach) * bound / reach
            torch.testing.assert_close(got[image, channel], wanted)
            assert float((wanted - here.mean()).abs().max()) <= float(bound) * 1.0001


def test_at_its_own_scale_and_with_every_value_thresholding_changes_nothing() -> None:
    guided, cond, uncond = estimates(7.0)
    torch.testing.assert_close(thresholded(guided, cond, uncond, 7.0, 1.0), guided)


@pytest.mark.parametrize(("index", "inside"), [(0, False), (2, True), (5, True), (8, True), (9, False)])
def test_outside_the_interval_only_the_prompt_counts(index: int, inside: bool) -> None:
    guided, cond, uncond = estimates(7.0)
    joined = ChangedGuidance(GuidanceOptions(start=0.2, end=0.8), 7.0)
    got = joined.edit_denoised(step(index), guided, cond, uncond)
    assert got is not None
    assert torch.equal(got, guided if inside else cond)


def test_thresholding_acts_only_above_the_scale_it_keeps_to() -> None:
    guided, cond, uncond = estimates(5.0)
    got = ChangedGuidance(GuidanceOptions(threshold=True), 5.0).edit_denoised(step(1), guided, cond, uncond)
    assert got is not None
    assert torch.equal(got, guided)


def test_options_are_bounded() -> None:
    for wrong in ({"rescale": 1.5}, {"start": 0.8, "end": 0.2}, {"percentile": 0.1}, {"mimic_scale": float("nan")}):
        with pytest.raises(ValidationError):
            GuidanceOptions.model_validate(wrong)
