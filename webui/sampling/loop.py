"""The one loop of noise-level space: it walks a sampler's plan and lets hooks, progress and cancelling take part.

The mathematics is in the step functions (`samplers.py` lists them); timestep space has its loop in `timestep.py`.
"""

import math
from collections import deque
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from webui.domain.catalog import SamplerInfo
from webui.domain.errors import NotFiniteError
from webui.sampling.dpm_solver import AdaptiveSolver
from webui.sampling.samplers import SIGMA_SAMPLERS
from webui.sampling.stepping import PlannedSampler, SamplerOptions, SolverRange, StepFrame, as_it_is, log_snr
from webui.sampling.steps import Locate, Moved, Past, Step, StepHooks, StepNoise, Watch

StepDenoiser = Callable[[Step, Tensor, Tensor], Tensor]  # (step, latents (B, C, h, w), sigma) -> denoised (B, C, h, w)

_END_TOLERANCE = 1e-5  # of lambda; rounding must not cause another step of no width


@torch.no_grad()
def sample(
    info: SamplerInfo,
    denoise: StepDenoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    options: SamplerOptions,
    noise: StepNoise,
    hooks: StepHooks,
    watch: Watch,
    solver_range: SolverRange | None = None,
    locate: Locate = as_it_is,
) -> Tensor:
    """Carry `latents` from noise level sigmas[0] down to sigmas[-1].

    Args:
        info: a sampler of the catalog, of space `sigma`.
        latents: (B, C, h, w), already at noise level sigmas[0].
        sigmas: (n + 1,), strictly descending; usually ends in 0. Logarithms and exponentials of it keep its precision.
        watch: called after each step with the current estimate of the clean latents.
        solver_range: for samplers with `own_steps` (DPM fast, DPM adaptive): the levels they go between, and DPM fast's
            model calls. Without it, sigmas[0], sigmas[-2] and n. They end at its sigma_min, not at 0.
        locate: tells the steps that hooks and `watch` see where the run stands.

    Returns:
        The latents after the last step, (B, C, h, w).

    Raises:
        Cancelled: from `watch`; nothing is left half-done.
        NotFiniteError: DPM adaptive met NaN or infinity, on which it would never end.
        KeyError: the sampler is none of this space.
    """
    if len(sigmas) < 2:
        return latents
    sampler = SIGMA_SAMPLERS[info.label]
    frame = StepFrame(hooks, watch, locate)
    span = solver_range or SolverRange.of(sigmas)
    if isinstance(sampler, AdaptiveSolver):
        return _adapt(sampler, denoise, latents, span, options, noise, frame)
    return _walk(sampler, denoise, latents, sigmas, span, options, noise, frame)


def _walk(
    sampler: PlannedSampler,
    denoise: StepDenoiser,
    latents: Tensor,
    sigmas: Tensor,
    span: SolverRange,
    options: SamplerOptions,
    noise: StepNoise,
    frame: StepFrame,
) -> Tensor:
    plan = sampler.plan(sigmas, span)
    past: deque[Past] = deque(maxlen=sampler.memory)
    level = plan.steps[0].sigma
    for step in plan.steps:
        if step.sigma > level:  # Restart climbs
            latents = latents + noise(level, step.sigma) * (step.sigma**2 - level**2).sqrt()

        def move(here: Tensor, step: Step = step) -> Moved:
            return plan.move(partial(denoise, step), here, step, tuple(past), noise, options)

        moved = frame.around(step, latents, move)
        past.append(Past(step.sigma, moved.denoised, moved.derivative))
        latents, level = moved.latents, step.sigma_next
    return latents


def _adapt(
    solver: AdaptiveSolver,
    denoise: StepDenoiser,
    latents: Tensor,
    span: SolverRange,
    options: SamplerOptions,
    noise: StepNoise,
    frame: StepFrame,
) -> Tensor:
    """Walk in steps that are only known once made.

    Hooks are called once for each step that is taken; the watch also after a rejected trial, so that it can cancel.
    `Step.total` is an estimate: the steps made, and as many more as are left at the present width.
    """
    here, end = log_snr(span.sigma_max), log_snr(span.sigma_min)
    low_before, width, index = latents, solver.first_width, 0
    is_fresh = True
    while here < end - _END_TOLERANCE:
        there = (here + width).minimum(end)
        total = index + max(1, math.ceil(float((end - here) / width)))
        step = Step(index, total, (-here).exp(), (-there).exp())
        if is_fresh:
            latents = frame.before(step, latents)
            low_before = latents if index == 0 else low_before
        # A rejected trial is made anew from its first call: prompt editing counts the calls.
        trial = solver.attempt(partial(denoise, step), latents, low_before, (here, there, end), width, options.eta)
        if not math.isfinite(trial.error):
            message = f"step {index + 1} of DPM adaptive, at sigma {float(step.sigma):.4g}, gave NaN or infinity; "
            raise NotFiniteError(message + "try a higher precision of the model, or another sampler")
        is_fresh, width = trial.accepted, trial.width
        if not trial.accepted:
            frame.watch(step, trial.denoised)
            continue
        noised = trial.high + trial.up * options.s_noise * noise(step.sigma, step.sigma_next)
        latents = frame.after(step, Moved(noised, trial.denoised)).latents
        low_before, here, index = trial.low, there, index + 1
    return latents
