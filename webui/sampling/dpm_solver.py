"""DPM-Solver (Lu et al. 2022, arXiv:2206.00927) in the two forms that choose their own steps: `DPM fast`, which spends
a given number of model calls, and `DPM adaptive`, whose step width follows the error that it estimates.

t is lambda = -ln sigma throughout, and h is the width of a step in it; s1 and s2 are inner points at the shares r1 and
r2 of a step; eps = (x - denoised) / sigma is the predicted noise. The loop is in `loop.py`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from webui.sampling.stepping import SamplerOptions, SolverRange, StepPlan, ancestral_levels, log_snr, steps_of
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise

Predict = Callable[[Tensor, Tensor], Tensor]  # (latents, lambda) -> eps, (B, C, h, w)


def fast_plan(_: Tensor, span: SolverRange) -> StepPlan:
    """Steps of equal width in lambda that make `span.steps` model calls: three calls a step (order 3) while enough
    calls are left, then fewer (the paper, section 3.4).
    """
    count = span.steps // 3 + 1
    rest = (2, 1) if span.steps % 3 == 0 else (span.steps % 3,)
    orders = (*(3,) * (count - len(rest)), *rest)
    start, t_end = log_snr(span.sigma_max), log_snr(span.sigma_min)
    share = torch.linspace(0, 1, count + 1, dtype=start.dtype, device=start.device)
    levels = (-(start + share * (t_end - start))).exp()
    return StepPlan(steps_of(levels), partial(_fast_step, orders, t_end))


def _fast_step(
    orders: Sequence[int],
    t_end: Tensor,
    denoise: Denoiser,
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """Make one step, of the order planned for it. It draws noise even on the last step, but none with eta 0."""
    predict = _noise_prediction(denoise)
    t, t_next = log_snr(step.sigma), log_snr(step.sigma_next)
    t_down, sigma_up = _descent(t, t_next, t_end, options.eta)
    eps = predict(latents, t)
    order = orders[step.index]
    if order == 1:
        moved = _first_order(latents, t, t_down, eps)
    elif order == 2:
        moved = _second_order(predict, latents, t, t_down, eps, 0.5)
    else:
        moved = _third_order(predict, latents, t, t_down, eps)
    if options.eta:
        moved = moved + sigma_up * options.s_noise * noise(step.sigma, step.sigma_next)
    return Moved(moved, latents - step.sigma * eps)


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one trial step of the adaptive solver.

    Attributes:
        low, high: the latents after the step, of second and third order, without fresh noise; (B, C, h, w).
        sigma_up: 0-dimensional, the level of the noise to add if the step is taken.
        denoised: estimate of the clean latents at its start.
        accepted: whether the error was small enough.
        h: the width in lambda to try next.
        error: the local error in units of the tolerance. It is taken over the whole batch, so a batch makes other steps
            than each of its images would make alone.
    """

    low: Tensor
    high: Tensor
    sigma_up: Tensor
    denoised: Tensor
    accepted: bool
    h: float
    error: float


@dataclass(frozen=True, slots=True)
class AdaptiveSolver:
    """DPM-Solver-23 (the paper's appendix on adaptive steps), with an integral step controller.

    Attributes:
        rtol, atol: relative and absolute tolerance of the local error.
        h_init: the width of the first trial, in lambda.
        safety: a step is taken when the controller would shrink it by no more than this factor.
    """

    rtol: float = 0.05
    atol: float = 0.0078
    h_init: float = 0.05
    safety: float = 0.81

    def attempt(
        self, denoise: Denoiser, latents: Tensor, low_before: Tensor, span: tuple[Tensor, Tensor, Tensor],
        h: float, eta: float,
    ) -> Trial:  # fmt: skip
        """Try one step. It makes three model calls.

        Args:
            low_before: the second-order latents of the step before (`latents` at the start), which scale the error.
            span: lambda now (t), after the step (t_next) and at the end of the run (t_end).
            h: the width that the controller asked for; the step itself is shorter where it would pass the end.
        """
        t, t_next, t_end = span
        predict = _noise_prediction(denoise)
        t_down, sigma_up = _descent(t, t_next, t_end, eta)
        eps = predict(latents, t)
        r1 = 1 / 3
        s1 = t + r1 * (t_down - t)
        eps_r1 = predict(_first_order(latents, t, s1, eps), s1)
        low = _second_order_from(latents, t, t_down, eps, eps_r1, r1)
        high = _third_order_from(predict, latents, t, t_down, eps, eps_r1)

        tolerance = (self.rtol * low.abs().maximum(low_before.abs())).clamp(min=self.atol)
        error = float(torch.linalg.vector_norm((low - high) / tolerance)) / math.sqrt(latents.numel())
        # The noise of an SDE lowers the order that the controller may count on.
        order = 1.5 if eta else 3.0
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / order) - 1)
        denoised = latents - (-t).exp() * eps
        return Trial(low, high, sigma_up, denoised, factor >= self.safety, h * factor, error)


