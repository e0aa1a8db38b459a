"""Runs a sampler over one batch: draws the noise, computes the noise levels and the start, and returns the latents,
also those of a run that the user stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from webui.domain.catalog import SAMPLERS, SamplerInfo
from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest, Img2Img, Schedule, Txt2Img
from webui.library.family import Family, LatentFormat
from webui.processing.plan import Batch, Plan
from webui.sampling.brownian import BrownianNoise
from webui.sampling.denoiser import GuidedModel, StageAt
from webui.sampling.lone_estimates import estimates
from webui.sampling.loop import sample
from webui.sampling.masking import LatentMask
from webui.sampling.noise import ImageNoise
from webui.sampling.parameterisation import Parameterisation
from webui.sampling.samplers import SamplerOptions
from webui.sampling.schedules import SigmaTable, sigmas_for, timesteps_for
from webui.sampling.stepping import PlannedSampler, SolverRange
from webui.sampling.steps import Place, RunStart, Step, StepHooks, StepNoise
from webui.sampling.timestep import EpsilonModel, sample_timesteps

Watcher = Callable[[Step, Tensor], None]


class Origin(Protocol):
    """The start of a run that does not begin with pure noise.

    Attributes:
        latents: (1, C, h, w) for all images of a batch, or (B, C, h, w).
    """

    @property
    def latents(self) -> Tensor: ...
    def mask_for(self, clean: Tensor) -> LatentMask | None:
        """The mask of one batch, whose clean latents (B, C, h, w) are given."""


CFGPP = "DDIM CFG++"


@dataclass(frozen=True, slots=True)
class Noising:
    """How the latents of a run are noised: its family, its noise levels, and the parameterisation of the network with
    which it begins."""

    family: Family
    table: SigmaTable
    asked: Parameterisation

    def levels(self, steps: int) -> Tensor:
        """(steps + 1,) levels of evenly spaced timesteps, descending, the last 0."""
        return sigmas_for(
            SAMPLERS["Euler"], "Uniform", steps, self.table, Schedule(), tuned_levels=self.family.tuned_levels
        )


@dataclass(frozen=True, slots=True)
class Sampled:
    """Latents (B, C, h, w) of a batch; `complete` is False where the user stopped the run."""

    latents: Tensor
    complete: bool
    padded: bool


def image_noise(request: GenerationRequest, batch: Batch, form: LatentFormat, device: torch.device) -> ImageNoise:
    """The noise of a batch. Each image has a generator of its own, so that it comes out as in a batch of one."""
    return ImageNoise(
        batch.seeds,
        batch.subseeds,
        request.subseed_strength,
        form.grid(request.seed_resize_from_w, request.seed_resize_from_h),
        request.noise.ensd,
        request.noise.source,
        form.shape(request.width, request.height),
        device,
    )


def sampler_options(request: GenerationRequest, info: SamplerInfo) -> SamplerOptions:
    """The request's settings of its sampler; churn and s_noise are neutral where the sampler does not use them."""
    noise = request.noise
    own = noise.eta_ddim if info.space == "timestep" else noise.eta_ancestral
    return SamplerOptions(
        eta=own if noise.eta is None else noise.eta,
        s_churn=noise.s_churn if info.churns else 0.0,
        s_tmin=noise.s_tmin if info.churns else 0.0,
        s_tmax=noise.s_tmax if info.churns else 0.0,
        s_noise=noise.s_noise if info.churns or info.takes_s_noise else 1.0,
    )


