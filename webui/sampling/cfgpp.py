"""Samplers with CFG++ (arXiv:2406.08070) in noise-level space: Euler, Euler a, DPM++ 2S a, DPM++ 2M.

Guidance moves the clean estimate alone. The noise that is put back onto it is the one that the negative prompt's own
estimate u says is in the latents, (x - u) / sigma, so that latents stay where the network knows them; guidance scales
of 1 to 2 are usual. Where guidance changes nothing, each is the sampler that it is named after.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from webui.sampling.stepping import SamplerOptions, ancestral_levels, log_snr, tangent
from webui.sampling.steps import Moved, PairDenoiser, Past, Step, StepNoise


def euler_cfgpp(
    denoise: PairDenoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """The guided estimate with the negative prompt's noise at the next level (algorithm 1 of the paper). One call."""
    pair = denoise(latents, step.sigma)
    return Moved(pair.guided + tangent(latents, pair.uncond, step.sigma) * step.sigma_next, pair.guided)


def euler_ancestral_cfgpp(
    denoise: PairDenoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """As `euler_cfgpp` down to sigma_down, then fresh noise up to the next level. One call."""
    sigma_down, sigma_up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    pair = denoise(latents, step.sigma)
    moved = pair.guided + tangent(latents, pair.uncond, step.sigma) * sigma_down
    return Moved(_noised(moved, step, sigma_up, noise, options), pair.guided)


def dpmpp_2s_ancestral_cfgpp(
    denoise: PairDenoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """DPM-Solver++(2S) (arXiv:2211.01095, algorithm 1, r = 1/2) along latents that are moved by the difference which
    guidance makes. Two calls, one where sigma_down is 0.
    """
    sigma_down, sigma_up = ancestral_levels(step.sigma, step.sigma_next, options.eta)
    pair = denoise(latents, step.sigma)
    if sigma_down == 0:
        moved = pair.guided + tangent(latents, pair.uncond, step.sigma) * sigma_down
    else:
        t = log_snr(step.sigma)
        h = log_snr(sigma_down) - t
        sigma_mid = (-(t + h / 2)).exp()
        shifted = latents + (pair.guided - pair.uncond)
        between = (sigma_mid / step.sigma) * shifted - torch.expm1(-h / 2) * pair.guided
        second = denoise(between, sigma_mid).guided
        moved = (sigma_down / step.sigma) * shifted - torch.expm1(-h) * second
    return Moved(_noised(moved, step, sigma_up, noise, options), pair.guided)


def dpmpp_2m_cfgpp(
    denoise: PairDenoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """DPM-Solver++(2M) (arXiv:2211.01095, algorithm 2), its correction taken from the last step's u. One call."""
    pair = denoise(latents, step.sigma)
    t, t_next = log_snr(step.sigma), log_snr(step.sigma_next)
    h = t_next - t
    moved = pair.guided + (-h).exp() * (latents - pair.uncond)
    before = past[-1] if past else None
    if before is not None and before.uncond is not None and step.sigma_next > 0:
        ratio = (t - log_snr(before.sigma)) / h
        moved = moved - torch.expm1(-h) / (2 * ratio) * (pair.guided - before.uncond)
    return Moved(moved, pair.guided, uncond=pair.uncond)


def _noised(moved: Tensor, step: Step, sigma_up: Tensor, noise: StepNoise, options: SamplerOptions) -> Tensor:
    if step.sigma_next > 0:
        return moved + noise(step.sigma, step.sigma_next) * options.s_noise * sigma_up
    return moved
