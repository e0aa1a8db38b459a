"""Deterministic samplers that look back on earlier steps instead of calling the model more often: LMS, DPM++ 2M,
IPNDM, IPNDM_V, DEIS. One model call a step."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from webui.sampling.stepping import SamplerOptions, tangent
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise

# Adams-Bashforth on equal steps, orders 1 to 4, newest derivative first (Hairer, Norsett, Wanner, section III.1)
ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)

# DEIS integrates over the time of a VP process that Karras et al. 2022 (table 1, VP) fit to these levels and times
_DEIS_SIGMA_MIN, _DEIS_SIGMA_MAX, _DEIS_TIME_MIN = 0.002, 80.0, 0.001
_DEIS_POINTS = 10_000


def lms(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Linear multistep: Adams-Bashforth of order up to 4 on the uneven grid of the noise levels."""
    denoised = denoise(latents, step.sigma)
    d = tangent(latents, denoised, step.sigma)
    nodes = [float(step.sigma), *(float(p.sigma) for p in reversed(past))]
    weights = lagrange_integrals(nodes, float(step.sigma), float(step.sigma_next))
    return Moved(_advanced(latents, d, past, weights), denoised, d)


def dpmpp_2m(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """DPM-Solver++(2M) (arXiv:2211.01095, algorithm 2): second order from one remembered step.

    h is the width of this step in -ln sigma, h_last that of the step before; denoised_d is the extrapolated estimate.
    """
    denoised = denoise(latents, step.sigma)
    ratio = step.sigma_next / step.sigma
    denoised_d = denoised
    if past and step.sigma_next > 0:
        h, h_last = -ratio.log(), (past[-1].sigma / step.sigma).log()
        denoised_d = denoised + (denoised - past[-1].denoised) * (h / (2 * h_last))
    return Moved(ratio * latents + (1 - ratio) * denoised_d, denoised)


def ipndm(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """Improved PNDM (arXiv:2204.13902, appendix): Adams-Bashforth up to order 4, with the coefficients of equal
    steps.
    """
    denoised = denoise(latents, step.sigma)
    d = tangent(latents, denoised, step.sigma)
    h = float(step.sigma_next - step.sigma)
    weights = [h * weight for weight in ADAMS_BASHFORTH[len(past)]]
    return Moved(_advanced(latents, d, past, weights), denoised, d)


def ipndm_v(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """IPNDM with coefficients for uneven steps, up to order 4 (Forge's IPNDM_V).

    The coefficients of order 4 add up to 1 only where widths shrink evenly. Existing images are made with them, so
    they are not corrected.
    """
    denoised = denoise(latents, step.sigma)
    d = tangent(latents, denoised, step.sigma)
    levels = [float(step.sigma_next), float(step.sigma), *(float(p.sigma) for p in reversed(past))]
    gaps = [later - earlier for later, earlier in pairwise(levels)]
    weights = [gaps[0] * weight for weight in _uneven_weights(gaps)]
    return Moved(_advanced(latents, d, past, weights), denoised, d)


def deis(
    denoise: Denoiser, latents: Tensor, step: Step, past: Sequence[Past], noise: StepNoise, options: SamplerOptions
) -> Moved:
    """tAB-DEIS (arXiv:2204.13902) of order up to 3: the polynomial through the tangents runs in VP time.

    The last step, to sigma 0, is of order 1: the polynomial would have to be evaluated far outside its nodes.
    """
    denoised = denoise(latents, step.sigma)
    d = tangent(latents, denoised, step.sigma)
    if not past or step.sigma_next == 0:
        return Moved(latents + d * (step.sigma_next - step.sigma), denoised, d)
    nodes = [_deis_time(float(sigma)) for sigma in (step.sigma, *(p.sigma for p in reversed(past)))]
    weights = _deis_weights(nodes, _deis_time(float(step.sigma_next)))
    return Moved(_advanced(latents, d, past, weights), denoised, d)


def lagrange_integrals(nodes: Sequence[float], start: float, end: float) -> list[float]:
    """Integral over [start, end] of each Lagrange basis polynomial on up to 4 nodes.

    Two-point Gauss-Legendre quadrature is exact for their degree, 3 at most.
    """
    middle, half = (start + end) / 2, (end - start) / 2
    points = (middle - half / math.sqrt(3), middle + half / math.sqrt(3))
    return [half * sum(_basis(nodes, j, at) for at in points) for j in range(len(nodes))]


def _basis(nodes: Sequence[float], j: int, at: float) -> float:
    """The polynomial that is 1 at nodes[j] and 0 at the others, at `at`."""
    return math.prod((at - node) / (nodes[j] - node) for k, node in enumerate(nodes) if k != j)


def _advanced(latents: Tensor, d: Tensor, past: Sequence[Past], weights: Sequence[float]) -> Tensor:
    """latents + sum of weight x derivative, the newest derivative (`d`) first."""
    before = [p.derivative for p in reversed(past) if p.derivative is not None]
    for weight, derivative in zip(weights, [d, *before], strict=True):
        latents = latents + weight * derivative
    return latents


def _uneven_weights(gaps: Sequence[float]) -> list[float]:
    """Weights of IPNDM_V, newest first; `gaps` are the widths of this step and of those before it (1 to 4)."""
    if len(gaps) == 1:
        return [1.0]
    h0, h1 = gaps[0], gaps[1]
    weights = [(2 + h0 / h1) / 2, -h0 / (2 * h1)]
    if len(gaps) == 2:
        return weights
    h2 = gaps[2]
    # Existing images of this sampler are made with this bracket; on equal steps it is Adams-Bashforth's 5 / 12.
    third = 0.5 * (1 - h0 / (3 * (h0 + h1)) * h0 * (h0 + h1) / (h1 * (h1 + h2)))
    weights = [weights[0] + third, weights[1] - (1 + h1 / h2) * third, third * h1 / h2]
    if len(gaps) == 3:
        return weights
    h3 = gaps[3]
    share = (1 - h0 / (3 * (h0 + h1))) / 2 + (1 - h0 / (2 * (h0 + h1))) * h0 / (6 * (h0 + h1 + h2))
    fourth = share * h0 * (h0 + h1) * (h0 + h1 + h2) / (h1 * (h1 + h2) * (h1 + h2 + h3))
    link = h1 * (h1 + h2) / (h2 * (h2 + h3))
    return [
        weights[0] + fourth,
        weights[1] - (1 + h1 / h2 + link) * fourth,
        weights[2] + (h1 / h2 + link * (1 + h2 / h3)) * fourth,
        -fourth * link * h1 / h2,
    ]


def _deis_rates() -> tuple[float, float]:
    """beta at time 0 and its slope, of the VP process whose levels at times 0.001 and 1 are 0.002 and 80."""
    low, high = math.log1p(_DEIS_SIGMA_MIN**2), math.log1p(_DEIS_SIGMA_MAX**2)
    slope = 2 * (low / _DEIS_TIME_MIN - high) / (_DEIS_TIME_MIN - 1)
    return high - slope / 2, slope


def _deis_time(sigma: float) -> float:
    """The time at which that process has noise level `sigma`: the root of ln(sigma^2 + 1) = slope t^2 / 2 + start t."""
    start, slope = _deis_rates()
    return (math.sqrt(start**2 + 2 * slope * math.log1p(sigma**2)) - start) / slope


def _deis_weights(nodes: Sequence[float], end: float) -> list[float]:
    """Integral over time from nodes[0] to `end` of dsigma/dt x each Lagrange basis polynomial.

    The integral is a sum over evenly spaced points, both ends included, as in the programs that make such images.
    """
    start, slope = _deis_rates()
    times = torch.linspace(nodes[0], end, _DEIS_POINTS, dtype=torch.float64)
    alpha = (-0.5 * slope * times**2 - start * times).exp()
    rate = 0.5 * (slope * times + start) / (alpha * (1 - alpha)).sqrt()
    weights = []
    for j, node in enumerate(nodes):
        basis = torch.ones_like(times)
        for k, other in enumerate(nodes):
            if k != j:
                basis = basis * (times - other) / (node - other)
        weights.append(float((rate * basis).sum()) * (end - nodes[0]) / _DEIS_POINTS)
    return weights