def _noise_prediction(denoise: Denoiser) -> Predict:
    def predict(latents: Tensor, t: Tensor) -> Tensor:
        sigma = (-t).exp()
        return (latents - denoise(latents, sigma)) / sigma

    return predict


def _descent(t: Tensor, t_next: Tensor, t_end: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """The lambda to step to (never beyond `t_end`), and the level of the noise that then leads back up to `t_next`."""
    if not eta:
        return t_next, t_next.new_zeros(())
    sigma_next = (-t_next).exp()
    t_down, _ = ancestral_levels((-t).exp(), sigma_next, eta)
    lowest = log_snr(t_down).minimum(t_end)
    return lowest, (sigma_next**2 - (-lowest).exp() ** 2).clamp(min=0).sqrt()


def _first_order(latents: Tensor, t: Tensor, t_next: Tensor, eps: Tensor) -> Tensor:
    """DPM-Solver-1, eq. 3.7 for VE latents: DDIM."""
    return latents - (-t_next).exp() * torch.expm1(t_next - t) * eps


def _second_order(predict: Predict, latents: Tensor, t: Tensor, t_next: Tensor, eps: Tensor, r1: float) -> Tensor:
    """DPM-Solver-2 (algorithm 1) with its inner point at the share `r1` of the step. One more model call."""
    s1 = t + r1 * (t_next - t)
    eps_r1 = predict(_first_order(latents, t, s1, eps), s1)
    return _second_order_from(latents, t, t_next, eps, eps_r1, r1)


def _second_order_from(latents: Tensor, t: Tensor, t_next: Tensor, eps: Tensor, eps_r1: Tensor, r1: float) -> Tensor:
    growth = (-t_next).exp() * torch.expm1(t_next - t)
    return latents - growth * eps - growth / (2 * r1) * (eps_r1 - eps)


def _third_order(predict: Predict, latents: Tensor, t: Tensor, t_next: Tensor, eps: Tensor) -> Tensor:
    """DPM-Solver-3 (algorithm 2), inner points at thirds. Two more model calls."""
    s1 = t + (t_next - t) / 3
    eps_r1 = predict(_first_order(latents, t, s1, eps), s1)
    return _third_order_from(predict, latents, t, t_next, eps, eps_r1)


def _third_order_from(
    predict: Predict, latents: Tensor, t: Tensor, t_next: Tensor, eps: Tensor, eps_r1: Tensor
) -> Tensor:
    """The rest of DPM-Solver-3, given eps at the first third of the step. One more model call."""
    r1, r2 = 1 / 3, 2 / 3
    h = t_next - t
    s2 = t + r2 * h
    bend = (r2 / r1) * (torch.expm1(r2 * h) / (r2 * h) - 1)
    latents_s2 = _first_order(latents, t, s2, eps) - (-s2).exp() * bend * (eps_r1 - eps)
    eps_r2 = predict(latents_s2, s2)
    bend = (torch.expm1(h) / h - 1) / r2
    return _first_order(latents, t, t_next, eps) - (-t_next).exp() * bend * (eps_r2 - eps)
