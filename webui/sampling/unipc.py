"""UniPC (Zhao et al. 2023, arXiv:2302.04867): a multistep predictor and corrector on fractional times, for data
prediction. Latents are variance preserving, as in `timestep.py`, which calls it. h is the width of a step in half the
log of the signal-to-noise ratio."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from webui.domain.request import UniPC
from webui.sampling.stepping import StepFrame
from webui.sampling.steps import Moved, Step

Predict = Callable[[Step, Tensor, Tensor], Tensor]  # (step, latents (B, C, h, w), timestep, fractional) -> epsilon


@dataclass(frozen=True, slots=True)
class Level:
    """A noise level as sqrt(alphas_cumprod), sqrt(1 - alphas_cumprod), and half the log of the signal-to-noise
    ratio.
    """

    alpha: float
    sigma: float
    log_snr: float


@dataclass(frozen=True, slots=True)
class Known:
    """An estimate of the clean latents (B, C, h, w), and the level at which the model made it."""

    level: Level
    clean: Tensor


class Times:
    """The noise levels of the model at fractional times: ln alpha is linear between the (N,) entries of the table.

    Continuous time is 1 / N at timestep 0 and 1 at the last one. Times and levels are computed in the precision of
    the table, because in half precision the rounding changes what the model is given.
    """

    def __init__(self, table_alphas: Tensor) -> None:
        table = table_alphas.detach().cpu()
        self._log_alphas = 0.5 * table.log()
        self._times = torch.linspace(0, 1, len(table) + 1, dtype=table.dtype)[1:]
        self.last = 1 / len(table)

    def level(self, time: Tensor) -> Level:
        log_alpha = float(_interpolated(time, self._times, self._log_alphas))
        variance = -math.expm1(2 * log_alpha)
        return Level(math.exp(log_alpha), math.sqrt(variance), log_alpha - 0.5 * math.log(variance))

    def grid(self, start: float, count: int, spacing: str) -> Tensor:
        """count + 1 times from `start` down to that of timestep 0, evenly spaced in what `spacing` names."""
        dtype = self._times.dtype
        if spacing == "logSNR":
            first, last = (self.level(torch.tensor(time, dtype=dtype)).log_snr for time in (start, self.last))
            half_log_snr = torch.linspace(first, last, count + 1, dtype=dtype)
            log_alphas = -0.5 * torch.nn.functional.softplus(-2 * half_log_snr)
            return torch.stack([_interpolated(a, self._log_alphas.flip(0), self._times.flip(0)) for a in log_alphas])
        if spacing == "time_quadratic":
            return torch.linspace(math.sqrt(start), math.sqrt(self.last), count + 1, dtype=dtype) ** 2
        return torch.linspace(start, self.last, count + 1, dtype=dtype)


@dataclass(frozen=True, slots=True)
class Course:
    """The levels that a run of UniPC visits, and for each its sigma and the timestep that the model is told, (n,)."""

    levels: tuple[Level, ...]
    sigmas: Tensor
    model_times: Tensor


def course_of(table_alphas: Tensor, count: int, start: float, options: UniPC, dtype: torch.dtype) -> Course:
    """The course from continuous time `start` (0..1] to that of timestep 0 in `count` steps.

    Args:
        dtype: of the latents.
    """
    times = Times(table_alphas)
    grid = times.grid(start, count, options.skip_type)
    levels = tuple(times.level(time) for time in grid)
    model_times = ((grid - times.last) * len(table_alphas)).to(dtype)
    sigmas = torch.tensor([level.sigma / level.alpha for level in levels], dtype=grid.dtype).to(dtype)
    return Course(levels, sigmas, model_times)


def run_unipc(
    predict: Predict, latents: Tensor, table_alphas: Tensor, count: int, start: float, *, options: UniPC,
    frame: StepFrame,
) -> Tensor:  # fmt: skip
    """Carry latents (B, C, h, w) from continuous time `start` (0..1] to that of timestep 0 in `count` steps.

    The model is called `count` times: once where the first step starts, then where each step but the last ends. A call
    at the end of a step serves its corrector, and the next step, which starts there.
    An order above `count` is lowered to it.
    """
    course = course_of(table_alphas, count, start, options, latents.dtype)
    levels, sigmas, model_times = course.levels, course.sigmas, course.model_times
    steps = [
        Step(i, count, sigmas[i], sigmas[i + 1], timestep=model_times[i], timestep_next=model_times[i + 1])
        for i in range(count)
    ]
    order = min(options.order, count)

    def estimate(index: int, here: Tensor) -> Known:
        epsilon = predict(steps[index], here, model_times[index])
        level = levels[index]
        return Known(level, (here - level.sigma * epsilon) / level.alpha)

    past: list[Known] = []
    for step in steps:
        latents = frame.before(step, latents)
        if step.index == 0:
            past.append(estimate(0, latents))
        rank = _order_of(step, order, options.lower_order_final)
        recent, end = past[-rank:], levels[step.index + 1]
        moved = advanced(options.variant, latents, recent, end)
        clean = past[-1].clean
        if not step.is_last:
            found = estimate(step.index + 1, moved)
            moved = advanced(options.variant, latents, recent, end, found.clean)
            past = [*past, found][-order:]
            clean = found.clean
        latents = frame.after(step, Moved(moved, clean)).latents
    return latents


def advanced(variant: str, latents: Tensor, past: Sequence[Known], end: Level, found: Tensor | None = None) -> Tensor:
    """One step of order len(past) from the level of past[-1] to `end`: the paper's UniP and UniC for data
    prediction (its section 3 and appendix).

    Args:
        past: earlier estimates, newest last.
        found: the estimate at `end`, which makes this the corrector; None makes it the predictor.
    """
    here, newest = past[-1].level, past[-1].clean
    h = end.log_snr - here.log_snr
    ratios = [(known.level.log_snr - here.log_snr) / h for known in reversed(past[:-1])]
    slopes = [(known.clean - newest) / ratio for known, ratio in zip(reversed(past[:-1]), ratios, strict=True)]
    if found is not None:
        ratios, slopes = [*ratios, 1.0], [*slopes, found - newest]
    moved = end.sigma / here.sigma * latents - end.alpha * math.expm1(-h) * newest
    factors = weights(variant, ratios, h, corrects=found is not None)
    for weight, slope in zip(factors, slopes, strict=True):
        moved = moved - end.alpha * weight * slope
    return moved


def weights(variant: str, ratios: Sequence[float], h: float, *, corrects: bool) -> list[float]:
    """The factors on the slopes, for points at the shares `ratios` of the step's width `h`.

    They make the step exact for polynomials in half the log-SNR. With one point only, `bh1` and `bh2` take 1/2 B(h)
    instead, which is of the same order (the paper's remark on UniP-2 and UniC-1).
    """
    if not ratios:
        return []
    growth = -h
    if len(ratios) == 1 and variant != "vary_coeff":
        return [0.5 * (growth if variant == "bh1" else math.expm1(growth))]
    phi, factorial = math.expm1(growth), 1.0
    phis, factorials = [], []
    for power in range(1, len(ratios) + 1):
        factorial *= power
        phi = phi / growth - 1 / factorial
        phis.append(phi)
        factorials.append(factorial)
    points = torch.tensor(ratios, dtype=torch.float64)
    moments, scales = torch.tensor(phis, dtype=torch.float64), torch.tensor(factorials, dtype=torch.float64)
    powers = torch.stack([points**power for power in range(len(ratios))])
    if variant == "vary_coeff":
        return _varying_weights(powers, moments, scales, corrects=corrects)
    solved: list[float] = torch.linalg.solve(powers, moments * scales).tolist()
    return solved


def _varying_weights(powers: Tensor, moments: Tensor, scales: Tensor, *, corrects: bool) -> list[float]:
    """Weights of UniPC with varying coefficients, by the inverse of C with C[i, j] = ratio_i^j / (j + 1)!.

    The predictor's equal those of the other variants. The corrector's are those of the authors' program, with which
    existing images are made: the last moment acts only on the newest slope, by the factor of the moment before it.
    """
    inverse: Tensor = torch.linalg.inv((powers / scales[:, None]).T)
    if not corrects:
        mixed: list[float] = (moments @ inverse).tolist()
        return mixed
    earlier: list[float] = (moments[:-1] @ inverse[:-1])[:-1].tolist()
    return [*earlier, float(moments[-1] * inverse[max(len(moments) - 2, 0), -1])]


def _order_of(step: Step, order: int, lowers_at_end: bool) -> int:
    """The order of a step: it rises from 1 while there are few earlier estimates, and falls at the end, where steps are
    long.
    """
    if step.index + 1 < order:
        return step.index + 1
    return min(order, step.total - step.index) if lowers_at_end else order


def _interpolated(at: Tensor, nodes: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear through (nodes, values), both (n,) with nodes ascending; the outer segments are continued."""
    right = torch.searchsorted(nodes, at).clamp(1, len(nodes) - 1)
    share = (at - nodes[right - 1]) / (nodes[right] - nodes[right - 1])
    return values[right - 1] + share * (values[right] - values[right - 1])
