"""Noise levels: the table that a model was trained with, and the schedules that choose the levels of a run from it.

Everything is computed on the CPU in float32. Which samplers exist, and their default schedules, is listed in
`webui.domain.catalog`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from webui.domain.catalog import SamplerInfo
from webui.domain.errors import BadRequestError
from webui.domain.request import Schedule

_ZERO_SNR_LAST = 4.8973451890853435e-08  # alpha-bar of the last timestep, small while its sigma stays finite
LCM_STRIDE = 20  # LCM was distilled on every 20th timestep: 19, 39, ...


@dataclass(frozen=True, slots=True, eq=False)
class SigmaTable:
    """The noise level of each timestep of a model, and the conversion between noise levels and timesteps.

    Attributes:
        alphas_cumprod: (N,) float32, share of the signal's variance that is left, descending within 0..1.
        stride, offset: entry i belongs to timestep stride x i + offset.
        sigmas: (N,) float32, sqrt((1 - alphas_cumprod) / alphas_cumprod), ascending.
        log_sigmas: (N,) float32, natural logarithms of the sigmas.
    """

    alphas_cumprod: Tensor
    sigmas: Tensor
    log_sigmas: Tensor
    stride: int = 1
    offset: int = 0

    @classmethod
    def of(cls, alphas_cumprod: Tensor) -> "SigmaTable":
        """The table of one level per timestep; computed in the precision that `alphas_cumprod` (N,) comes in."""
        sigmas = ((1 - alphas_cumprod) / alphas_cumprod) ** 0.5
        return cls(alphas_cumprod.float(), sigmas.float(), sigmas.log().float())

    def done(self, sigma: Tensor) -> float:
        """The share of the table's levels that lie above the entry nearest to a noise level (in ln sigma), 0..1."""
        nearest = int((self.sigmas.log() - sigma.cpu().clamp(min=1e-8).log()).abs().argmin())
        return (len(self) - 1 - nearest) / len(self)

    def done_at(self, timestep: Tensor) -> float:
        """The share of the timesteps that lie above this one, 0..1."""
        return (len(self) - 1 - float(timestep)) / len(self)

    def alpha(self, timestep: Tensor) -> Tensor:
        """alphas_cumprod of a timestep, which may be fractional: linear in its logarithm, clamped to the table's ends.

        Args:
            timestep: 0-dimensional, 0..`last_timestep`.

        Returns:
            float32 on the same device.
        """
        logs = self.alphas_cumprod.log().to(timestep.device)
        index = ((timestep.float() - self.offset) / self.stride).clamp(0, len(self) - 1)
        return torch.lerp(logs[index.floor().long()], logs[index.ceil().long()], index.frac()).exp()

    def lcm(self) -> "SigmaTable":
        """The 50 levels an LCM was distilled on (arXiv:2310.04378); convert with `quantize`."""
        every = slice(LCM_STRIDE - 1, None, LCM_STRIDE)
        return SigmaTable(
            self.alphas_cumprod[every], self.sigmas[every], self.log_sigmas[every], LCM_STRIDE, LCM_STRIDE - 1
        )

    def __len__(self) -> int:
        return len(self.sigmas)

    @property
    def last_timestep(self) -> int:
        return self.stride * (len(self) - 1) + self.offset

    def timestep(self, sigma: Tensor, quantize: bool = False) -> Tensor:
        """Timestep of a noise level: linear between neighbours in ln sigma, clamped to the table's ends.

        Args:
            sigma: any shape, above 0.
            quantize: take the nearest entry (in ln sigma) instead.

        Returns:
            float32 of the same shape and device; fractional, or whole numbers where quantized.
        """
        levels = self.log_sigmas.to(sigma.device)
        wanted = sigma.float().log().contiguous()
        if quantize:
            index = (wanted.unsqueeze(-1) - levels).abs().argmin(dim=-1).float()
        else:
            low = (torch.searchsorted(levels, wanted, right=True) - 1).clamp(0, len(self) - 2)
            between = (levels[low] - wanted) / (levels[low] - levels[low + 1])
            share = between.clamp(0, 1)
            index = (1 - share) * low + share * (low + 1)
        return index * self.stride + self.offset

    def sigma(self, timestep: Tensor) -> Tensor:
        """Noise level of a timestep, which may be fractional: linear in ln sigma, clamped to the table's ends.

        Args:
            timestep: any shape, 0..`last_timestep`.

        Returns:
            float32 of the same shape and device.
        """
        levels = self.log_sigmas.to(timestep.device)
        index = ((timestep.float() - self.offset) / self.stride).clamp(0, len(self) - 1)
        share = index.frac()
        return ((1 - share) * levels[index.floor().long()] + share * levels[index.ceil().long()]).exp()


