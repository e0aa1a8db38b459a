"""The samplers that choose their own steps: DPM fast and DPM adaptive, and Restart's plan."""

import math

import pytest
import torch
from torch import Tensor

from tests.sampling.toy import Counted, NoHooks, SineNoise, gaussian, karras, pixel, run, wavy
from webui.domain.errors import NotFiniteError
from webui.sampling.dpm_solver import AdaptiveSolver, fast_plan
from webui.sampling.restart import restart_plan
from webui.sampling.stepping import SolverRange
from webui.sampling.steps import Step

OWN = ["DPM fast", "DPM adaptive"]


def span(steps: int) -> SolverRange:
    return SolverRange(steps, torch.tensor(0.1, dtype=torch.float64), torch.tensor(10.0, dtype=torch.float64))


@pytest.mark.parametrize("steps", range(1, 13))
def test_fast_makes_as_many_calls_as_it_may_and_draws_for_each_substep(steps: int) -> None:
    denoise, noise = Counted(wavy), SineNoise()
    run("DPM fast", denoise, pixel(5.0), karras(8), noise=noise, solver_range=span(steps))
    assert denoise.calls == steps
    assert noise.draws == steps // 3 + 1 == len(fast_plan(karras(8), span(steps)).steps)


@pytest.mark.parametrize("label", OWN)
def test_the_range_is_read_off_the_schedule_or_given(label: str) -> None:
    denoise = Counted(wavy)
    run(label, denoise, pixel(5.0), karras(8), eta=0.0)
    assert denoise.levels[0] == pytest.approx(14.6146)
    assert min(denoise.levels) > 0.0291
    denoise = Counted(wavy)
    run(label, denoise, pixel(5.0), karras(8), eta=0.0, solver_range=span(8))
    assert denoise.levels[0] == pytest.approx(10.0)
    assert min(denoise.levels) > 0.1


@pytest.mark.parametrize("label", OWN)
def test_a_range_of_no_width_changes_nothing(label: str) -> None:
    level = torch.tensor(2.0, dtype=torch.float64)
    end = run(label, Counted(wavy), pixel(5.0), karras(8), solver_range=SolverRange(1, level, level))
    assert end.item() == 5.0


def test_fast_is_of_third_order() -> None:
    exact = 5.0 * math.sqrt((1 + 0.1**2) / (1 + 10.0**2))

    def error(steps: int) -> float:
        end = run("DPM fast", Counted(gaussian), pixel(5.0), karras(8), solver_range=span(steps), eta=0.0)
        return abs(end.item() - exact)

    # One call more than a multiple of three: all substeps but a first-order one of their width
    assert error(80) < error(40) / 2**1.7
    # calls 3k + 2 end with second order, whose local error is of the third
    assert error(92) < error(44) / 2**2.5


@pytest.mark.parametrize("rtol", [0.05, 0.005, 0.0005])
def test_adaptive_keeps_its_error_in_proportion_to_its_tolerance(rtol: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.sampling.loop.SIGMA_SAMPLERS", {"DPM adaptive": AdaptiveSolver(rtol, rtol / 10)})
    end = run("DPM adaptive", Counted(gaussian), pixel(5.0), karras(8), solver_range=span(8), eta=0.0)
    exact = 5.0 * math.sqrt((1 + 0.1**2) / (1 + 10.0**2))
    assert abs(end.item() - exact) < rtol * exact


def jumpy(latents: Tensor, sigma: Tensor) -> Tensor:
    """A denoiser that changes its mind at sigma 1, so that trials across it are rejected."""
    return torch.where(sigma > 1, latents * 0, latents * 0 + 5)


def test_a_rejected_trial_is_watched_but_hooks_see_only_steps_that_are_taken() -> None:
    class Log(NoHooks):
        def __init__(self) -> None:
            self.taken: list[Step] = []
            self.begun: list[Step] = []

        def pre_step(self, step: Step, latents: Tensor) -> Tensor:
            self.begun.append(step)
            return latents

        def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
            self.taken.append(step)
            return latents

    hooks, denoise, noise, watched = Log(), Counted(jumpy), SineNoise(), []
    run(
        "DPM adaptive", denoise, pixel(50.0), karras(8), hooks=hooks, noise=noise, eta=0.0,
        watch=lambda step, denoised: watched.append(step),
    )  # fmt: skip
    assert len(hooks.begun) == len(hooks.taken) == noise.draws < len(watched) == denoise.calls // 3
    assert [step.index for step in hooks.taken] == list(range(len(hooks.taken)))
    for before, after in zip(hooks.taken[:-1], hooks.taken[1:], strict=True):
        assert before.sigma_next == after.sigma
    assert hooks.taken[-1].is_last
    assert not any(step.is_last for step in hooks.taken[:-1])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_adaptive_says_where_it_met_nan_instead_of_running_on(bad: float) -> None:
    with pytest.raises(NotFiniteError, match=r"step 1 of DPM adaptive, at sigma 14\.61"):
        run("DPM adaptive", lambda step, x, sigma: x * bad, pixel(5.0), karras(8))


def test_adaptive_measures_the_whole_batch() -> None:
    """So a batch is not its single images, as in A1111; the same image twice is."""
    single, twice, mixed = Counted(wavy), Counted(wavy), Counted(wavy)
    one = run("DPM adaptive", single, pixel(5.0), karras(8))
    two = run("DPM adaptive", twice, pixel(5.0).repeat(2, 1, 1, 1), karras(8))
    run("DPM adaptive", mixed, torch.cat([pixel(5.0), pixel(-80.0)]), karras(8))
    torch.testing.assert_close(two, one.repeat(2, 1, 1, 1))
    assert single.levels == twice.levels != mixed.levels


@pytest.mark.parametrize(("steps", "climbs"), [(8, 0), (19, 0), (20, 1), (35, 1), (36, 2), (60, 2)])
def test_restart_spends_the_steps_it_was_given(steps: int, climbs: int) -> None:
    plan = restart_plan(karras(steps), span(steps))
    assert len(plan.steps) == steps
    rises = [(a, b) for a, b in zip(plan.steps[:-1], plan.steps[1:], strict=True) if b.sigma > a.sigma_next]
    assert len(rises) == climbs
    for below, above in rises:
        assert below.sigma_next < 0.2
        assert 1.2 < above.sigma < 3.2
    assert all(step.sigma > step.sigma_next for step in plan.steps)
    assert plan.steps[-1].sigma_next == 0


def test_restart_has_nothing_to_climb_in_low_noise() -> None:
    plan = restart_plan(karras(24, sigma_max=0.09), span(24))
    assert all(a.sigma_next == b.sigma for a, b in zip(plan.steps[:-1], plan.steps[1:], strict=True))


def test_restart_noises_up_to_the_exact_level() -> None:
    """With zero as the only image, latents after a climb have the variance of the level climbed to."""
    levels = []

    def zero(step: Step, latents: Tensor, sigma: Tensor) -> Tensor:
        levels.append((sigma.item(), latents.square().mean().sqrt().item()))
        return latents * 0

    generator = torch.Generator().manual_seed(0)

    def draw(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return torch.randn((1, 1, 100, 100), generator=generator, dtype=torch.float64)

    sigmas = karras(40)
    run("Restart", zero, sigmas[0] * draw(sigmas[0], sigmas[0]), sigmas, noise=draw)
    for sigma, found in levels:
        assert found == pytest.approx(sigma, rel=0.03)
