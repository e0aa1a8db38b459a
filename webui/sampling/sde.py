"""Solvers of the reverse SDE, whose noise comes from a Brownian path: DPM++ SDE, 2M SDE, 2M SDE Heun, 3M SDE.

`noise(sigma, sigma_next)` must be the increment of one path, scaled to unit variance, so that fewer or more steps give
the same picture (Lu et al. 2022, arXiv:2211.01095, section 6; eta scales the noise)."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from webui.sampling.stepping import SamplerOptions, SamplerStep, ancestral_levels, log_snr, tangent
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise


def dpmpp_sde(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Single-step DPM-Solver++ for the SDE, r = 1/2: only the middle's estimate has weight. Two calls, one to 0."""
    denoised = denoise(latents, step.sigma)
    if step.sigma_next == 0:
        return Moved(latents + tangent(latents, denoised, step.sigma) * (step.sigma_next - step.sigma), denoised)
    here, there = log_snr(step.sigma), log_snr(step.sigma_next)
    # The path is rough: a last digit in its times is seen in the noise. Levels go through lambda, as those of A1111.
    sigma, middle, sigma_next = (-here).exp(), (-(here + (there - here) / 2)).exp(), (-there).exp()

    def jump(estimate: Tensor, end: Tensor) -> Tensor:
        down, up = ancestral_levels(sigma, end, options.eta)
        moved = (down / sigma) * latents - (down / sigma - 1) * estimate
        return moved + noise(sigma, end) * options.s_noise * up

    return Moved(jump(denoise(jump(denoised, middle), middle), sigma_next), denoised)


def _dpmpp_2m_sde(
    is_heun: bool,
    denoise: Denoiser,
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """SDE-DPM-Solver++(2M) (arXiv:2211.01095, appendix), midpoint or Heun correction. One model call."""
    denoised = denoise(latents, step.sigma)
    if step.sigma_next == 0:
        return Moved(denoised, denoised)
    width = log_snr(step.sigma_next) - log_snr(step.sigma)
    grown = -width - options.eta * width
    share = -torch.expm1(grown)
    moved = (step.sigma_next / step.sigma) * (-options.eta * width).exp() * latents + share * denoised
    if past:
        ratio = (log_snr(step.sigma) - log_snr(past[-1].sigma)) / width
        weight = share / grown + 1 if is_heun else share / 2
        moved = moved + weight / ratio * (denoised - past[-1].denoised)
    return Moved(_noised(moved, width, step, noise, options), denoised)


dpmpp_2m_sde: SamplerStep = partial(_dpmpp_2m_sde, False)
dpmpp_2m_sde_heun: SamplerStep = partial(_dpmpp_2m_sde, True)


def dpmpp_3m_sde(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """SDE-DPM-Solver++(3M): third order from two remembered steps. One model call."""
    denoised = denoise(latents, step.sigma)
    if step.sigma_next == 0:
        return Moved(denoised, denoised)
    width = log_snr(step.sigma_next) - log_snr(step.sigma)
    grown = width * (options.eta + 1)
    moved = torch.exp(-grown) * latents - torch.expm1(-grown) * denoised
    if past:
        phi2 = torch.expm1(-grown) / grown + 1
        ratio = (log_snr(step.sigma) - log_snr(past[-1].sigma)) / width
        slope = (denoised - past[-1].denoised) / ratio
        if len(past) == 1:
            moved = moved + phi2 * slope
        else:
            ratio_before = (log_snr(past[-1].sigma) - log_snr(past[-2].sigma)) / width
            slope_before = (past[-1].denoised - past[-2].denoised) / ratio_before
            curve = (slope - slope_before) / (ratio + ratio_before)
            moved = moved + phi2 * (slope + curve * ratio) - (phi2 / grown - 0.5) * curve
    return Moved(_noised(moved, width, step, noise, options), denoised)


def _noised(moved: Tensor, width: Tensor, step: Step, noise: StepNoise, options: SamplerOptions) -> Tensor:
    """Add the noise of a step of `width` in lambda: variance sigma_next^2 (1 - e^(-2 eta width))."""
    if not options.eta:
        return moved
    level = step.sigma_next * (-torch.expm1(-2 * options.eta * width)).sqrt()
    return moved + noise(step.sigma, step.sigma_next) * level * options.s_noise