def rescaled_to_zero_snr(alphas_cumprod: Tensor) -> Tensor:
    """The levels (N,) stretched so that the last is (nearly) pure noise (Lin et al., arXiv:2305.08891, algorithm 1).

    sqrt(alpha-bar) is shifted and stretched so that the first stays and the last is 0; then the last is lifted again.
    """
    root = alphas_cumprod.sqrt()
    first, last = root[0], root[-1]
    rescaled = ((root - last) * (first / (first - last))) ** 2
    rescaled[-1] = _ZERO_SNR_LAST
    return rescaled


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The arguments of a schedule function: how many levels, between which bounds, from which table."""

    n: int
    sigma_min: float
    sigma_max: float
    rho: float  # 0 means the default of the schedule
    table: SigmaTable
    options: Schedule
    label: str
    tuned_levels: str


_Function = Callable[[_Wanted], Tensor]


def _with_zero(sigmas: Tensor | Sequence[float]) -> Tensor:
    descending = torch.as_tensor(sigmas, dtype=torch.float32)
    return torch.cat([descending, descending.new_zeros(1)])


def _uniform(wanted: _Wanted) -> Tensor:
    """Evenly spaced timesteps over the whole table. Bounds are ignored."""
    table = wanted.table
    return _with_zero(table.sigma(torch.linspace(table.last_timestep, table.offset, wanted.n)))


def _karras(wanted: _Wanted) -> Tensor:
    """Karras et al. 2022 (arXiv:2206.00364), equation 5."""
    rho = wanted.rho or 7.0
    start, end = torch.tensor([wanted.sigma_max, wanted.sigma_min], dtype=torch.float64).pow(1 / rho).tolist()
    return _with_zero((start + torch.linspace(0, 1, wanted.n) * (end - start)) ** rho)


def _exponential(wanted: _Wanted) -> Tensor:
    """Evenly spaced in ln sigma."""
    return _with_zero(torch.linspace(math.log(wanted.sigma_max), math.log(wanted.sigma_min), wanted.n).exp())


def _polyexponential(wanted: _Wanted) -> Tensor:
    """A polynomial of degree rho in ln sigma."""
    low, high = math.log(wanted.sigma_min), math.log(wanted.sigma_max)
    ramp = torch.linspace(1, 0, wanted.n) ** (wanted.rho or 1.0)
    return _with_zero((ramp * (high - low) + low).exp())


def _timestep_range(wanted: _Wanted, count: int) -> Tensor:
    start, end = wanted.table.timestep(
        torch.tensor([wanted.sigma_max, wanted.sigma_min]), quantize=wanted.options.quantize
    )
    return torch.linspace(float(start), float(end), count)


def _sgm_uniform(wanted: _Wanted) -> Tensor:
    """Evenly spaced timesteps without the last one, as in Stability's generative-models."""
    return _with_zero(wanted.table.sigma(_timestep_range(wanted, wanted.n + 1)[:-1]))


def _normal(wanted: _Wanted) -> Tensor:
    """Evenly spaced timesteps between the bounds."""
    return _with_zero(wanted.table.sigma(_timestep_range(wanted, wanted.n)))


def _kl_optimal(wanted: _Wanted) -> Tensor:
    """Sabour et al. 2024 (arXiv:2404.14507), theorem 3.1: evenly spaced angles. Ends at sigma_min, not at 0."""
    share = torch.arange(wanted.n + 1, dtype=torch.float32) / wanted.n
    angles = torch.tensor([wanted.sigma_min, wanted.sigma_max]).atan()
    return (share * angles[0] + (1 - share) * angles[1]).tan()


def _simple(wanted: _Wanted) -> Tensor:
    """Evenly spaced entries of the table, counted from its end."""
    entries = len(wanted.table)
    return _with_zero(wanted.table.sigmas[[entries - 1 - int(i * (entries / wanted.n)) for i in range(wanted.n)]])


