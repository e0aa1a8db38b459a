"""Samplers of timestep space: DDIM, DDIM CFG++, PLMS, PNDM, and the loop they share with UniPC (`unipc.py`).

Latents are variance preserving here: sqrt(abar) x clean + sqrt(1 - abar) x unit noise, abar being alphas_cumprod of a
training timestep. The model is called with whole timesteps and returns epsilon, with guidance applied.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from webui.domain.catalog import SamplerInfo
from webui.domain.request import UniPC
from webui.sampling.multistep import ADAMS_BASHFORTH
from webui.sampling.stepping import SamplerOptions, StepFrame, as_it_is
from webui.sampling.steps import Locate, Moved, Past, Step, StepHooks, StepNoise, Watch
from webui.sampling.unipc import course_of, run_unipc

_PNDM_WARM_UP = 3  # Runge-Kutta steps


@dataclass(frozen=True, slots=True)
class Guided:
    """Noise predictions (B, C, h, w): with guidance, and of the negative prompt alone (which CFG++ moves along)."""

    epsilon: Tensor
    uncond: Tensor


EpsilonModel = Callable[[Step, Tensor, Tensor], Guided]  # (step, latents (B, C, h, w), timestep 0-dimensional)
AlphaTable = Callable[[Tensor], float]  # alphas_cumprod of a whole timestep


class TimestepStep(Protocol):
    """One step: from latents at `step.timestep` to latents at `step.timestep_next`, both (B, C, h, w)."""

    def __call__(
        self,
        model: Callable[[Tensor, Tensor], Guided],
        latents: Tensor,
        step: Step,
        past: Sequence[Past],
        alpha: AlphaTable,
        noise: StepNoise,
        options: SamplerOptions,
    ) -> Moved: ...


@dataclass(frozen=True, slots=True)
class TimestepSampler:
    """A step function, how many earlier steps it is given, and whether the run ends at timestep 0 instead of 1 or
    so.
    """

    move: TimestepStep
    memory: int = 0
    ends_at_zero: bool = False


def ddim(
    model: Callable[[Tensor, Tensor], Guided],
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    alpha: AlphaTable,
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """DDIM (arXiv:2010.02502, eq. 12 and 16). One model call. With eta 0 no noise is drawn."""
    guided = model(latents, _times(step)[0])
    return _ddim_move(guided.epsilon, guided.epsilon, latents, step, alpha, noise, options)


def ddim_cfgpp(
    model: Callable[[Tensor, Tensor], Guided],
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    alpha: AlphaTable,
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """DDIM CFG++ (arXiv:2406.08070, algorithm 2): the clean estimate is guided, the noise added to it again is not."""
    guided = model(latents, _times(step)[0])
    return _ddim_move(guided.epsilon, guided.uncond, latents, step, alpha, noise, options)


def plms(
    model: Callable[[Tensor, Tensor], Guided],
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    alpha: AlphaTable,
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """Pseudo linear multistep (arXiv:2202.09778), order up to 4. One model call, two on the first step."""
    time, time_next = _times(step)
    epsilon = model(latents, time).epsilon
    if past:
        mixed = _adams_bashforth(epsilon, past)
    else:
        ahead = transferred(latents, epsilon, alpha(time), alpha(time_next))
        mixed = (epsilon + model(ahead, time_next).epsilon) / 2
    return _moved(latents, mixed, step, alpha, epsilon)


def pndm(
    model: Callable[[Tensor, Tensor], Guided],
    latents: Tensor,
    step: Step,
    past: Sequence[Past],
    alpha: AlphaTable,
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    """PNDM (arXiv:2202.09778, algorithm 2): pseudo Runge-Kutta for the first three steps, then pseudo multistep."""
    t, t_next = _times(step)
    epsilon = model(latents, t).epsilon
    if step.index >= _PNDM_WARM_UP or step.is_last:
        return _moved(latents, _adams_bashforth(epsilon, past), step, alpha, epsilon)

    middle = t_next + ((t - t_next) / 2).floor()
    start, half, end = alpha(t), alpha(middle), alpha(t_next)
    second = model(transferred(latents, epsilon, start, half), middle).epsilon
    third = model(transferred(latents, second, start, half), middle).epsilon
    fourth = model(transferred(latents, third, start, end), t_next).epsilon
    return _moved(latents, (epsilon + 2 * second + 2 * third + fourth) / 6, step, alpha, epsilon)


TIMESTEP_SAMPLERS: Mapping[str, TimestepSampler] = MappingProxyType(
    {
        "DDIM": TimestepSampler(ddim),
        "DDIM CFG++": TimestepSampler(ddim_cfgpp),
        "PLMS": TimestepSampler(plms, memory=3),
        "PNDM": TimestepSampler(pndm, memory=3, ends_at_zero=True),
    }
)
UNIPC = "UniPC"


@torch.no_grad()
def sample_timesteps(
    info: SamplerInfo,
    epsilon: EpsilonModel,
    latents: Tensor,
    timesteps: Tensor,
    table_alphas: Tensor,
    *,
    options: SamplerOptions,
    unipc: UniPC,
    noise: StepNoise,
    hooks: StepHooks,
    watch: Watch,
    starts_from_image: bool = False,
    locate: Locate = as_it_is,
) -> Tensor:
    """Carry `latents` from the last of `timesteps` down to the first.

    Args:
        info: a sampler of the catalog, of space `timestep`.
        latents: (B, C, h, w), variance preserving, at timesteps[-1].
        timesteps: (n,) ascending whole numbers, indices into `table_alphas`. The first is where the latents end, as
            in A1111: n - 1 steps. PNDM goes on to 0 in n steps, as diffusers does.
        table_alphas: (N,) alphas_cumprod of every training timestep.
        unipc: options of UniPC, which uses only the length n of `timesteps` and makes n steps along fractional times of
            its own.
        starts_from_image: whether the latents are a noised picture; UniPC then starts at timesteps[-1] instead of at
            the last timestep of the model.
        locate: fills in the place (batch, pass, calls so far) of each step before hooks and `watch` see it.

    Returns:
        Latents (B, C, h, w), those at timestep timesteps[0] (which is 1 or so) taken for clean ones.

    Raises:
        Cancelled: from `watch`; nothing is left half-done.
        KeyError: the sampler does not work in this space.
    """
    if not len(timesteps):
        return latents
    frame = StepFrame(hooks, watch, locate)
    known = len(table_alphas)
    if info.label == UNIPC:
        start = float(timesteps[-1]) / known + 1 / known if starts_from_image else 1.0
        predict = partial(_plain, epsilon)
        return run_unipc(predict, latents, table_alphas, len(timesteps), start, options=unipc, frame=frame)

    sampler = TIMESTEP_SAMPLERS[info.label]
    table = table_alphas.detach().cpu().double()
    past: deque[Past] = deque(maxlen=sampler.memory)
    for step in _steps_of(info, timesteps.to(latents.dtype), table):

        def move(here: Tensor, step: Step = step) -> Moved:
            model = partial(epsilon, step)
            return sampler.move(model, here, step, tuple(past), lambda t: float(table[int(t)]), noise, options)

        moved = frame.around(step, latents, move)
        past.append(Past(step.sigma, moved.denoised, moved.derivative))
        latents = moved.latents
    return latents


def transferred(latents: Tensor, epsilon: Tensor, alpha: float, alpha_next: float) -> Tensor:
    """The deterministic DDIM move from alphas_cumprod `alpha` to `alpha_next` (arXiv:2202.09778, eq. 11)."""
    clean = (latents - math.sqrt(1 - alpha) * epsilon) / math.sqrt(alpha)
    return math.sqrt(alpha_next) * clean + math.sqrt(1 - alpha_next) * epsilon


def _ddim_move(
    epsilon: Tensor,
    direction: Tensor,
    latents: Tensor,
    step: Step,
    alpha: AlphaTable,
    noise: StepNoise,
    options: SamplerOptions,
) -> Moved:
    alpha_t, alpha_t_next = (alpha(time) for time in _times(step))
    clean = (latents - math.sqrt(1 - alpha_t) * epsilon) / math.sqrt(alpha_t)
    fresh = options.eta * math.sqrt((1 - alpha_t_next) / (1 - alpha_t) * (1 - alpha_t / alpha_t_next))
    moved = math.sqrt(alpha_t_next) * clean + math.sqrt(1 - alpha_t_next - fresh**2) * direction
    if options.eta:
        moved = moved + fresh * noise(step.sigma, step.sigma_next)
    return Moved(moved, clean, epsilon)


def _moved(latents: Tensor, mixed: Tensor, step: Step, alpha: AlphaTable, epsilon: Tensor) -> Moved:
    """Move along `mixed`, and remember the model's own output `epsilon` for later steps."""
    alpha_t, alpha_t_next = (alpha(time) for time in _times(step))
    clean = (latents - math.sqrt(1 - alpha_t) * mixed) / math.sqrt(alpha_t)
    return Moved(transferred(latents, mixed, alpha_t, alpha_t_next), clean, epsilon)


