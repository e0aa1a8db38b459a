"""Brings the sampler "Gradient estimation"; the step itself is in `estimated_step.py`, which loads torch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from webui.extension_api import Sampler, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from webui.extension_api.tensors import Denoiser, Moved, Past, SamplerOptions, Step, StepNoise


@hookimpl
def samplers() -> list[Sampler]:
    """One."""
    return [Sampler("Gradient estimation", move, memory=1)]


def move(
    denoise: "Denoiser",
    latents: "Tensor",
    step: "Step",
    past: "Sequence[Past]",
    noise: "StepNoise",
    options: "SamplerOptions",
) -> "Moved":
    """Make one step."""
    from .estimated_step import estimated_step  # loads torch

    return estimated_step(denoise, latents, step, past)
