"""The samplers of timestep space: golden values, timesteps, hooks, UniPC's grid."""

import math

import pytest
import torch
from torch import Tensor

from tests.narrowing import known
from tests.sampling.toy import Counted, NoHooks, SineNoise, alphas, pixel, run_timesteps, timesteps, unguided
from webui.domain.catalog import SAMPLERS
from webui.domain.errors import Cancelled
from webui.domain.request import UniPC
from webui.sampling.steps import Step
from webui.sampling.unipc import Times, weights

IN_TIMESTEPS = [label for label, info in SAMPLERS.items() if info.space == "timestep"]
WHOLE = [901.0, 801.0, 701.0, 601.0, 501.0, 401.0, 301.0, 201.0, 101.0]


def bent(latents: Tensor, timestep: Tensor) -> Tensor:
    """The epsilon model of the golden values."""
    return torch.tanh(latents) * (0.5 + timestep / 2000)


@pytest.mark.parametrize(
    ("label", "eta", "uncond_share", "expected"),
    [
        ("DDIM", 0.0, 1.0, 1.131293647),
        ("DDIM", 1.0, 1.0, 1.551290747),
        ("DDIM CFG++", 0.0, 0.9, 0.658772010),
    ],
)
def test_golden_values_of_ddim(label: str, eta: float, uncond_share: float, expected: float) -> None:
    model, noise = Counted(bent), SineNoise()
    end = run_timesteps(label, unguided(model, uncond_share), pixel(0.7), timesteps(10), noise=noise, eta=eta)
    assert end.item() == pytest.approx(expected, abs=1e-6)
    assert model.levels == WHOLE
    assert noise.draws == (9 if eta else 0)


def test_golden_value_of_plms() -> None:
    model, noise = Counted(bent), SineNoise()
    end = run_timesteps("PLMS", unguided(model), pixel(0.7), timesteps(10), noise=noise)
    assert end.item() == pytest.approx(1.141860548, abs=1e-6)
    assert model.levels == [WHOLE[0], WHOLE[1], *WHOLE[1:]]
    assert noise.draws == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (UniPC(), 1.365339995),
        (UniPC(variant="bh2"), 1.366415135),
        (UniPC(variant="vary_coeff"), 1.364249630),
        (UniPC(skip_type="time_quadratic"), 1.372278842),
        (UniPC(skip_type="logSNR"), 1.372283536),
    ],
)
def test_golden_values_of_unipc(options: UniPC, expected: float) -> None:
    model, noise = Counted(bent), SineNoise()
    end = run_timesteps("UniPC", unguided(model), pixel(0.7), timesteps(10), unipc=options, noise=noise)
    assert end.item() == pytest.approx(expected, abs=1e-6)
    assert (model.calls, noise.draws) == (10, 0)
    assert model.steps == list(range(10))
    if options.skip_type == "time_uniform":
        assert model.levels == pytest.approx([999 - 99.9 * i for i in range(10)], abs=1e-4)


def test_unipc_starts_from_an_image_where_its_noise_stands() -> None:
    model = Counted(bent)
    run_timesteps("UniPC", unguided(model), pixel(0.7), timesteps(10)[:6], starts_from_image=True)
    assert model.calls == 6
    assert model.levels[0] == pytest.approx(501, abs=1e-3)
    other = Counted(bent)
    run_timesteps("DDIM", unguided(other), pixel(0.7), timesteps(10)[:6], starts_from_image=True)
    assert other.levels == [501.0, 401.0, 301.0, 201.0, 101.0]


@pytest.mark.parametrize("order", [1, 2, 3, 5, 50])
@pytest.mark.parametrize("lowers_at_end", [True, False])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_unipc_makes_one_call_a_step_at_any_order(order: int, lowers_at_end: bool, count: int) -> None:
    model = Counted(bent)
    options = UniPC(order=order, lower_order_final=lowers_at_end)
    end = run_timesteps("UniPC", unguided(model), pixel(0.7), timesteps(10)[:count], unipc=options)
    assert model.calls == count
    assert end.isfinite().all()


@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize("ratios", [[-1.1, 1.0], [-1.0, -2.2, 1.0], [-0.9, -2.0, -3.3, 1.0]])
def test_unipc_weights_integrate_polynomials_exactly(variant: str, ratios: list[float]) -> None:
    """Sum of weight x r^n is what the exponential integrator makes of the n-th power: n! phi of order n + 1."""
    width = 0.7
    solved = weights(variant, ratios, width, corrects=True)
    nodes, quadrature = torch.tensor(ratios, dtype=torch.float64), torch.linspace(0, 1, 20001, dtype=torch.float64)
    for power in range(1, len(ratios) + 1):
        # x_t = ... - alpha_t * integral of d/ds(e^(h(s-1))) m(s), by parts for m(s) = s^power
        exact = -torch.trapezoid(width * torch.exp(width * (quadrature - 1)) * quadrature**power, quadrature).item()
        mixed = sum(w * r ** (power - 1) for w, r in zip(solved, nodes.tolist(), strict=True))
        assert mixed == pytest.approx(exact, abs=1e-6)