def levels_of(info: SamplerInfo, timesteps: Tensor, table_alphas: Tensor, unipc: UniPC) -> tuple[Tensor, Tensor]:
    """The noise levels of a whole run from noise, and their timesteps, without running it.

    Args:
        info, timesteps, table_alphas, unipc: as `sample_timesteps` takes them.

    Returns:
        Two of (steps + 1,) float32, both descending.
    """
    if info.label == UNIPC:
        course = course_of(table_alphas, len(timesteps), 1.0, unipc, torch.float32)
        return course.sigmas, course.model_times
    steps = _steps_of(info, timesteps.float(), table_alphas.detach().cpu().double())
    if not steps:
        return torch.zeros(0), torch.zeros(0)
    times = [steps[0].timestep, *(step.timestep_next for step in steps)]
    sigmas = torch.stack([steps[0].sigma, *(step.sigma_next for step in steps)])
    return sigmas, torch.stack([time for time in times if time is not None])


def _steps_of(info: SamplerInfo, ascending: Tensor, table: Tensor) -> tuple[Step, ...]:
    """One step between each two neighbours of the timesteps (n,), whole numbers, from the last down to the first, and
    one more where the sampler goes on to 0; `table` is alphas_cumprod.
    """
    timesteps = ascending.flip(0)
    if TIMESTEP_SAMPLERS[info.label].ends_at_zero:
        timesteps = torch.cat([timesteps, timesteps.new_zeros(1)])
    alphas = table[timesteps.long().cpu()]
    sigmas = ((1 - alphas) / alphas).sqrt().to(timesteps)
    total = len(timesteps) - 1
    return tuple(
        Step(
            index,
            total,
            sigmas[index],
            sigmas[index + 1],
            timestep=timesteps[index],
            timestep_next=timesteps[index + 1],
        )
        for index in range(total)
    )


def _times(step: Step) -> tuple[Tensor, Tensor]:
    """The timesteps that a step goes from and to. Raises ValueError for a step of noise-level space."""
    if step.timestep is None or step.timestep_next is None:
        raise ValueError(f"step {step.index + 1} has no timesteps; it belongs to a sampler of noise-level space")
    return step.timestep, step.timestep_next


def _adams_bashforth(epsilon: Tensor, past: Sequence[Past]) -> Tensor:
    answers = [epsilon, *(p.derivative for p in reversed(past) if p.derivative is not None)]
    weights = ADAMS_BASHFORTH[len(answers) - 1]
    mixed = weights[0] * answers[0]
    for weight, answer in zip(weights[1:], answers[1:], strict=True):
        mixed = mixed + weight * answer
    return mixed


def _plain(epsilon: EpsilonModel, step: Step, latents: Tensor, timestep: Tensor) -> Tensor:
    return epsilon(step, latents, timestep).epsilon
