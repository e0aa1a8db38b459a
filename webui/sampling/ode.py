"""One-step samplers of the probability-flow ODE: Euler, Heun, DPM2, HeunPP2. Nothing is remembered between steps."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from webui.sampling.stepping import Plan, SamplerOptions, SolverRange, churned, steps_of, tangent
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


def heunpp2_plan(sigmas: Tensor, _: SolverRange) -> Plan:
    """HeunPP2 looks beyond the step's end, hence it is made for a schedule (n + 1,)."""
    return Plan(steps_of(sigmas), partial(_heunpp2, sigmas))


def _heunpp2(
    sigmas: Tensor,
    denoise: Denoiser,
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """Heun with up to three tangents, those further on weighted by their noise level (Forge's HeunPP2).

    Three model calls; two on the last step but one, one on the last.
    """
    change = step.sigma_next - step.sigma
    denoised = denoise(latents, step.sigma)
    here = tangent(latents, denoised, step.sigma)
    if step.is_last:
        return Moved(latents + here * change, denoised, here)

    ahead = latents + here * change
    there = tangent(ahead, denoise(ahead, step.sigma_next), step.sigma_next)
    later = sigmas[step.index + 2]
    if step.index == step.total - 2:
        weight = step.sigma_next / (2 * sigmas[0])
        return Moved(latents + ((1 - weight) * here + weight * there) * change, denoised, here)

    further = ahead + there * (later - step.sigma_next)
    beyond = tangent(further, denoise(further, later), later)
    second, third = step.sigma_next / (3 * sigmas[0]), later / (3 * sigmas[0])
    mixed = (1 - second - third) * here + second * there + third * beyond
    return Moved(latents + mixed * change, denoised, here)


def midpoint_between(denoise: Denoiser, latents: Tensor, sigma: Tensor, sigma_next: Tensor) -> Moved:
    """From `sigma` to `sigma_next` > 0 along the tangent at their geometric mean. Two model calls."""
    denoised = denoise(latents, sigma)
    here = tangent(latents, denoised, sigma)
    middle = ((sigma.log() + sigma_next.log()) / 2).exp()
    halfway = latents + here * (middle - sigma)
    there = tangent(halfway, denoise(halfway, middle), middle)
    return Moved(latents + there * (sigma_next - sigma), denoised, here)


def _euler_between(denoise: Denoiser, latents: Tensor, sigma: Tensor, sigma_next: Tensor) -> Moved:
    denoised = denoise(latents, sigma)
    here = tangent(latents, denoised, sigma)
    return Moved(latents + here * (sigma_next - sigma), denoised, here)


def _heun_between(denoise: Denoiser, latents: Tensor, sigma: Tensor, sigma_next: Tensor) -> Moved:
    first = _euler_between(denoise, latents, sigma, sigma_next)
    if sigma_next == 0 or first.derivative is None:
        return first
    there = tangent(first.latents, denoise(first.latents, sigma_next), sigma_next)
    mean = (first.derivative + there) / 2
    return Moved(latents + mean * (sigma_next - sigma), first.denoised, first.derivative)
