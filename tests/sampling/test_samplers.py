"""The step functions of noise-level space: golden values, counts of calls and draws, bindings to the catalog."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.sampling.toy import Counted, NoHooks, SineNoise, karras, pixel, run, unwatched, wavy
from webui.domain.catalog import SAMPLERS
from webui.domain.errors import Cancelled
from webui.sampling.multistep import lagrange_integrals
from webui.sampling.samplers import SIGMA_SAMPLERS
from webui.sampling.stepping import ancestral_levels
from webui.sampling.steps import Step
from webui.sampling.timestep import TIMESTEP_SAMPLERS, UNIPC

# label, options, result, model calls, draws of noise; made with A1111 1.10.1 and Forge on the toy model
GOLDEN = [
    ("Euler", {}, 0.620522369, 8, 0),
    ("Euler", {"s_churn": 4.0}, -0.305606368, 8, 8),
    ("Euler a", {}, -0.220138632, 8, 7),
    ("Euler a", {"eta": 0.5}, 0.709890665, 8, 7),
    ("Heun", {}, 0.954879350, 15, 0),
    ("Restart", {}, 0.954879350, 15, 0),
    ("LMS", {}, 0.716917921, 8, 0),
    ("DPM2", {}, 0.878192514, 15, 0),
    ("DPM2 a", {}, 0.961126242, 15, 7),
    ("DPM++ 2S a", {}, 0.102947182, 15, 7),
    ("DPM++ 2M", {}, 0.829946133, 8, 0),
    ("DPM++ SDE", {}, 0.399501696, 15, 14),
    ("DPM++ 2M SDE", {}, -0.787849808, 8, 7),
    ("DPM++ 2M SDE Heun", {}, -1.095084011, 8, 7),
    ("DPM++ 3M SDE", {}, -1.939342049, 8, 7),
    ("DPM fast", {}, 2.136893758, 8, 3),
    ("DPM fast", {"eta": 0.0}, 0.827582846, 8, 0),
    ("DPM adaptive", {}, -1.043320497, 21, 7),
    ("DPM adaptive", {"eta": 0.0}, 0.822003797, 18, 6),
    ("HeunPP2", {}, 0.642264967, 21, 0),
    ("IPNDM", {}, 0.881507151, 8, 0),
    ("IPNDM_V", {}, 0.811332556, 8, 0),
    ("DEIS", {}, 0.747427790, 8, 0),
]
IN_SIGMAS = [label for label, info in SAMPLERS.items() if info.space == "sigma"]


@pytest.mark.parametrize(("label", "options", "expected", "calls", "draws"), GOLDEN)
def test_golden_values(label: str, options: dict[str, Any], expected: float, calls: int, draws: int) -> None:
    denoise, noise = Counted(wavy), SineNoise()
    end = run(label, denoise, pixel(7.3073), karras(8), noise=noise, **options)
    assert end.item() == pytest.approx(expected, abs=1e-5)
    assert (denoise.calls, noise.draws) == (calls, draws)


@pytest.mark.parametrize(("label", "options"), [(row[0], row[1]) for row in GOLDEN])
def test_single_precision_stays_single_and_close(label: str, options: dict[str, Any]) -> None:
    double = run(label, Counted(wavy), pixel(7.3073), karras(8), **options)
    sines = SineNoise()
    single = run(
        label, Counted(wavy), pixel(7.3073, torch.float32), karras(8).float(),
        noise=lambda a, b: sines(a, b).float(), **options,
    )  # fmt: skip
    assert single.dtype == torch.float32
    # The adaptive solver chooses its widths by a small difference of two large numbers.
    assert single.item() == pytest.approx(double.item(), abs=1e-3 if label == "DPM adaptive" else 1e-5)


@pytest.mark.parametrize(("steps", "expected", "calls", "draws"), [(24, 1.509307969, 47, 1), (40, 1.847908634, 79, 2)])
def test_restart_climbs_and_descends_again(steps: int, expected: float, calls: int, draws: int) -> None:
    denoise, noise = Counted(wavy), SineNoise()
    end = run("Restart", denoise, pixel(7.3073), karras(steps), noise=noise)
    assert end.item() == pytest.approx(expected, abs=1e-5)
    assert (denoise.calls, noise.draws) == (calls, draws)
    assert all(low < high for low, high in noise.asked)


def test_every_label_of_the_catalog_is_bound_and_no_other() -> None:
    assert set(SIGMA_SAMPLERS) == set(IN_SIGMAS)
    assert {*TIMESTEP_SAMPLERS, UNIPC} == {label for label, info in SAMPLERS.items() if info.space == "timestep"}


@pytest.mark.parametrize("label", [label for label in IN_SIGMAS if not SAMPLERS[label].own_steps])
def test_second_order_means_two_calls_a_step_but_the_last(label: str) -> None:
    denoise = Counted(wavy)
    run(label, denoise, pixel(1.0), karras(8))
    if label == "HeunPP2":  # planned as one a step, as in Forge
        assert denoise.calls == 21
    else:
        assert denoise.calls == (15 if SAMPLERS[label].second_order else 8)


def test_lcm_jumps_and_noises_anew() -> None:
    noise = SineNoise()
    end = run("LCM", lambda step, x, sigma: torch.ones_like(x), pixel(3.0), karras(1), noise=noise)
    assert (end.item(), noise.draws) == (1.0, 0)
    sigmas = karras(4)[:3]
    ends: list[float] = []

    def denoise(step: Step, x: Tensor, sigma: Tensor) -> Tensor:
        ends.append(x.item())
        return torch.ones_like(x)

    run("LCM", denoise, pixel(3.0), sigmas)
    assert ends[1] == pytest.approx(1 + sigmas[1].item() * 0.8414709848)


@pytest.mark.parametrize("label", ["Euler", "Heun", "DPM2"])
def test_churn_acts_only_between_its_bounds(label: str) -> None:
    calm = run(label, Counted(wavy), pixel(7.0), karras(8))
    out_of_reach = run(label, Counted(wavy), pixel(7.0), karras(8), s_churn=4.0, s_tmin=100.0)
    assert torch.equal(calm, out_of_reach)
    assert not torch.equal(calm, run(label, Counted(wavy), pixel(7.0), karras(8), s_churn=4.0, s_tmax=2.0))
    endless = run(label, Counted(wavy), pixel(7.0), karras(8), s_churn=4.0)
    assert torch.equal(endless, run(label, Counted(wavy), pixel(7.0), karras(8), s_churn=4.0, s_tmax=1e9))


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_down_and_up_make_the_next_level(eta: float) -> None:
    sigma, sigma_next = torch.tensor([5.0, 2.0], dtype=torch.float64)
    down, up = ancestral_levels(sigma, sigma_next, eta)
    assert (down**2 + up**2).item() == pytest.approx(4.0)
    assert down <= sigma_next


def test_lagrange_integrals_are_exact_for_cubics() -> None:
    nodes = [5.0, 7.0, 7.5, 11.0]
    weights = lagrange_integrals(nodes, 5.0, 2.0)
    for power in range(4):
        exact = (2.0 ** (power + 1) - 5.0 ** (power + 1)) / (power + 1)
        assert sum(w * n**power for w, n in zip(weights, nodes, strict=True)) == pytest.approx(exact)


class Recorder(NoHooks):
    """Hooks and watch in one, which write down who was called when, and may move the latents."""

    def __init__(self, shift: float = 0.0) -> None:
        self.events: list[tuple[str, int]] = []
        self.steps: list[Step] = []
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        self.shift = shift

    def pre_step(self, step: Step, latents: Tensor) -> Tensor:
        self.events.append(("pre", step.index))
        self.before.append(latents.clone())
        return latents

    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
        self.events.append(("post", step.index))
        self.steps.append(step)
        self.after.append(latents + self.shift)
        return latents + self.shift

    def watch(self, step: Step, denoised: Tensor) -> None:
        assert denoised.shape == (1, 1, 1, 1)
        self.events.append(("watch", step.index))


@pytest.mark.parametrize("label", IN_SIGMAS)
def test_hooks_and_watch_stand_around_every_step_and_latents_go_on_from_them(label: str) -> None:
    hooks = Recorder(shift=0.125)
    end = run(label, Counted(wavy), pixel(7.0), karras(8), hooks=hooks, watch=hooks.watch)
    count = len(hooks.steps)
    assert [e for i in range(count) for e in (("pre", i), ("post", i), ("watch", i))] == [
        e for i, e in enumerate(hooks.events) if e not in hooks.events[:i]
    ]
    assert torch.equal(end, hooks.after[-1])
    for left, entered in zip(hooks.after[:-1], hooks.before[1:], strict=True):
        assert torch.equal(left, entered)
    assert hooks.steps[-1].is_last
    assert all(step.progress < 1 for step in hooks.steps)
    if not SAMPLERS[label].own_steps:
        assert [step.total for step in hooks.steps] == [8] * 8


@pytest.mark.parametrize("label", IN_SIGMAS)
def test_the_watch_stops_a_run(label: str) -> None:
    def watch(step: Step, denoised: Tensor) -> None:
        if step.index == 1:
            raise Cancelled("stopped")

    hooks = Recorder()
    with pytest.raises(Cancelled):
        run(label, Counted(wavy), pixel(7.0), karras(8), hooks=hooks, watch=watch)
    assert ("pre", 2) not in hooks.events


@pytest.mark.parametrize("label", IN_SIGMAS)
def test_an_empty_way_leaves_the_latents_alone(label: str) -> None:
    assert run(label, Counted(wavy), pixel(7.0), karras(8)[:1], watch=unwatched).item() == 7.0
