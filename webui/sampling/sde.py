"""Solvers of the reverse SDE, whose noise comes from a Brownian path: DPM++ SDE, 2M SDE, 2M SDE Heun, 3M SDE.

`noise(sigma, sigma_next)` must be the increment of one path, scaled to unit variance, so that fewer or more steps give
the same picture (Lu et al. 2022, arXiv:2211.01095, section 6; eta scales the noise). t is -ln sigma, h the width of a
step in it, r0 and r1 the widths of earlier steps as shares of h."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from webui.sampling.stepping import SamplerOptions, SamplerStep, ancestral_levels, log_snr, tangent
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise


def dpmpp_sde(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Single-step DPM-Solver++ for the SDE, r = 1/2; only the estimate at the midpoint has weight. Two model calls,
    one on the step to sigma 0.
    """
    denoised = denoise(latents, step.sigma)
    if step.sigma_next == 0:
        return Moved(latents + tangent(latents, denoised, step.sigma) * (step.sigma_next - step.sigma), denoised)
    t, t_next = log_snr(step.sigma), log_snr(step.sigma_next)
    # Brownian noise shows even the last digit of a level, so levels are computed from t, exactly as A1111 does.
    sigma, sigma_mid, sigma_next = (-t).exp(), (-(t + (t_next - t) / 2)).exp(), (-t_next).exp()

    def jump(estimate: Tensor, sigma_end: Tensor) -> Tensor:
        sigma_down, sigma_up = ancestral_levels(sigma, sigma_end, options.eta)
        moved = (sigma_down / sigma) * latents - (sigma_down / sigma - 1) * estimate
        return moved + noise(sigma, sigma_end) * options.s_noise * sigma_up

    return Moved(jump(denoise(jump(denoised, sigma_mid), sigma_mid), sigma_next), denoised)


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
    h = log_snr(step.sigma_next) - log_snr(step.sigma)
    minus_h_eta = -h - options.eta * h
    phi_1 = -torch.expm1(minus_h_eta)
    moved = (step.sigma_next / step.sigma) * (-options.eta * h).exp() * latents + phi_1 * denoised
    if past:
        r0 = (log_snr(step.sigma) - log_snr(past[-1].sigma)) / h
        weight = phi_1 / minus_h_eta + 1 if is_heun else phi_1 / 2
        moved = moved + weight / r0 * (denoised - past[-1].denoised)
    return Moved(_noised(moved, h, step, noise, options), denoised)


dpmpp_2m_sde: SamplerStep = partial(_dpmpp_2m_sde, False)
dpmpp_2m_sde_heun: SamplerStep = partial(_dpmpp_2m_sde, True)


def dpmpp_3m_sde(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """SDE-DPM-Solver++(3M): third order from two remembered steps. One model call."""
    denoised = denoise(latents, step.sigma)
    if step.sigma_next == 0:
        return Moved(denoised, denoised)
    h = log_snr(step.sigma_next) - log_snr(step.sigma)
    h_eta = h * (options.eta + 1)
    moved = torch.exp(-h_eta) * latents - torch.expm1(-h_eta) * denoised
    if past:
        phi_2 = torch.expm1(-h_eta) / h_eta + 1
        r0 = (log_snr(step.sigma) - log_snr(past[-1].sigma)) / h
        d1_0 = (denoised - past[-1].denoised) / r0
        if len(past) == 1:
            moved = moved + phi_2 * d1_0
        else:
            r1 = (log_snr(past[-1].sigma) - log_snr(past[-2].sigma)) / h
            d1_1 = (past[-1].denoised - past[-2].denoised) / r1
            curve = (d1_0 - d1_1) / (r0 + r1)
            moved = moved + phi_2 * (d1_0 + curve * r0) - (phi_2 / h_eta - 0.5) * curve
    return Moved(_noised(moved, h, step, noise, options), denoised)


def _noised(moved: Tensor, h: Tensor, step: Step, noise: StepNoise, options: SamplerOptions) -> Tensor:
    """Add the noise of a step of width h in lambda; its variance is sigma_next^2 (1 - e^(-2 eta h))."""
    if not options.eta:
        return moved
    level = step.sigma_next * (-torch.expm1(-2 * options.eta * h)).sqrt()
    return moved + noise(step.sigma, step.sigma_next) * level * options.s_noise
