"""Restart sampling: a plan of steps that goes down in noise level, up again to a middle level, and down once more. Each
step is Heun's (`ode.py`); `loop.py` adds the noise on the way up."""

from itertools import pairwise

import torch
from torch import Tensor

from webui.sampling.ode import heun_without_churn
from webui.sampling.stepping import SolverRange, StepPlan
from webui.sampling.steps import Step

_RESTART_FROM, _RESTART_TO = 0.1, 2.0  # noise levels; the nearest of the schedule are taken


def restart_plan(sigmas: Tensor, _: SolverRange) -> StepPlan:
    """Restart (arXiv:2306.14878) in as many steps as `sigmas` (n + 1,) has.

    From 20 steps on, some of them are spent on going down again from sigma 2 to 0.1; the rest is a Karras schedule.
    Below 20 steps it is plain Heun along `sigmas`.
    """
    steps = len(sigmas) - 1
    if steps < 20:
        return _plan([sigmas])
    repeated, times = (steps // 4, 2) if steps >= 36 else (9, 1)
    main = torch.cat([_ramp(steps - repeated * times, sigmas[-2], sigmas[0]), sigmas.new_zeros(1)])
    bottom = int((main - _RESTART_FROM).abs().argmin())
    top = int((main - _RESTART_TO).abs().argmin())
    if top >= bottom:  # all levels lie on one side of the two, so no part can be repeated
        return _plan([main])
    again = _ramp(repeated + 1, main[bottom], main[top])
    return _plan([main[: bottom + 1], *[again] * times, main[bottom:]])


def _ramp(count: int, sigma_min: Tensor, sigma_max: Tensor, rho: float = 7.0) -> Tensor:
    """`count` levels, descending (Karras et al. 2022, eq. 5, without the final 0)."""
    share = torch.linspace(0, 1, count, dtype=sigma_max.dtype, device=sigma_max.device)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return (high + share * (low - high)) ** rho


def _plan(descents: list[Tensor]) -> StepPlan:
    pairs = [pair for levels in descents for pair in pairwise(levels)]
    steps = tuple(Step(index, len(pairs), sigma, sigma_next) for index, (sigma, sigma_next) in enumerate(pairs))
    return StepPlan(steps, heun_without_churn)
