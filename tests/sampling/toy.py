"""A small world for samplers: levels, denoisers with known answers, noise that can be counted."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from webui.domain.catalog import SAMPLERS
from webui.domain.request import UniPC
from webui.sampling.attending import TakePart
from webui.sampling.loop import StepDenoiser, sample
from webui.sampling.samplers import SamplerOptions
from webui.sampling.stepping import SolverRange
from webui.sampling.steps import CallNetwork, ModelCall, Place, Residuals, RunStart, Step, StepHooks, StepNoise, Watch
from webui.sampling.timestep import EpsilonModel, Guided, sample_timesteps

SIGMA_MIN, SIGMA_MAX = 0.0291675, 14.6146


class NoHooks:
    edits_denoised = False

    def edit_noise(self, place: Place, noise: Tensor, start: RunStart) -> Tensor:
        return noise

    def pre_step(self, step: Step, latents: Tensor) -> Tensor:
        return latents

    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
        return latents

    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        return None

    def call_network(self, call: ModelCall, network: CallNetwork) -> Tensor:
        return network(call)

    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart]:
        return {}

    def refuse_attention(self) -> None:
        raise AssertionError("nobody took part")

    def refuse_residuals(self, error: Exception) -> None:
        raise error

    def edit_denoised(self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor) -> Tensor:
        return denoised


def unwatched(step: Step, denoised: Tensor) -> None:
    pass


@dataclass
class SineNoise:
    """The k-th draw is sin k everywhere; `draws` counts."""

    draws: int = 0
    asked: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        self.draws += 1
        self.asked.append((float(sigma), float(sigma_next)))
        return torch.tensor(math.sin(self.draws), dtype=torch.float64)


@dataclass
class Counted:
    """A denoiser or an epsilon model that counts its calls and remembers at what level they were made."""

    function: Callable[[Tensor, Tensor], Tensor]
    levels: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def __call__(self, step: Step, latents: Tensor, level: Tensor) -> Tensor:
        self.levels.append(float(level))
        self.steps.append(step.index)
        return self.function(latents, level)

    @property
    def calls(self) -> int:
        return len(self.levels)


def pixel(value: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.full((1, 1, 1, 1), value, dtype=dtype)


def karras(count: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX) -> Tensor:
    """(count + 1,) Karras levels with rho 7 and a 0 at the end."""
    high, low = sigma_max ** (1 / 7), sigma_min ** (1 / 7)
    levels = [(high + i / max(count - 1, 1) * (low - high)) ** 7 for i in range(count)]
    return torch.tensor([*levels, 0.0], dtype=torch.float64)


def geometric(count: int, sigma_max: float = 10.0, sigma_min: float = 0.1) -> Tensor:
    """(count + 1,) levels evenly spaced in their logarithm, none of them 0."""
    levels = torch.linspace(math.log(sigma_max), math.log(sigma_min), count + 1, dtype=torch.float64).exp()
    levels[0], levels[-1] = sigma_max, sigma_min
    return levels


def wavy(latents: Tensor, sigma: Tensor) -> Tensor:
    """The denoiser of the golden values."""
    return latents / (1 + sigma**2) + 0.1 * torch.tanh(latents)


def gaussian(latents: Tensor, sigma: Tensor) -> Tensor:
    """The ideal denoiser of unit Gaussian data; its ODE is solved by x proportional to sqrt(1 + sigma^2)."""
    return latents / (1 + sigma**2)


def run(
    label: str,
    denoise: StepDenoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise | None = None,
    hooks: StepHooks | None = None,
    watch: Watch = unwatched,
    solver_range: SolverRange | None = None,
    **options: float,
) -> Tensor:
    return sample(
        SAMPLERS[label], denoise, latents, sigmas, options=SamplerOptions(**options), noise=noise or SineNoise(),
        hooks=hooks or NoHooks(), watch=watch, solver_range=solver_range,
    )  # fmt: skip


def alphas(dtype: torch.dtype = torch.float32) -> Tensor:
    """alphas_cumprod of SD1, (1000,)."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).to(dtype)


def timesteps(steps: int) -> Tensor:
    return (torch.arange(0, 1000, 1000 // steps) + 1).clamp(0, 999)


def run_timesteps(
    label: str,
    epsilon: EpsilonModel,
    latents: Tensor,
    times: Tensor,
    *,
    unipc: UniPC | None = None,
    noise: StepNoise | None = None,
    hooks: StepHooks | None = None,
    watch: Watch = unwatched,
    starts_from_image: bool = False,
    eta: float = 0.0,
) -> Tensor:
    return sample_timesteps(
        SAMPLERS[label], epsilon, latents, times, alphas(), options=SamplerOptions(eta=eta), unipc=unipc or UniPC(),
        noise=noise or SineNoise(), hooks=hooks or NoHooks(), watch=watch, starts_from_image=starts_from_image,
    )  # fmt: skip


def unguided(predict: Counted, uncond_share: float = 1.0) -> EpsilonModel:
    """An epsilon model whose unconditional answer is a share of the guided one."""

    def epsilon(step: Step, latents: Tensor, timestep: Tensor) -> Guided:
        answer = predict(step, latents, timestep)
        return Guided(answer, uncond_share * answer)

    return epsilon