def _ddim(wanted: _Wanted) -> Tensor:
    """Every k-th entry from the second on; more than n levels where the size of the table is no multiple of k."""
    entries = len(wanted.table)
    return _with_zero(wanted.table.sigmas[1 :: max(entries // wanted.n, 1)].flip(0))


def _beta(wanted: _Wanted) -> Tensor:
    """Quantiles of a beta distribution (arXiv:2407.12173), stretched over the sigmas between the bounds."""
    from scipy.special import betaincinv  # imported here because it is slow and few runs need it

    shares = betaincinv(wanted.options.beta_alpha, wanted.options.beta_beta, 1 - np.linspace(0, 1, wanted.n))
    return _with_zero(torch.from_numpy(wanted.sigma_min + shares * (wanted.sigma_max - wanted.sigma_min)))


def _turbo(wanted: _Wanted) -> Tensor:
    """The timesteps SDXL Turbo was distilled on: the ends of n equal parts (n = 4: 999, 749, 499, 249)."""
    entries = len(wanted.table)
    ends = [max(round(k * entries / wanted.n - 1), 0) for k in range(wanted.n, 0, -1)]
    return _with_zero(wanted.table.sigmas[ends])


_AYS_11 = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
_AYS_11_XL = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)
_AYS_GITS = (14.615, 4.617, 2.507, 1.236, 0.702, 0.402, 0.240, 0.156, 0.104, 0.094, 0.029)
_AYS_GITS_XL = (14.615, 4.734, 2.567, 1.529, 0.987, 0.652, 0.418, 0.268, 0.179, 0.127, 0.029)
_AYS_32 = (
    14.615, 11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065, 3.5195609,
    3.13490466, 2.79228788, 2.48773628, 2.21663865, 1.97508351, 1.7793172, 1.61475336, 1.46540953,
    1.314849, 1.16642497, 1.03475547, 0.91573744, 0.80748169, 0.71202361, 0.621739, 0.53065202,
    0.45290960, 0.37491455, 0.27461819, 0.20115290, 0.14105873, 0.06682881, 0.03166121, 0.015,
)  # fmt: skip
_AYS_32_XL = (
    14.615, 11.1491618, 8.50522127, 6.48827151, 5.43707402, 4.60398619, 3.89854704, 3.27407457,
    2.74396527, 2.29968659, 1.95448514, 1.67108715, 1.42878152, 1.23181009, 1.06789649, 0.92579443,
    0.80290886, 0.69660121, 0.60436903, 0.52852552, 0.46773344, 0.41393379, 0.36258186, 0.31008517,
    0.26518925, 0.22326461, 0.17653877, 0.13959192, 0.10587381, 0.05519369, 0.02877334, 0.015,
)  # fmt: skip


def _from_levels(**tuned: Sequence[float]) -> _Function:
    """A schedule of optimised levels (Align Your Steps, arXiv:2404.14507), resampled in ln sigma to another count.

    The resampling runs upwards from the smallest level, so that a run of one step starts there.

    Args:
        tuned: the levels, by what `Family.tuned_levels` calls the set.
    """

    def function(wanted: _Wanted) -> Tensor:
        own = tuned.get(wanted.tuned_levels)
        if own is None:
            raise BadRequestError(
                "scheduler", f"nobody optimised the levels of {wanted.label!r} for this checkpoint; choose another"
            )
        if wanted.n == len(own):
            return _with_zero(own)
        logs = np.interp(np.linspace(0, 1, wanted.n), np.linspace(0, 1, len(own)), np.log(own[::-1]))
        return _with_zero(torch.from_numpy(np.exp(logs)[::-1].copy()))

    return function


_FUNCTIONS: Mapping[str, _Function] = MappingProxyType(
    {
        "Uniform": _uniform,
        "Karras": _karras,
        "Exponential": _exponential,
        "Polyexponential": _polyexponential,
        "SGM Uniform": _sgm_uniform,
        "KL Optimal": _kl_optimal,
        "Align Your Steps": _from_levels(sd=_AYS_11, xl=_AYS_11_XL),
        "Simple": _simple,
        "Normal": _normal,
        "DDIM": _ddim,
        "Beta": _beta,
        "Turbo": _turbo,
        "Align Your Steps 11": _from_levels(sd=_AYS_11, xl=_AYS_11_XL),
        "Align Your Steps 32": _from_levels(sd=_AYS_32, xl=_AYS_32_XL),
        "Align Your Steps GITS": _from_levels(sd=_AYS_GITS, xl=_AYS_GITS_XL),
    }
)


def sigmas_for(
    info: SamplerInfo, scheduler_label: str, steps: int, table: SigmaTable, options: Schedule, *, tuned_levels: str
) -> Tensor:
    """The noise levels of a whole schedule (img2img uses only the last part of it).

    Args:
        info: the sampler; "Automatic" means its own schedule, some discard the penultimate level, and LCM has a table
            of its own.
        scheduler_label: label of `catalog.SCHEDULES`.
        steps: at least 1.
        table: the model's levels.
        options: bounds and shapes; 0 means the model's or the schedule's own. A list of levels counts instead of the
            schedule, as it is.
        tuned_levels: which set of optimised levels to take; see `Family.tuned_levels`.

    Returns:
        (steps + 1,) float32 on the CPU, descending, the last 0 - but "KL Optimal" ends at sigma_min, a list where it
        says, and "DDIM" can give more levels.

    Raises:
        BadRequestError: the label is unknown or has no levels for this model, steps below 1, or options that give no
            descending finite levels.
    """
    _require_steps(steps)
    if options.sigmas:
        return _own_list(options.sigmas, steps)
    label = (info.schedule or "Uniform") if scheduler_label == "Automatic" else scheduler_label
    function = _FUNCTIONS.get(label)
    if function is None:
        raise BadRequestError("scheduler", f"there is no schedule {label!r}; choose one of {', '.join(_FUNCTIONS)}")
    discard = info.discards_penultimate or options.discard_penultimate
    own = table.lcm() if info.label == "LCM" else table
    low, high = (0.1, 10.0) if options.old_karras_sigmas else (float(own.sigmas[0]), float(own.sigmas[-1]))
    low, high = options.sigma_min or low, options.sigma_max or high
    if low >= high:
        raise BadRequestError("schedule.sigma_min", f"is {low:g}, but must be below sigma_max, which is {high:g}")
    sigmas = function(_Wanted(steps + discard, low, high, options.rho, own, options, label, tuned_levels))
    if not sigmas.isfinite().all():
        raise BadRequestError("schedule", f"these bounds and rho give infinite levels with {label}; set them to 0")
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if discard else sigmas


def _own_list(levels: Sequence[float], steps: int) -> Tensor:
    """The levels (n,) as they are where they are `steps` steps. For a second pass, or one with a fixed number of steps
    that is the end of a longer run, they are resampled in ln sigma; the last one stays.
    """
    if len(levels) == steps + 1:
        return torch.tensor(levels, dtype=torch.float32)
    above = levels[:-1] if levels[-1] == 0 else levels
    wanted = steps if levels[-1] == 0 else steps + 1
    logs = np.interp(np.linspace(0, 1, wanted), np.linspace(0, 1, len(above)), np.log(above))
    resampled = torch.from_numpy(np.exp(logs)).float()
    return _with_zero(resampled) if levels[-1] == 0 else resampled


def timesteps_for(steps: int, discard: bool, known: int) -> Tensor:
    """Timesteps of the DDIM family, whole: every (known // steps)-th, plus 1.

    Args:
        steps: 1..known (one less with `discard`).
        discard: whether "discard penultimate sigma" is on, which makes the list one timestep longer here.
        known: how many timesteps the model was trained on.

    Returns:
        (n,) int64 on the CPU, ascending in 1..known - 1; n is more than `steps` where steps does not divide known.

    Raises:
        BadRequestError: more steps than timesteps, or less than 1.
    """
    _require_steps(steps)
    spacing = known // (steps + discard)
    if spacing == 0:
        raise BadRequestError("steps", f"{steps} steps, but this sampler has {known} timesteps; ask for less")
    return (torch.arange(0, known, spacing) + 1).clamp(0, known - 1)


def _require_steps(steps: int) -> None:
    if steps < 1:
        raise BadRequestError("steps", f"is {steps}; ask for 1 or more")
