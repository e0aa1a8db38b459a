"""DPM-Solver (Lu et al. 2022, arXiv:2206.00927) in its two forms that choose their own steps: `DPM fast`, which spends
a given number of model calls, and `DPM adaptive`, whose step width follows the error it estimates.

Time is lambda = -ln sigma; noise prediction is eps = (x - denoised) / sigma. The loop is in `loop.py`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from webui.sampling.stepping import Plan, SamplerOptions, SolverRange, ancestral_levels, log_snr, steps_of
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise

Predict = Callable[[Tensor, Tensor], Tensor]  # (latents, lambda) -> eps, (B, C, h, w)


def fast_plan(_: Tensor, span: SolverRange) -> Plan:
    """`span.steps` model calls in equal widths of lambda, of order 3 as far as they last (the paper, section 3.4)."""
    count = span.steps // 3 + 1
    rest = (2, 1) if span.steps % 3 == 0 else (span.steps % 3,)
    orders = (*(3,) * (count - len(rest)), *rest)
    start, end = log_snr(span.sigma_max), log_snr(span.sigma_min)
    share = torch.linspace(0, 1, count + 1, dtype=start.dtype, device=start.device)
    levels = (-(start + share * (end - start))).exp()
    return Plan(steps_of(levels), partial(_fast_step, orders, end))


def _fast_step(
    orders: Sequence[int],
    end: Tensor,
    denoise: Denoiser,
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """One substep. Noise is drawn on each, the last too, and with eta 0."""
    predict = _noise_prediction(denoise)
    here, there = log_snr(step.sigma), log_snr(step.sigma_next)
    down, up = _descent(here, there, end, options.eta)
    eps = predict(latents, here)
    order = orders[step.index]
    if order == 1:
        moved = _first_order(latents, here, down, eps)
    elif order == 2:
        moved = _second_order(predict, latents, here, down, eps, 0.5)
    else:
        moved = _third_order(predict, latents, here, down, eps)
    moved = moved + up * options.s_noise * noise(step.sigma, step.sigma_next)
    return Moved(moved, latents - step.sigma * eps)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one trial of the adaptive solver found.

    Attributes:
        low, high: the latents after the step, of second and third order, without fresh noise; (B, C, h, w).
        up: 0-dimensional, the level of the noise to add if the step is taken.
        denoised: estimate of the clean latents at its start.
        accepted: whether the error was small enough.
        width: in lambda, to be tried next.
        error: in units of the tolerance; over the whole batch, so a batch walks other steps than its images alone.
    """

    low: Tensor
    high: Tensor
    up: Tensor
    denoised: Tensor
    accepted: bool
    width: float
    error: float


@dataclass(frozen=True, slots=True)
class AdaptiveSolver:
    """DPM-Solver-23 (the paper's appendix on adaptive steps), with an integral step controller.

    Attributes:
        rtol, atol: relative and absolute tolerance of the local error.
        first_width: of the first trial, in lambda.
        safety: a step is taken when the controller would shrink it by no more than this factor.
    """

    rtol: float = 0.05
    atol: float = 0.0078
    first_width: float = 0.05
    safety: float = 0.81

    def attempt(
        self, denoise: Denoiser, latents: Tensor, low_before: Tensor, span: tuple[Tensor, Tensor, Tensor],
        width: float, eta: float,
    ) -> Trial:  # fmt: skip
        """Try a step. Three model calls.

        Args:
            low_before: the second-order latents of the step before (`latents` at the start), which scale the error.
            span: lambda now, after the step, and at the end of the whole way.
            width: what the controller wished for; the step may be shorter, cut off at the end.
        """
        here, there, end = span
        predict = _noise_prediction(denoise)
        down, up = _descent(here, there, end, eta)
        eps = predict(latents, here)
        third = 1 / 3
        inner = _first_order(latents, here, here + third * (down - here), eps)
        eps_inner = predict(inner, here + third * (down - here))
        low = _second_order_from(latents, here, down, eps, eps_inner, third)
        high = _third_order_from(predict, latents, here, down, eps, eps_inner)

        tolerance = (self.rtol * low.abs().maximum(low_before.abs())).clamp(min=self.atol)
        error = float(torch.linalg.vector_norm((low - high) / tolerance)) / math.sqrt(latents.numel())
        # The noise of an SDE lowers the order that the controller may count on.
        order = 1.5 if eta else 3.0
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / order) - 1)
        denoised = latents - (-here).exp() * eps
        return Trial(low, high, up, denoised, factor >= self.safety, width * factor, error)


def _noise_prediction(denoise: Denoiser) -> Predict:
    def predict(latents: Tensor, time: Tensor) -> Tensor:
        sigma = (-time).exp()
        return (latents - denoise(latents, sigma)) / sigma

    return predict


def _descent(here: Tensor, there: Tensor, end: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """lambda to go down to (never beyond `end`), and the noise level that leads back up to `there`."""
    if not eta:
        return there, there.new_zeros(())
    sigma_next = (-there).exp()
    down, _ = ancestral_levels((-here).exp(), sigma_next, eta)
    lowest = log_snr(down).minimum(end)
    return lowest, (sigma_next**2 - (-lowest).exp() ** 2).clamp(min=0).sqrt()


def _first_order(latents: Tensor, here: Tensor, there: Tensor, eps: Tensor) -> Tensor:
    """DPM-Solver-1, eq. 3.7 for VE latents: DDIM."""
    return latents - (-there).exp() * torch.expm1(there - here) * eps


def _second_order(predict: Predict, latents: Tensor, here: Tensor, there: Tensor, eps: Tensor, inner: float) -> Tensor:
    """DPM-Solver-2 (algorithm 1) with its inner point at the share `inner` of the step. One more model call."""
    middle = here + inner * (there - here)
    eps_inner = predict(_first_order(latents, here, middle, eps), middle)
    return _second_order_from(latents, here, there, eps, eps_inner, inner)


def _second_order_from(
    latents: Tensor, here: Tensor, there: Tensor, eps: Tensor, eps_inner: Tensor, inner: float
) -> Tensor:
    growth = (-there).exp() * torch.expm1(there - here)
    return latents - growth * eps - growth / (2 * inner) * (eps_inner - eps)


def _third_order(predict: Predict, latents: Tensor, here: Tensor, there: Tensor, eps: Tensor) -> Tensor:
    """DPM-Solver-3 (algorithm 2), inner points at thirds. Two more model calls."""
    middle = here + (there - here) / 3
    eps_inner = predict(_first_order(latents, here, middle, eps), middle)
    return _third_order_from(predict, latents, here, there, eps, eps_inner)


def _third_order_from(
    predict: Predict, latents: Tensor, here: Tensor, there: Tensor, eps: Tensor, eps_inner: Tensor
) -> Tensor:
    """The rest of DPM-Solver-3 once eps is known at the first third. One more model call."""
    first, second = 1 / 3, 2 / 3
    width = there - here
    outer = here + second * width
    bend = (second / first) * (torch.expm1(second * width) / (second * width) - 1)
    latents_outer = _first_order(latents, here, outer, eps) - (-outer).exp() * bend * (eps_inner - eps)
    eps_outer = predict(latents_outer, outer)
    bend = (torch.expm1(width) / width - 1) / second
    return _first_order(latents, here, there, eps) - (-there).exp() * bend * (eps_outer - eps)
