"""The noise from which Euler's method would come to given latents: the sampler's steps, made backwards."""

import math
from collections.abc import Callable

from torch import Tensor

from webui.extension_api.tensors import Step

Denoise = Callable[[Step, Tensor], Tensor]  # latents (B, C, h, w) at `step.sigma` -> the estimate of the clean ones


def noised_up(latents: Tensor, levels: Tensor, denoise: Denoise, *, adjusted: bool = False) -> Tensor:
    """Latents at the highest level, from which Euler's method comes back to about the given ones.

    It solves dx/dsigma = (x - denoised) / sigma (Karras et al. 2022, arXiv:2206.00364, eq. 1) from 0 upwards. Each
    step up from a to b asks at b, where the step down from b to a will ask, with latents that are still those of a.

    Args:
        latents: (B, C, h, w), clean.
        levels: (n + 1,) descending to 0.
        adjusted: ask at a instead, which is the level that the latents have. At 0 nothing can be asked, and the first
            step changes nothing.
    """
    total = len(levels) - 1
    for index in range(total - 1, -1, -1):
        above, below = levels[index], levels[index + 1]
        asked = below if adjusted else above
        if asked > 0:
            denoised = denoise(Step(index, total, asked, below), latents)
            latents = latents + (latents - denoised) / asked * (above - below)
    return latents


def as_noise(latents: Tensor, levels: Tensor, *, adjusted: bool = False) -> Tensor:
    """What `noised_up` found as noise: of deviation 1 over all of it, or as strong as it was found."""
    return latents / levels[0] if adjusted else latents / latents.std()


def mixed(found: Tensor, drawn: Tensor, randomness: float) -> Tensor:
    """Both noises with deviation 1 again. `randomness` is the share of the drawn one, 0..1."""
    kept = 1 - randomness
    return (kept * found + randomness * drawn) / math.hypot(kept, randomness)
