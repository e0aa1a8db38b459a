"""Samplers that take some noise out and put fresh noise of the image's own stream back: Euler a, DPM2 a, DPM++ 2S a,
DDPM, LCM. Those that draw from a Brownian path are in `sde.py`."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from webui.sampling.ode import midpoint_between
from webui.sampling.stepping import SamplerOptions, ancestral_levels, log_snr, tangent
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise


def euler_ancestral(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Euler down to a lower level, then noise back up. One model call."""
    down, up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    denoised = denoise(latents, step.sigma)
    moved = latents + tangent(latents, denoised, step.sigma) * (down - step.sigma)
    if step.sigma_next > 0:
        moved = moved + noise(step.sigma, step.sigma_next) * options.s_noise * up
    return Moved(moved, denoised)


def dpm2_ancestral(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """DPM2 down to a lower level, then noise back up. Two model calls, one to sigma 0."""
    down, up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    if down == 0:
        denoised = denoise(latents, step.sigma)
        return Moved(latents + tangent(latents, denoised, step.sigma) * (down - step.sigma), denoised)
    moved = midpoint_between(denoise, latents, step.sigma, down)
    return replace(moved, latents=moved.latents + noise(step.sigma, step.sigma_next) * options.s_noise * up)


def dpmpp_2s_ancestral(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """DPM-Solver++(2S) (arXiv:2211.01095, algorithm 1, r = 1/2) down, then noise back up. Two calls, one to sigma 0."""
    down, up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    denoised = denoise(latents, step.sigma)
    if down == 0:
        moved = latents + tangent(latents, denoised, step.sigma) * (down - step.sigma)
    else:
        here = log_snr(step.sigma)
        width = log_snr(down) - here
        middle = (-(here + width / 2)).exp()
        halfway = (middle / step.sigma) * latents - torch.expm1(-width / 2) * denoised
        moved = (down / step.sigma) * latents - torch.expm1(-width) * denoise(halfway, middle)
    if step.sigma_next > 0:
        moved = moved + noise(step.sigma, step.sigma_next) * options.s_noise * up
    return Moved(moved, denoised)


def ddpm(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Draw from the posterior of DDPM (arXiv:2006.11239, eq. 6 and 7), written for VE latents. One model call.

    With a = 1 / (1 + sigma^2) its mean and variance become those of two Gaussians multiplied, which need only the
    ratio of the levels. It equals Euler a with eta 1 and s_noise 1.
    """
    denoised = denoise(latents, step.sigma)
    kept = (step.sigma_next / step.sigma) ** 2
    moved = kept * latents + (1 - kept) * denoised
    if step.sigma_next > 0:
        moved = moved + noise(step.sigma, step.sigma_next) * step.sigma_next * (1 - kept).sqrt()
    return Moved(moved, denoised)


def lcm(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Latent consistency (arXiv:2310.04378, algorithm 3): jump to the clean estimate, noise it anew. One model call."""
    denoised = denoise(latents, step.sigma)
    moved = denoised
    if step.sigma_next > 0:
        moved = denoised + step.sigma_next * noise(step.sigma, step.sigma_next)
    return Moved(moved, denoised)
