"""What a sampler consists of: a pure function that makes one step, options, and a plan of the steps to make.

The mathematics of each sampler stands in `ode.py`, `ancestral.py`, `multistep.py`, `sde.py`, `dpm_solver.py` and
`restart.py`; the list of all is in `samplers.py`; hooks, progress and cancelling are in `loop.py`.
Notation of Karras et al. 2022 (arXiv:2206.00364): latents at noise level sigma are clean + sigma x unit noise.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from webui.sampling.steps import Denoiser, Locate, Moved, PairDenoiser, Past, Step, StepHooks, StepNoise, Watch


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """Settings of a sampler that a user may change.

    Attributes:
        eta: share of the noise that ancestral and SDE samplers take out and put back anew; 0 is deterministic.
        s_churn: how much noise Euler, Heun and DPM2 add before a step, spread over all steps (algorithm 2).
        s_tmin, s_tmax: the noise levels between which they do; s_tmax 0 means no upper end.
        s_noise: factor on every noise that is added.
    """

    eta: float = 1.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = 0.0
    s_noise: float = 1.0


class SamplerStep(Protocol):
    """One step: from latents (B, C, h, w) at `step.sigma` to latents at `step.sigma_next`.

    `past` holds the finished steps, newest last, as many as the sampler asked to remember. It must not be changed.
    """

    def __call__(
        self,
        denoise: Denoiser,
        latents: Tensor,
        step: Step,
        past: Sequence[Past],
        noise: StepNoise,
        options: SamplerOptions,
    ) -> Moved: ...


@dataclass(frozen=True, slots=True)
class SolverRange:
    """Where samplers that choose their own steps begin and end, and how many model calls DPM fast may make."""

    steps: int
    sigma_min: Tensor  # 0-dimensional, > 0
    sigma_max: Tensor

    @classmethod
    def of(cls, sigmas: Tensor) -> "SolverRange":
        """The range that A1111 derives from a schedule (n + 1,): from its first level to its last but one, in n
        steps.
        """
        return cls(len(sigmas) - 1, sigmas[-2], sigmas[0])


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The steps to be made, and the function that makes each. Where a step starts at a higher level than the one
    before it ended at, the loop adds the noise between the two (Restart)."""

    steps: tuple[Step, ...]
    move: SamplerStep


@dataclass(frozen=True, slots=True)
class PlannedSampler:
    """A sampler whose steps are known before the run.

    Attributes:
        plan: makes the steps from the schedule (n + 1,) and the solver's range; most samplers use only the schedule.
        memory: how many earlier steps the step function is given.
    """

    plan: Callable[[Tensor, SolverRange], StepPlan]
    memory: int = 0


class PairedStep(Protocol):
    """A step that is told guided estimate and that of the negative prompt apart; see `SamplerStep`."""

    def __call__(
        self,
        denoise: PairDenoiser,
        latents: Tensor,
        step: Step,
        past: Sequence[Past],
        noise: StepNoise,
        options: SamplerOptions,
    ) -> Moved: ...


@dataclass(frozen=True, slots=True)
class PairedSampler:
    """A sampler of the CFG++ kind, with one step between each two neighbours of the schedule."""

    move: PairedStep
    memory: int = 0


@dataclass(frozen=True, slots=True)
class StepFrame:
    """What is done before and after every step of every sampler. Only here are the step hooks and `watch` called."""

    hooks: StepHooks
    watch: Watch
    locate: Locate

    def before(self, step: Step, latents: Tensor) -> Tensor:
        return self.hooks.pre_step(self.locate(step), latents)

    def after(self, step: Step, moved: Moved) -> Moved:
        """Let hooks replace the latents, then report the step; `watch` may raise Cancelled."""
        step = self.locate(step)
        latents = self.hooks.post_step(step, moved.latents, moved.denoised)
        self.watch(step, moved.denoised)
        return replace(moved, latents=latents)

    def around(self, step: Step, latents: Tensor, move: Callable[[Tensor], Moved]) -> Moved:
        return self.after(step, move(self.before(step, latents)))


def as_it_is(step: Step) -> Step:
    """The step unchanged, for runs outside a job, whose steps need no place."""
    return step


def steps_of(levels: Tensor) -> tuple[Step, ...]:
    """One step between each two neighbours of `levels` (n + 1,)."""
    total = len(levels) - 1
    return tuple(Step(index, total, levels[index], levels[index + 1]) for index in range(total))


def along(move: SamplerStep, memory: int = 0) -> PlannedSampler:
    """A sampler of the usual kind, with one step between each two neighbours of the schedule."""
    return PlannedSampler(lambda sigmas, _: StepPlan(steps_of(sigmas), move), memory)


def tangent(latents: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
    """dx/dsigma of the probability-flow ODE (Karras et al. 2022, eq. 1 with sigma(t) = t)."""
    return (latents - denoised) / sigma


def log_snr(sigma: Tensor) -> Tensor:
    """lambda = -ln sigma, the time in which exponential integrators (DPM-Solver) step."""
    return -sigma.log()


def ancestral_levels(sigma: Tensor, sigma_next: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """Split a step into a deterministic part to sigma_down and fresh noise of level sigma_up, which together give the
    variance of sigma_next: sigma_down^2 + sigma_up^2 = sigma_next^2.

    With eta = 1 the added noise is that of the DDPM posterior (Song et al. 2020, arXiv:2010.02502, eq. 16).
    """
    if not eta:
        return sigma_next, sigma_next.new_zeros(())
    posterior = (sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2).sqrt()
    sigma_up = (eta * posterior).minimum(sigma_next)
    return (sigma_next**2 - sigma_up**2).sqrt(), sigma_up


def churned(latents: Tensor, step: Step, noise: StepNoise, options: SamplerOptions) -> tuple[Tensor, Tensor]:
    """Raise the noise level before a step (Karras et al. 2022, algorithm 2, lines 4 to 6).

    Returns:
        The latents and their noise level. With churn, noise is drawn on every step, used or not: later draws depend on
        it.
    """
    if not options.s_churn:
        return latents, step.sigma
    drawn = noise(step.sigma, step.sigma_next)
    upper = options.s_tmax or math.inf
    if not options.s_tmin <= float(step.sigma) <= upper:
        return latents, step.sigma
    gamma = min(options.s_churn / step.total, math.sqrt(2) - 1)
    raised = step.sigma * (gamma + 1)
    return latents + drawn * options.s_noise * (raised**2 - step.sigma**2).sqrt(), raised
