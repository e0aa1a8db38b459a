"""Ancestral samplers: each step removes more noise than it has to and adds fresh noise from the image's own stream:
Euler a, DPM2 a, DPM++ 2S a, DDPM, LCM. Those that draw from a Brownian path are in `sde.py`.

sigma_down is the level that the deterministic part of a step reaches, sigma_up that of the noise added afterwards.
"""

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
    """An Euler step down to sigma_down, then noise up to sigma_next. One model call."""
    sigma_down, sigma_up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    denoised = denoise(latents, step.sigma)
    moved = latents + tangent(latents, denoised, step.sigma) * (sigma_down - step.sigma)
    if step.sigma_next > 0:
        moved = moved + noise(step.sigma, step.sigma_next) * options.s_noise * sigma_up
    return Moved(moved, denoised)


def dpm2_ancestral(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """A DPM2 step down to sigma_down, then noise up to sigma_next. Two model calls, one where sigma_down is 0."""
    sigma_down, sigma_up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    if sigma_down == 0:
        denoised = denoise(latents, step.sigma)
        return Moved(latents + tangent(latents, denoised, step.sigma) * (sigma_down - step.sigma), denoised)
    moved = midpoint_between(denoise, latents, step.sigma, sigma_down)
    return replace(moved, latents=moved.latents + noise(step.sigma, step.sigma_next) * options.s_noise * sigma_up)


def dpmpp_2s_ancestral(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """DPM-Solver++(2S) (arXiv:2211.01095, algorithm 1, r = 1/2) to sigma_down, then noise.

    Two model calls, one where sigma_down is 0. t is -ln sigma and h the width of the step in it.
    """
    sigma_down, sigma_up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    denoised = denoise(latents, step.sigma)
    if sigma_down == 0:
        moved = latents + tangent(latents, denoised, step.sigma) * (sigma_down - step.sigma)
    else:
        t = log_snr(step.sigma)
        h = log_snr(sigma_down) - t
        sigma_mid = (-(t + h / 2)).exp()
        latents_mid = (sigma_mid / step.sigma) * latents - torch.expm1(-h / 2) * denoised
        moved = (sigma_down / step.sigma) * latents - torch.expm1(-h) * denoise(latents_mid, sigma_mid)
    if step.sigma_next > 0:
        moved = moved + noise(step.sigma, step.sigma_next) * options.s_noise * sigma_up
    return Moved(moved, denoised)


def ddpm(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Draw from the posterior of DDPM (arXiv:2006.11239, eq. 6 and 7), for latents that are clean + sigma x noise. One
    model call.

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
