"""One-step samplers of the probability-flow ODE: Euler, Heun, DPM2, HeunPP2. Nothing is remembered between steps.

d is dx/dsigma where a step starts, d_2 and d_3 at the points further on at which the model is asked again.
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from webui.sampling.stepping import SamplerOptions, SolverRange, StepPlan, churned, steps_of, tangent
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise


def euler(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """First order: follow the tangent. One model call."""
    latents, sigma = churned(latents, step, noise, options)
    return _euler_between(denoise, latents, sigma, step.sigma_next)


def heun(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Second order: mean of the tangents at both ends (Karras et al. 2022, algorithm 2). Two calls, one to sigma 0."""
    latents, sigma = churned(latents, step, noise, options)
    return _heun_between(denoise, latents, sigma, step.sigma_next)


def heun_without_churn(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Heun's step alone (Karras et al. 2022, algorithm 1): draws no noise."""
    return _heun_between(denoise, latents, step.sigma, step.sigma_next)


def dpm2(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Second order: tangent at the geometric middle of the two levels (DPM-Solver-2, arXiv:2206.00927). Two calls."""
    latents, sigma = churned(latents, step, noise, options)
    if step.sigma_next == 0:
        return _euler_between(denoise, latents, sigma, step.sigma_next)
    return midpoint_between(denoise, latents, sigma, step.sigma_next)


def heunpp2_plan(sigmas: Tensor, _: SolverRange) -> StepPlan:
    """The plan of HeunPP2, whose steps need the whole schedule (n + 1,) because they look beyond their own end."""
    return StepPlan(steps_of(sigmas), partial(_heunpp2, sigmas))


def _heunpp2(
    sigmas: Tensor,
    denoise: Denoiser,
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """Heun with up to three tangents, those at lower noise levels weighted by that level (Forge's HeunPP2).

    Three model calls; two on the last step but one, one on the last.
    """
    dt = step.sigma_next - step.sigma
    denoised = denoise(latents, step.sigma)
    d = tangent(latents, denoised, step.sigma)
    if step.is_last:
        return Moved(latents + d * dt, denoised, d)

    latents_2 = latents + d * dt
    d_2 = tangent(latents_2, denoise(latents_2, step.sigma_next), step.sigma_next)
    sigma_3 = sigmas[step.index + 2]
    if step.index == step.total - 2:
        weight = step.sigma_next / (2 * sigmas[0])
        return Moved(latents + ((1 - weight) * d + weight * d_2) * dt, denoised, d)

    latents_3 = latents_2 + d_2 * (sigma_3 - step.sigma_next)
    d_3 = tangent(latents_3, denoise(latents_3, sigma_3), sigma_3)
    weight_2, weight_3 = step.sigma_next / (3 * sigmas[0]), sigma_3 / (3 * sigmas[0])
    mixed = (1 - weight_2 - weight_3) * d + weight_2 * d_2 + weight_3 * d_3
    return Moved(latents + mixed * dt, denoised, d)


def midpoint_between(denoise: Denoiser, latents: Tensor, sigma: Tensor, sigma_next: Tensor) -> Moved:
    """From `sigma` to `sigma_next` > 0 along the tangent at their geometric mean. Two model calls."""
    denoised = denoise(latents, sigma)
    d = tangent(latents, denoised, sigma)
    sigma_mid = ((sigma.log() + sigma_next.log()) / 2).exp()
    latents_2 = latents + d * (sigma_mid - sigma)
    d_2 = tangent(latents_2, denoise(latents_2, sigma_mid), sigma_mid)
    return Moved(latents + d_2 * (sigma_next - sigma), denoised, d)


def _euler_between(denoise: Denoiser, latents: Tensor, sigma: Tensor, sigma_next: Tensor) -> Moved:
    denoised = denoise(latents, sigma)
    d = tangent(latents, denoised, sigma)
    return Moved(latents + d * (sigma_next - sigma), denoised, d)


def _heun_between(denoise: Denoiser, latents: Tensor, sigma: Tensor, sigma_next: Tensor) -> Moved:
    first = _euler_between(denoise, latents, sigma, sigma_next)
    if sigma_next == 0 or first.derivative is None:
        return first
    d_2 = tangent(first.latents, denoise(first.latents, sigma_next), sigma_next)
    mean = (first.derivative + d_2) / 2
    return Moved(latents + mean * (sigma_next - sigma), first.denoised, first.derivative)
