"""Sigma tables and schedules against published numbers, laws, and the levels that A1111 itself used."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import Case, cases, over_cases
from webui.domain.catalog import SAMPLERS, SCHEDULES, find_schedule
from webui.domain.errors import BadRequestError
from webui.domain.request import Schedule
from webui.sampling.schedules import sigmas_for, timesteps_for
from webui.weights.families.stable_diffusion.noise_table import standard_table

GROUPS = {"samplers", "schedules", "settings", "batch", "sdxl", "sdxl_v", "sd2", "networks", "prompts"}
TABLE = standard_table()

TEN = {
    "Uniform": "14.61464 7.83988 4.60917 2.91831 1.95016 1.34493 .93236 .62498 .36866 .02917 0",
    "Normal": "14.61464 7.83988 4.60917 2.91831 1.95016 1.34493 .93236 .62498 .36866 .02917 0",
    "Karras": "14.61464 9.10293 5.47840 3.16861 1.74942 .91408 .44692 .20140 .08191 .02917 0",
    "Exponential": "14.61464 7.32488 3.67124 1.84003 .92223 .46222 .23167 .11611 .05820 .02917 0",
    "Polyexponential": "14.61464 7.32488 3.67124 1.84003 .92223 .46222 .23167 .11611 .05820 .02917 0",
    "SGM Uniform": "14.61464 8.30717 5.09241 3.32507 2.27973 1.61558 1.16286 .83188 .57119 .34370 0",
    "KL Optimal": "14.61463 4.56504 2.63289 1.78645 1.29477 .96159 .71163 .50942 .33564 .17835 .02917",
    "Align Your Steps": "14.615 6.11351 3.56511 2.39387 1.64996 1.13579 .74252 .44501 .16921 .029 0",
    "Simple": "14.61464 8.30280 5.08776 3.32108 2.27646 1.61289 1.16058 .82986 .56928 .34167 0",
    "DDIM": "8.39069 5.13443 3.34776 2.29285 1.62369 1.16822 .83565 .57405 .34619 .04131 0",
    "Beta": "14.61464 13.92779 12.49098 10.59761 8.44244 6.20137 4.04620 2.15283 .71602 .02917 0",
}
TEN_XL = {"Align Your Steps": "14.615 5.96340 3.33897 1.85505 1.10233 .67496 .43114 .26062 .12252 .029 0"}
KNOWN_TABLES = {
    ("Align Your Steps", False): "14.615 6.475 3.861 2.697 1.886 1.396 .963 .652 .399 .152 .029 0",
    ("Align Your Steps", True): "14.615 6.315 3.771 2.181 1.342 .862 .555 .380 .234 .113 .029 0",
    ("Align Your Steps 11", False): "14.615 6.475 3.861 2.697 1.886 1.396 .963 .652 .399 .152 .029 0",
    ("Align Your Steps GITS", False): "14.615 4.617 2.507 1.236 .702 .402 .240 .156 .104 .094 .029 0",
    ("Align Your Steps GITS", True): "14.615 4.734 2.567 1.529 .987 .652 .418 .268 .179 .127 .029 0",
}


def floats(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def levels(label: str, steps: int, *, sampler: str = "Euler", is_sdxl: bool = False, **options: Any) -> torch.Tensor:
    tuned = "xl" if is_sdxl else "sd"
    return sigmas_for(SAMPLERS[sampler], label, steps, TABLE, Schedule(**options), tuned_levels=tuned)


def test_the_standard_table_has_the_published_ends() -> None:
    assert TABLE.alphas_cumprod[[0, 999]].tolist() == pytest.approx([0.99914998, 0.00466010], rel=1e-6)
    assert TABLE.sigmas[[0, 500, 999]].tolist() == pytest.approx([0.02916753, 1.61827886, 14.61464214], rel=1e-6)


def test_zero_terminal_snr_keeps_the_first_level_and_ends_in_noise() -> None:
    table = standard_table(zero_terminal_snr=True)
    assert table.sigmas[[998, 999]].tolist() == pytest.approx([2254.24, 4518.76], rel=1e-5)
    assert float(table.sigmas[0]) == pytest.approx(float(TABLE.sigmas[0]), rel=1e-4)


@pytest.mark.parametrize("downcast", [False, True])
@pytest.mark.parametrize("zero_terminal_snr", [False, True])
def test_every_table_is_finite_and_does_not_descend(downcast: bool, zero_terminal_snr: bool) -> None:
    table = standard_table(downcast=downcast, zero_terminal_snr=zero_terminal_snr)
    assert table.sigmas.isfinite().all()
    assert (table.sigmas.diff() >= 0).all()
    assert table.sigmas.dtype == table.alphas_cumprod.dtype == torch.float32


@pytest.mark.parametrize(("sigma", "timestep"), [(7.5, 879.3807), (1.0, 353.8904), (0.1, 10.3822), (0.02, 0.0)])
def test_timestep_of_a_sigma(sigma: float, timestep: float) -> None:
    assert float(TABLE.timestep(torch.tensor(sigma))) == pytest.approx(timestep, abs=1e-3)


@pytest.mark.parametrize(("timestep", "sigma"), [(0.5, 0.03471371), (499.5, 1.61558032), (998.25, 14.54831886)])
def test_sigma_of_a_timestep(timestep: float, sigma: float) -> None:
    assert float(TABLE.sigma(torch.tensor(timestep))) == pytest.approx(sigma, rel=1e-6)


@given(st.floats(0, 999))
def test_timestep_undoes_sigma(timestep: float) -> None:
    back = TABLE.timestep(TABLE.sigma(torch.tensor(timestep, dtype=torch.float32)))
    assert float(back) == pytest.approx(timestep, abs=2e-2)  # float32 logarithms over a slope of 0.004


@given(st.floats(1e-3, 100))
def test_a_quantized_timestep_is_the_nearest_whole_one(sigma: float) -> None:
    wanted = torch.tensor([[sigma]])
    quantized = TABLE.timestep(wanted, quantize=True)
    assert quantized.shape == (1, 1)
    assert float(quantized) == round(float(quantized))
    assert abs(float(quantized) - float(TABLE.timestep(wanted))) <= 0.52


def test_lcm_knows_every_twentieth_timestep() -> None:
    lcm = TABLE.lcm()
    assert len(lcm) == 50
    torch.testing.assert_close(lcm.sigmas, TABLE.sigmas[19::20])
    assert lcm.timestep(lcm.sigmas, quantize=True).tolist() == list(range(19, 1000, 20))
    torch.testing.assert_close(lcm.sigma(torch.arange(19, 1000, 20)), lcm.sigmas)
    assert float(lcm.sigma(torch.tensor(0.0))) == pytest.approx(float(lcm.sigmas[0]))


def test_lcm_samples_its_own_levels() -> None:
    found = levels("Automatic", 50, sampler="LCM")
    torch.testing.assert_close(found[:-1], TABLE.sigmas[19::20].flip(0))
    few = levels("Automatic", 4, sampler="LCM")
    assert few[[0, 3]].tolist() == pytest.approx([float(TABLE.sigmas[999]), float(TABLE.sigmas[19])])


@pytest.mark.parametrize("label", TEN)
def test_ten_steps_of_each_schedule(label: str) -> None:
    assert levels(label, 10).tolist() == pytest.approx(floats(TEN[label]), abs=2e-5)


@pytest.mark.parametrize("label", TEN_XL)
def test_ten_steps_for_sdxl(label: str) -> None:
    assert levels(label, 10, is_sdxl=True).tolist() == pytest.approx(floats(TEN_XL[label]), abs=2e-5)


@pytest.mark.parametrize(("label", "is_sdxl"), KNOWN_TABLES)
def test_optimised_levels_are_taken_as_they_are(label: str, is_sdxl: bool) -> None:
    assert levels(label, 11, is_sdxl=is_sdxl).tolist() == pytest.approx(floats(KNOWN_TABLES[label, is_sdxl]))


@pytest.mark.parametrize("is_sdxl", [False, True])
def test_32_optimised_levels(is_sdxl: bool) -> None:
    found = levels("Align Your Steps 32", 32, is_sdxl=is_sdxl)
    assert len(found) == 33
    assert found[[0, 31, 32]].tolist() == pytest.approx([14.615, 0.015, 0])
    assert float(found[16]) == pytest.approx(0.80290886 if is_sdxl else 1.314849)


def test_resampling_keeps_levels_that_both_counts_share() -> None:
    torch.testing.assert_close(levels("Align Your Steps", 21)[:-1:2], levels("Align Your Steps", 11)[:-1])


def test_simple_takes_the_entries_at_or_above_its_equal_parts() -> None:
    """Of 1000 entries by 7, counted from the end: 0, 142.9, 285.7, ... without their fractions."""
    torch.testing.assert_close(levels("Simple", 7)[:-1], TABLE.sigmas[[999, 857, 714, 571, 428, 285, 142]])


def test_turbo_takes_the_ends_of_equal_parts() -> None:
    torch.testing.assert_close(levels("Turbo", 4)[:-1], TABLE.sigmas[[999, 749, 499, 249]])
    torch.testing.assert_close(levels("Turbo", 1)[:-1], TABLE.sigmas[[999]])


@pytest.mark.parametrize("label", [label for label in SCHEDULES if label != "Automatic"])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 11, 30, 150])
def test_every_schedule_descends(label: str, steps: int) -> None:
    found = levels(label, steps)
    assert found.dtype == torch.float32
    if label == "DDIM":  # it walks in whole parts of the thousand timesteps, of which there may be more
        assert len(found) == len(range(1, 1000, 1000 // steps)) + 1
    else:
        assert len(found) == steps + 1
    assert (found.diff() < 0).all()
    end = TABLE.sigmas[0] if label == "KL Optimal" else 0.0  # KL Optimal keeps a little noise, as in A1111
    assert float(found[-1]) == pytest.approx(float(end), abs=1e-7)


@pytest.mark.parametrize(("steps", "made"), [(10, 10), (30, 31), (7, 8)])
def test_ddim_gives_more_levels_where_steps_do_not_divide_the_table(steps: int, made: int) -> None:
    assert len(levels("DDIM", steps)) == made + 1


def test_automatic_is_the_samplers_own_schedule() -> None:
    assert torch.equal(levels("Automatic", 9, sampler="DPM++ 2M"), levels("Karras", 9))
    assert torch.equal(levels("Automatic", 9, sampler="Euler"), levels("Uniform", 9))


def test_discarding_drops_the_last_but_one_of_a_longer_run() -> None:
    longer = levels("Karras", 11)
    expected = torch.cat([longer[:-2], longer[-1:]])
    assert torch.equal(levels("Karras", 10, sampler="DPM2"), expected)
    assert torch.equal(levels("Karras", 10, discard_penultimate=True), expected)
    assert torch.equal(levels("Karras", 10, sampler="DPM2", discard_penultimate=True), expected)


@pytest.mark.parametrize("label", ["Karras", "Exponential", "Polyexponential", "Beta", "KL Optimal", "Normal"])
def test_bounds_of_the_request_are_kept(label: str) -> None:
    found = levels(label, 8, sigma_min=0.1, sigma_max=10.0)
    low = found[-1] if label == "KL Optimal" else found[-2]
    assert [float(found[0]), float(low)] == pytest.approx([10.0, 0.1], rel=1e-5)
    if label == "Karras":
        assert torch.equal(found, levels(label, 8, old_karras_sigmas=True))


@pytest.mark.parametrize("label", ["Uniform", "Simple", "DDIM", "Turbo", "Align Your Steps"])
def test_bounds_do_not_move_levels_of_a_table(label: str) -> None:
    assert torch.equal(levels(label, 8, sigma_min=0.1, sigma_max=10.0), levels(label, 8))


def test_rho_shapes_karras_and_polyexponential_only() -> None:
    assert not torch.equal(levels("Karras", 8, rho=3.0), levels("Karras", 8))
    assert torch.equal(levels("Karras", 8, rho=7.0), levels("Karras", 8))
    assert not torch.equal(levels("Polyexponential", 8, rho=3.0), levels("Polyexponential", 8))
    assert torch.equal(levels("Exponential", 8, rho=3.0), levels("Exponential", 8))


def test_beta_is_scipys_quantile_function() -> None:
    from scipy.stats import beta

    shares = beta.ppf(1 - np.linspace(0, 1, 9), 0.5, 0.7)
    low, high = float(TABLE.sigmas[0]), float(TABLE.sigmas[-1])
    found = levels("Beta", 9, beta_alpha=0.5, beta_beta=0.7)
    assert found[:-1].tolist() == pytest.approx(list(low + shares * (high - low)), rel=1e-6)


def test_quantizing_rounds_the_timesteps_of_the_bounds() -> None:
    whole = levels("Normal", 5, sigma_min=0.05, sigma_max=7.5, quantize=True)
    assert float(TABLE.timestep(whole[0])) == pytest.approx(879, abs=1e-2)
    assert float(TABLE.timestep(levels("Normal", 5, sigma_max=7.5)[0])) == pytest.approx(879.3807, abs=1e-2)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"sigma_min": 20.0}, "schedule.sigma_min"),
        ({"sigma_min": 5.0, "sigma_max": 5.0}, "schedule.sigma_min"),
        ({"rho": 0.001}, "schedule"),
    ],
)
def test_options_that_give_no_descending_levels_are_refused(options: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        levels("Karras", 10, **options)
    assert refused.value.field == field


def test_unknown_schedules_and_no_steps_are_refused() -> None:
    with pytest.raises(BadRequestError, match="Karras"):
        levels("Carrots", 10)
    with pytest.raises(BadRequestError, match="steps"):
        levels("Karras", 0)
    with pytest.raises(BadRequestError, match="steps"):
        timesteps_for(0, discard=False, known=1000)
    with pytest.raises(BadRequestError, match="1000 timesteps"):
        timesteps_for(1001, discard=False, known=1000)


def test_timesteps_of_twenty_steps() -> None:
    found = timesteps_for(20, discard=False, known=1000)
    assert found.tolist() == list(range(1, 1000, 50))
    assert found.dtype == torch.int64


@pytest.mark.parametrize(("steps", "made"), [(10, 10), (30, 31), (7, 8), (1, 1), (1000, 1000)])
def test_timesteps_ascend_in_range(steps: int, made: int) -> None:
    found = timesteps_for(steps, discard=False, known=1000)
    assert len(found) == made
    assert (found.diff() >= 0).all()
    assert found.min() >= 1
    assert found.max() <= 999


def test_discarding_plans_one_timestep_more() -> None:
    assert torch.equal(timesteps_for(10, discard=True, known=1000), timesteps_for(11, discard=False, known=1000))


def has_levels(case: Case) -> bool:
    """The levels of text-to-image depend on nothing but the request."""
    return case.group in GROUPS and case.endpoint.endswith("txt2img")


def test_every_schedule_has_reference_levels() -> None:
    assert len({case.payload["scheduler"] for case in cases(".extra.npz", where=has_levels)}) >= 10


@over_cases(".extra.npz", where=has_levels)
def test_levels_are_those_of_a1111(case: Case) -> None:
    payload, settings, recorded = case.payload, case.payload["override_settings"], case.arrays()
    options = Schedule(
        sigma_min=settings.get("sigma_min", 0),
        sigma_max=settings.get("sigma_max", 0),
        rho=settings.get("rho", 0),
        beta_alpha=settings.get("beta_dist_alpha", 0.6),
        beta_beta=settings.get("beta_dist_beta", 0.6),
        discard_penultimate=settings.get("always_discard_next_to_last_sigma", False),
        old_karras_sigmas=settings.get("use_old_karras_scheduler_sigmas", False),
        quantize=settings.get("enable_quantization", False),
    )
    table = standard_table(
        downcast=settings.get("use_downcasted_alpha_bar", False),
        zero_terminal_snr=settings.get("sd_noise_schedule") == "Zero Terminal SNR",
    )
    if "timesteps0" in recorded:
        made = timesteps_for(payload["steps"], options.discard_penultimate, known=1000)
        assert made.tolist() == recorded["timesteps0"].tolist()
        return
    schedule = find_schedule(payload["scheduler"])
    assert schedule is not None
    tuned = "xl" if case.group.startswith("sdxl") else "sd"
    info = SAMPLERS[payload["sampler_name"]]
    made = sigmas_for(info, schedule.label, payload["steps"], table, options, tuned_levels=tuned)
    np.testing.assert_allclose(made.numpy(), recorded["sigmas0"], rtol=1e-6, atol=0)


def test_a_list_of_ones_own_is_taken_as_it_is_and_resampled_for_another_count() -> None:
    own = (12.5, 3.0, 0.75, 0.0)
    assert levels("Karras", 3, sampler="DPM2", sigmas=own).tolist() == [*own]
    longer = levels("Karras", 5, sigmas=own)
    assert (len(longer), longer[0].item(), longer[-1].item()) == (6, 12.5, 0.0)
    assert longer[2].item() == pytest.approx(3.0)
    assert levels("Karras", 3, sigmas=(8.0, 0.5)).tolist() == pytest.approx([8.0, 3.1748, 1.25992, 0.5], rel=1e-4)