def sample_batch(
    plan: Plan,
    batch: Batch,
    stage_at: StageAt,
    noising: Noising,
    hooks: StepHooks,
    watch: Watcher,
    *,
    device: torch.device,
    origin: Origin | None = None,
    hires: bool = False,
    brought: PlannedSampler | None = None,
) -> Sampled:
    """Run the plan's sampler on one batch, from noise or from a noised picture to clean latents.

    Where `watch` raises Cancelled, the last clean estimate for the prompt alone is the result, as in A1111.

    Args:
        noising: how latents are noised for the checkpoint with which the run begins.
        origin: the latents to start from; None: pure noise.
        hires: whether this is the second pass of hires fix. Hooks find it in `step.place`.
        brought: the plan's sampler, where it is an extension's.
    """
    request, info, task = plan.request, plan.sampler, plan.request.task
    noise = image_noise(request, batch, noising.family.latents, device)
    place = Place(batch.index, hires=hires)
    first = noise.first()
    init, mask = None, None
    if origin is not None:
        init = origin.latents[: len(first)].to(first).expand_as(first)
        mask = origin.mask_for(init)
        if plan.walk.schedule == 0:
            return Sampled(init, complete=True, padded=False)
    asked = estimates(stage_at, noising.table, hooks, place, request.guidance)
    first = hooks.edit_noise(place, first, RunStart(init, noising.levels, asked))
    if isinstance(task, Img2Img):
        first = first * task.noise_multiplier
    model = GuidedModel(
        stage_at,
        noising.table,
        hooks,
        cfg_scale=request.cfg_scale,
        options=request.guidance,
        planned=plan.run_calls,
        image_cfg_scale=task.image_cfg_scale if isinstance(task, Img2Img) else None,
        place=place,
    )
    run = _Run(plan, batch, model, noising, hooks, watch, noise, first, init, mask, brought)
    end = mask.finished if mask is not None else _unchanged
    try:
        latents = run.in_timesteps() if info.space == "timestep" else run.in_sigmas()
    except Cancelled:
        if model.latest is None:
            raise
        return Sampled(end(model.latest), complete=False, padded=model.padded)
    return Sampled(end(latents), complete=True, padded=model.padded)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a sampler over a batch.

    Attributes:
        first: (B, C, h, w) noise to start with.
        init: (B, C, h, w) latents that it is added to, or None.
        mask: which of their cells may change; None: all.
        brought: the plan's sampler, where it is an extension's.
    """

    plan: Plan
    batch: Batch
    model: GuidedModel
    noising: Noising
    hooks: StepHooks
    watch: Watcher
    noise: ImageNoise
    first: Tensor
    init: Tensor | None
    mask: LatentMask | None
    brought: PlannedSampler | None

    def in_sigmas(self) -> Tensor:
        """Run a sampler of noise-level space. From a picture only the last `walk.run` steps of the schedule are run."""
        request, info, walk = self.plan.request, self.plan.sampler, self.plan.walk
        table, asked, tuned = self.noising.table, self.noising.asked, self.noising.family.tuned_levels
        full = sigmas_for(info, request.scheduler, walk.schedule, table, request.schedule, tuned_levels=tuned)
        sigmas = full[walk.schedule - walk.run :]
        if self.init is None:
            start = self.first * (asked.spread(sigmas[0]) if request.noise.sgm_multiplier else sigmas[0])
        else:
            start = asked.noised(self.init, self.first, sigmas[0]) + self.first * _extra_noise(request)
        low, high = table.sigmas[0], table.sigmas[-1]
        # From a picture, solvers that choose their own steps stay within the levels that are left of the schedule.
        whole = SolverRange(request.steps, low, high) if info.own_steps and self.init is None else None
        return sample(
            info,
            self.model.denoise if self.mask is None else self.mask.denoiser(self.model.denoise),
            start,
            sigmas,
            options=sampler_options(request, info),
            noise=self._brownian(full) if info.brownian else self.noise,
            hooks=self.hooks,
            watch=self.watch,
            solver_range=whole,
            locate=self.model.located,
            pairs=self.model.pair if self.mask is None else self.mask.pairs(self.model.pair),
            brought=self.brought,
        )

    def in_timesteps(self) -> Tensor:
        """Run a sampler of timestep space. A picture is noised to the level before the first one that is run."""
        request, info, walk = self.plan.request, self.plan.sampler, self.plan.walk
        alphas = self.noising.table.alphas_cumprod
        timesteps = timesteps_for(walk.schedule, request.schedule.discard_penultimate, len(alphas))
        start = self.first
        if self.init is not None:
            entry = walk.run - 1
            alpha = alphas[int(timesteps[entry])]
            start = alpha.sqrt() * (self.init + self.first * _extra_noise(request)) + (1 - alpha).sqrt() * self.first
            timesteps = timesteps[:entry]
        epsilon: EpsilonModel = partial(self.model.epsilon, cfgpp=info.label == CFGPP)
        return sample_timesteps(
            info,
            epsilon if self.mask is None else self.mask.predictor(epsilon),
            start,
            timesteps,
            alphas,
            options=sampler_options(request, info),
            unipc=request.unipc,
            noise=self.noise,
            hooks=self.hooks,
            watch=self.watch,
            starts_from_image=self.init is not None,
            locate=self.model.located,
        )

    def _brownian(self, full: Tensor) -> StepNoise:
        """Brownian noise whose trees cover the full schedule, even where only its end is run."""
        request, shape = self.plan.request, self.first.shape
        return BrownianNoise(
            self.batch.seeds,
            (shape[1], shape[2], shape[3]),
            float(full[full > 0].min()),
            float(full.max()),
            request.noise.source,
            self.first.device,
            shared=request.noise.batch_sde,
        )


def _unchanged(latents: Tensor) -> Tensor:
    return latents


def _extra_noise(request: GenerationRequest) -> float:
    task = request.task
    if isinstance(task, Txt2Img):  # this is that of the second pass; the first adds none
        return task.hires.extra_noise
    return task.extra_noise if isinstance(task, Img2Img) else 0.0
