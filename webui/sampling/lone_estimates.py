"""Estimates of clean latents that are asked for beside a run of the sampler, before it begins."""

from dataclasses import replace

from torch import Tensor

from webui.domain.request import Guidance
from webui.prompt.conditioning import Conditioning
from webui.sampling.denoiser import GuidedModel, StageAt
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import Estimate, Place, Step, StepHooks


def estimates(stage_at: StageAt, levels: SigmaTable, hooks: StepHooks, place: Place, options: Guidance) -> Estimate:
    """What asks the network of the stage with which a run begins.

    Args:
        options: of the run; only how prompts are padded counts, because the rest is timed by a run.
    """
    padding = Guidance(pad_conds=options.pad_conds, pad_conds_v0=options.pad_conds_v0)

    def estimate(step: Step, latents: Tensor, text: Conditioning, cfg_scale: float) -> Tensor:
        stage = replace(stage_at(0.0, 0), conditioning=text)
        model = GuidedModel(
            lambda done, calls: stage, levels, hooks, cfg_scale=cfg_scale, options=padding, planned=1, place=place
        )
        return model.denoise(step, latents, step.sigma)

    return estimate
