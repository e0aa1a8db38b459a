"""One step of the gradient estimation sampler (Permenter and Yuan, arXiv:2306.04848, algorithm 2)."""

from collections.abc import Sequence

from torch import Tensor

from webui.extension_api.tensors import Denoiser, Moved, Past, Step, tangent

GAMMA = 2.0  # the paper's; 1 is Euler


def estimated_step(denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past]) -> Moved:
    """From latents (B, C, h, w) at `step.sigma` to latents at `step.sigma_next`.

    The noise that the network sees is an error-laden gradient of the distance to clean pictures. Its average with the
    one before, eps = gamma eps_t + (1 - gamma) eps_(t+1), has a smaller error. The first step has none before and is
    Euler's, and so is the last one to noise level 0, which ends in the clean estimate.
    """
    denoised = denoise(latents, step.sigma)
    direction = tangent(latents, denoised, step.sigma)
    if float(step.sigma_next) == 0.0:
        return Moved(denoised, denoised, direction)
    before = past[-1].derivative if past else None
    estimated = direction if before is None else GAMMA * direction + (1 - GAMMA) * before
    return Moved(latents + (step.sigma_next - step.sigma) * estimated, denoised, direction)
