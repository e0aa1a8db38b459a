"""The loop for samplers of noise-level space: it makes the steps of a sampler's plan, calls hooks around each step,
reports it, and stops when the user wants to.

The mathematics is in the step functions (`samplers.py` lists them). Samplers that are defined on timesteps have a loop
of their own in `timestep.py`.
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
from webui.sampling.stepping import (
    PairedSampler,
    PlannedSampler,
    SamplerOptions,
    SolverRange,
    StepFrame,
    as_it_is,
    log_snr,
    steps_of,
)
from webui.sampling.steps import Locate, Moved, Pair, Past, Step, StepHooks, StepNoise, Watch

StepDenoiser = Callable[[Step, Tensor, Tensor], Tensor]  # (step, latents (B, C, h, w), sigma) -> denoised (B, C, h, w)
StepPairs = Callable[[Step, Tensor, Tensor], Pair]  # as StepDenoiser, both estimates
_Move = Callable[[Step, Tensor, tuple[Past, ...]], Moved]  # (step, latents, past) -> what the step comes to

_END_TOLERANCE = 1e-5  # in lambda; without it rounding could cause a last step of almost no width


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
    pairs: StepPairs | None = None,
    brought: PlannedSampler | None = None,
) -> Tensor:
    """Carry `latents` from noise level sigmas[0] down to sigmas[-1].

    Args:
        info: a sampler of space `sigma`, of the catalog unless it is brought.
        latents: (B, C, h, w), already at noise level sigmas[0].
        sigmas: (n + 1,), strictly descending; usually ends in 0. Its dtype decides the precision of all level
            arithmetic.
        watch: called after each step with the current estimate of the clean latents.
        solver_range: for samplers with `own_steps` (DPM fast, DPM adaptive): the levels between which they step, and
            the number of model calls of DPM fast. The default is sigmas[0], sigmas[-2] and n. These samplers end at its
            sigma_min, not at 0.
        locate: fills in the place (batch, pass, calls so far) of each step before hooks and `watch` see it.
        pairs: what CFG++ samplers ask instead of `denoise`; None: there is no guidance, and both estimates are equal.
        brought: the sampler itself, where the catalog lacks it.

    Returns:
        The latents after the last step, (B, C, h, w).

    Raises:
        Cancelled: from `watch`; nothing is left half-done.
        NotFiniteError: DPM adaptive met NaN or infinity, on which it would never end.
        KeyError: the sampler does not work in this space.
    """
    if len(sigmas) < 2:
        return latents
    sampler = brought or SIGMA_SAMPLERS[info.label]
    frame = StepFrame(hooks, watch, locate)
    span = solver_range or SolverRange.of(sigmas)
    if isinstance(sampler, AdaptiveSolver):
        return _adapt(sampler, denoise, latents, span, options, noise, frame)
    if isinstance(sampler, PairedSampler):
        moved = _moved_in_pairs(sampler, pairs or _unguided(denoise), noise, options)
        return _walk(moved, steps_of(sigmas), sampler.memory, latents, noise, frame)
    plan = sampler.plan(sigmas, span)

    def move(step: Step, here: Tensor, past: tuple[Past, ...]) -> Moved:
        return plan.move(partial(denoise, step), here, step, past, noise, options)

    return _walk(move, plan.steps, sampler.memory, latents, noise, frame)


def _unguided(denoise: StepDenoiser) -> StepPairs:
    def pair(step: Step, latents: Tensor, sigma: Tensor) -> Pair:
        estimate = denoise(step, latents, sigma)
        return Pair(estimate, estimate)

    return pair


def _moved_in_pairs(sampler: PairedSampler, pairs: StepPairs, noise: StepNoise, options: SamplerOptions) -> _Move:
    def move(step: Step, here: Tensor, past: tuple[Past, ...]) -> Moved:
        return sampler.move(partial(pairs, step), here, step, past, noise, options)

    return move


def _walk(
    move: _Move, steps: tuple[Step, ...], memory: int, latents: Tensor, noise: StepNoise, frame: StepFrame
) -> Tensor:
    past: deque[Past] = deque(maxlen=memory)
    level = steps[0].sigma
    for step in steps:
        if step.sigma > level:  # Restart goes back up to a higher noise level
            latents = latents + noise(level, step.sigma) * (step.sigma**2 - level**2).sqrt()

        def moved_from(here: Tensor, step: Step = step) -> Moved:
            return move(step, here, tuple(past))

        moved = frame.around(step, latents, moved_from)
        past.append(Past(step.sigma, moved.denoised, moved.derivative, moved.uncond))
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
    """Make steps whose width the solver decides on the way.

    Hooks are called once for each step that is taken. `watch` is called after rejected trials too, so that the user can
    stop during them. `Step.total` is an estimate: the steps made, and as many more as the present width needs.
    """
    t, t_end = log_snr(span.sigma_max), log_snr(span.sigma_min)
    low_before, h, index = latents, solver.h_init, 0
    is_fresh = True
    while t < t_end - _END_TOLERANCE:
        t_next = (t + h).minimum(t_end)
        total = index + max(1, math.ceil(float((t_end - t) / h)))
        step = Step(index, total, (-t).exp(), (-t_next).exp())
        if is_fresh:
            latents = frame.before(step, latents)
            low_before = latents if index == 0 else low_before
        # A rejected trial is repeated from its first call, whose result could be kept: prompt editing counts the calls.
        trial = solver.attempt(partial(denoise, step), latents, low_before, (t, t_next, t_end), h, options.eta)
        if not math.isfinite(trial.error):
            message = f"step {index + 1} of DPM adaptive, at sigma {float(step.sigma):.4g}, gave NaN or infinity; "
            raise NotFiniteError(message + "try a higher precision of the model, or another sampler")
        is_fresh, h = trial.accepted, trial.h
        if not trial.accepted:
            frame.watch(step, trial.denoised)
            continue
        noised = trial.high + trial.sigma_up * options.s_noise * noise(step.sigma, step.sigma_next)
        latents = frame.after(step, Moved(noised, trial.denoised)).latents
        low_before, t, index = trial.low, t_next, index + 1
    return latents