def test_times_meet_the_table_and_go_on_between() -> None:
    times, table = Times(alphas(torch.float64)), alphas(torch.float64)
    for index in (0, 1, 500, 999):
        level = times.level(torch.tensor((index + 1) / 1000, dtype=torch.float64))
        assert level.alpha**2 == pytest.approx(table[index].item(), rel=1e-9)
        assert level.alpha**2 + level.sigma**2 == pytest.approx(1)
        assert level.log_snr == pytest.approx(math.log(level.alpha / level.sigma))
    middle = times.level(torch.tensor(0.5005, dtype=torch.float64)).alpha ** 2
    assert middle == pytest.approx(math.sqrt(table[499].item() * table[500].item()))


@pytest.mark.parametrize("spacing", ["time_uniform", "time_quadratic", "logSNR"])
def test_grids_run_down_from_the_start_to_the_first_timestep(spacing: str) -> None:
    grid = Times(alphas(torch.float64)).grid(0.8, 12, spacing)
    assert len(grid) == 13
    assert (grid.diff() < 0).all()
    assert grid[[0, -1]].tolist() == pytest.approx([0.8, 0.001])


class Shift(NoHooks):
    def __init__(self) -> None:
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        self.steps: list[Step] = []

    def pre_step(self, step: Step, latents: Tensor) -> Tensor:
        self.before.append(latents)
        self.steps.append(step)
        return latents

    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
        assert denoised.shape == latents.shape
        self.after.append(latents + 0.25)
        return latents + 0.25


def alpha_at(timestep: float) -> float:
    """alphas_cumprod, linear in its logarithm between whole timesteps."""
    table, low = alphas(torch.float64), int(timestep)
    share = timestep - low
    return float((table[low].log() * (1 - share) + table[min(low + 1, 999)].log() * share).exp())


@pytest.mark.parametrize("label", IN_TIMESTEPS)
def test_hooks_stand_around_every_step_and_see_levels_and_timesteps(label: str) -> None:
    hooks, watched = Shift(), []
    end = run_timesteps(
        label, unguided(Counted(bent)), pixel(0.7), timesteps(10), hooks=hooks,
        watch=lambda step, denoised: watched.append(step.index),
    )  # fmt: skip
    count = {"PNDM": 10, "UniPC": 10}.get(label, 9)
    assert watched == list(range(count))
    assert [(step.index, step.total) for step in hooks.steps] == [(i, count) for i in range(count)]
    for step in hooks.steps:
        for sigma, timestep in ((step.sigma, step.timestep), (step.sigma_next, step.timestep_next)):
            alpha = alpha_at(float(known(timestep)))
            assert float(sigma) == pytest.approx(((1 - alpha) / alpha) ** 0.5, rel=1e-4)
    assert known(hooks.steps[0].timestep).item() == pytest.approx(999 if label == "UniPC" else 901)
    assert torch.equal(end, hooks.after[-1])
    for left, entered in zip(hooks.after[:-1], hooks.before[1:], strict=True):
        assert torch.equal(left, entered)


@pytest.mark.parametrize("label", IN_TIMESTEPS)
def test_the_watch_stops_a_run(label: str) -> None:
    def watch(step: Step, denoised: Tensor) -> None:
        raise Cancelled("stopped")

    model = Counted(bent)
    with pytest.raises(Cancelled):
        run_timesteps(label, unguided(model), pixel(0.7), timesteps(10), watch=watch)
    assert model.calls <= 4


@pytest.mark.parametrize("label", IN_TIMESTEPS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_short_ways_are_walked(label: str, count: int) -> None:
    end = run_timesteps(label, unguided(Counted(bent)), pixel(0.7), timesteps(10)[:count])
    assert end.isfinite().all()
    if count == 0 or (count == 1 and label not in ("PNDM", "UniPC")):
        assert end.item() == 0.7


@pytest.mark.parametrize("label", IN_TIMESTEPS)
def test_single_precision_stays_single(label: str) -> None:
    model = Counted(bent)
    single = run_timesteps(
        label, unguided(model), pixel(0.7, torch.float32), timesteps(10), noise=lambda a, b: torch.zeros(1)
    )
    double = run_timesteps(label, unguided(Counted(bent)), pixel(0.7), timesteps(10), noise=lambda a, b: torch.zeros(1))
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(double.item(), rel=1e-4)
