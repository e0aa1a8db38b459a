"""Sampling one batch: noise, schedule, start, the run of the sampler, and what is left when it is stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from webui.domain.catalog import SamplerInfo
from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest
from webui.processing.plan import Batch, Plan
from webui.sampling.brownian import BrownianNoise
from webui.sampling.denoiser import GuidedModel, StageAt
from webui.sampling.loop import sample
from webui.sampling.noise import ImageNoise
from webui.sampling.samplers import SamplerOptions
from webui.sampling.schedules import SigmaTable, sigmas_for, timesteps_for
from webui.sampling.stepping import SolverRange
from webui.sampling.steps import Step, StepHooks, StepNoise
from webui.sampling.timestep import sample_timesteps

Watcher = Callable[[Step, Tensor], None]
CFGPP = "DDIM CFG++"


@dataclass(frozen=True, slots=True)
class Sampled:
    """Latents (B, 4, h, w) of a batch; `complete` is False where the user stopped the run."""

    latents: Tensor
    complete: bool
    padded: bool


def image_noise(request: GenerationRequest, batch: Batch, device: torch.device) -> ImageNoise:
    """The noise of a batch: one generator an image, so that a batch equals single runs."""
    return ImageNoise(
        batch.seeds,
        batch.subseeds,
        request.subseed_strength,
        (request.seed_resize_from_w, request.seed_resize_from_h),
        request.noise.ensd,
        request.noise.source,
        (4, request.height // 8, request.width // 8),
        device,
    )


def sampler_options(request: GenerationRequest, info: SamplerInfo) -> SamplerOptions:
    """What the sampler takes: eta by its kind, churn where it churns."""
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
    table: SigmaTable,
    hooks: StepHooks,
    watch: Watcher,
    *,
    device: torch.device,
    is_sdxl: bool,
) -> Sampled:
    """Run the plan's sampler on one batch, from noise to clean latents.

    `watch` may raise Cancelled: the last clean estimate of the prompt alone is then the result, as in A1111.
    """
    request, info = plan.request, plan.sampler
    noise = image_noise(request, batch, device)
    first = noise.first()
    model = GuidedModel(
        stage_at,
        table,
        hooks,
        cfg_scale=request.cfg_scale,
        options=request.guidance,
        planned=plan.calls,
        quantize=request.schedule.quantize,
    )
    run = _in_timesteps if info.space == "timestep" else _in_sigmas
    try:
        latents = run(plan, batch, model, table, hooks, watch, noise, first, is_sdxl)
    except Cancelled:
        if model.latest is None:
            raise
        return Sampled(model.latest, complete=False, padded=model.padded)
    return Sampled(latents, complete=True, padded=model.padded)


def _in_sigmas(
    plan: Plan,
    batch: Batch,
    model: GuidedModel,
    table: SigmaTable,
    hooks: StepHooks,
    watch: Watcher,
    noise: ImageNoise,
    first: Tensor,
    is_sdxl: bool,
) -> Tensor:
    request, info = plan.request, plan.sampler
    sigmas = sigmas_for(info, request.scheduler, request.steps, table, request.schedule, is_sdxl=is_sdxl)
    sigmas = sigmas.to(first.device)
    start = (1 + sigmas[0] ** 2).sqrt() if request.noise.sgm_multiplier else sigmas[0]
    source: StepNoise = noise
    if info.brownian:
        positive = sigmas[sigmas > 0]
        source = BrownianNoise(
            batch.seeds,
            (first.shape[1], first.shape[2], first.shape[3]),
            float(positive.min()),
            float(sigmas.max()),
            request.noise.source,
            first.device,
            shared=request.noise.batch_sde,
        )
    low, high = table.sigmas[0].to(first.device), table.sigmas[-1].to(first.device)
    return sample(
        info,
        model.denoise,
        first * start,
        sigmas,
        options=sampler_options(request, info),
        noise=source,
        hooks=hooks,
        watch=watch,
        solver_range=SolverRange(request.steps, low, high) if info.own_steps else None,
    )


def _in_timesteps(
    plan: Plan,
    batch: Batch,
    model: GuidedModel,
    table: SigmaTable,
    hooks: StepHooks,
    watch: Watcher,
    noise: ImageNoise,
    first: Tensor,
    is_sdxl: bool,
) -> Tensor:
    request, info = plan.request, plan.sampler
    return sample_timesteps(
        info,
        partial(model.epsilon, cfgpp=info.label == CFGPP),
        first,
        timesteps_for(request.steps, request.schedule.discard_penultimate),
        table.alphas_cumprod,
        options=sampler_options(request, info),
        unipc=request.unipc,
        noise=noise,
        hooks=hooks,
        watch=watch,
    )
