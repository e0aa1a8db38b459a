"""What samplers, schedules and noise sources exist, as plain data: names, aliases, flags.

The mathematics stands in `webui/sampling`, which binds a function to every name here (a test checks that none is
missing). This table is apart because the doors show the lists and must not load torch.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Space = Literal["sigma", "timestep"]

_OF_AN_EXTENSION = re.compile(r"[^\x00-\x1f\x7f<>\[\],:\"]{1,60}")


@dataclass(frozen=True, slots=True)
class SamplerInfo:
    """One sampler of the list.

    Attributes:
        label: the name users see and clients send, `DPM++ 2M`.
        aliases: old names, shown by the API.
        schedule: label of the schedule that "Automatic" means; "" means Uniform (and is shown as Automatic).
        second_order: two denoiser calls are planned for each step; prompt editing counts calls, not steps.
        discards_penultimate: plans one step more and drops the last sigma but one.
        brownian: draws its noise from a Brownian tree.
        uses_ensd: whether ENSD is written to the infotext when eta is not 0.
        space: `sigma` (k-diffusion) or `timestep` (DDIM family, whose schedule cannot be chosen).
        churns: takes s_churn, s_tmin, s_tmax (and s_noise).
        own_steps: chooses its own steps inside the range of the schedule (DPM fast, DPM adaptive).
    """

    label: str
    aliases: tuple[str, ...]
    schedule: str = ""
    second_order: bool = False
    discards_penultimate: bool = False
    brownian: bool = False
    uses_ensd: bool = False
    space: Space = "sigma"
    churns: bool = False
    own_steps: bool = False
    takes_s_noise: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """One noise schedule of the list; `name` is what the API calls it, `label` what users see."""

    name: str
    label: str
    aliases: tuple[str, ...] = ()
    default_rho: float = -1.0
    needs_model: bool = False


def _samplers(*infos: SamplerInfo) -> Mapping[str, SamplerInfo]:
    return MappingProxyType({info.label: info for info in infos})


SAMPLERS: Mapping[str, SamplerInfo] = _samplers(
    SamplerInfo("DPM++ 2M", ("k_dpmpp_2m",), "Karras"),
    SamplerInfo("DPM++ SDE", ("k_dpmpp_sde",), "Karras", second_order=True, brownian=True, takes_s_noise=True),
    SamplerInfo("DPM++ 2M SDE", ("k_dpmpp_2m_sde",), "Exponential", brownian=True, takes_s_noise=True),
    SamplerInfo("DPM++ 2M SDE Heun", ("k_dpmpp_2m_sde_heun",), "Exponential", brownian=True, takes_s_noise=True),
    SamplerInfo("DPM++ 2S a", ("k_dpmpp_2s_a",), "Karras", second_order=True, uses_ensd=True, takes_s_noise=True),
    SamplerInfo(
        "DPM++ 3M SDE", ("k_dpmpp_3m_sde",), "Exponential",
        discards_penultimate=True, brownian=True, takes_s_noise=True,
    ),
    SamplerInfo("Euler a", ("k_euler_a", "k_euler_ancestral"), uses_ensd=True),
    SamplerInfo("Euler", ("k_euler",), churns=True),
    SamplerInfo("LMS", ("k_lms",)),
    SamplerInfo("Heun", ("k_heun",), second_order=True, churns=True),
    SamplerInfo("DPM2", ("k_dpm_2",), "Karras", second_order=True, discards_penultimate=True, churns=True),
    SamplerInfo(
        "DPM2 a", ("k_dpm_2_a",), "Karras",
        second_order=True, discards_penultimate=True, uses_ensd=True, takes_s_noise=True,
    ),
    SamplerInfo("DPM fast", ("k_dpm_fast",), uses_ensd=True, own_steps=True, takes_s_noise=True),
    SamplerInfo("DPM adaptive", ("k_dpm_ad",), uses_ensd=True, own_steps=True),
    SamplerInfo("Restart", ("restart",), "Karras", second_order=True),
    SamplerInfo("DDIM", ("ddim",), space="timestep"),
    SamplerInfo("DDIM CFG++", ("ddim_cfgpp",), space="timestep"),
    SamplerInfo("PLMS", ("plms",), space="timestep"),
    SamplerInfo("UniPC", ("unipc",), space="timestep"),
    SamplerInfo("LCM", ("k_lcm",)),
    SamplerInfo("HeunPP2", ("heunpp2",)),
    SamplerInfo("IPNDM", ("ipndm",)),
    SamplerInfo("IPNDM_V", ("ipndm_v",)),
    SamplerInfo("DEIS", ("deis",)),
    SamplerInfo("DDPM", ("ddpm",)),
    SamplerInfo("PNDM", ("pndm",), space="timestep"),
    SamplerInfo("Euler CFG++", ("euler_cfg_pp",)),
    SamplerInfo("Euler a CFG++", ("euler_ancestral_cfg_pp",), uses_ensd=True, takes_s_noise=True),
    SamplerInfo(
        "DPM++ 2S a CFG++", ("dpmpp_2s_ancestral_cfg_pp",), "Karras",
        second_order=True, uses_ensd=True, takes_s_noise=True,
    ),
    SamplerInfo("DPM++ 2M CFG++", ("dpmpp_2m_cfg_pp",), "Karras"),
)  # fmt: skip

SCHEDULES: Mapping[str, ScheduleInfo] = MappingProxyType(
    {
        info.label: info
        for info in (
            ScheduleInfo("automatic", "Automatic"),
            ScheduleInfo("uniform", "Uniform", needs_model=True),
            ScheduleInfo("karras", "Karras", default_rho=7.0),
            ScheduleInfo("exponential", "Exponential"),
            ScheduleInfo("polyexponential", "Polyexponential", default_rho=1.0),
            ScheduleInfo("sgm_uniform", "SGM Uniform", ("SGMUniform",), needs_model=True),
            ScheduleInfo("kl_optimal", "KL Optimal"),
            ScheduleInfo("align_your_steps", "Align Your Steps"),
            ScheduleInfo("simple", "Simple", needs_model=True),
            ScheduleInfo("normal", "Normal", needs_model=True),
            ScheduleInfo("ddim", "DDIM", needs_model=True),
            ScheduleInfo("beta", "Beta", needs_model=True),
            ScheduleInfo("turbo", "Turbo", needs_model=True),
            ScheduleInfo("align_your_steps_11", "Align Your Steps 11"),
            ScheduleInfo("align_your_steps_32", "Align Your Steps 32"),
            ScheduleInfo("align_your_steps_GITS", "Align Your Steps GITS"),
        )
    }
)


_OLD_ENDINGS: Mapping[str, str] = MappingProxyType({"_ka": "Karras", "_exp": "Exponential"})  # k_dpmpp_2m_ka


def find_sampler(name: str) -> SamplerInfo | None:
    """The sampler of that label, exactly; None where there is none (`split_combined` reads older names)."""
    return SAMPLERS.get(name)


def may_be_sampler(name: str) -> bool:
    """Whether a sampler, of the list or of an extension, can have this label: 1 to 60 plain characters without
    `<>[],:"`, which mean something in infotexts and file names, and without spaces around it.
    """
    return name in SAMPLERS or (_OF_AN_EXTENSION.fullmatch(name) is not None and name == name.strip())


def sampler_facts(label: str) -> SamplerInfo:
    """The facts about a sampler. One that the list lacks is that of an extension: it walks any schedule of noise
    levels, and one call of the network is planned for each of its steps.
    """
    return SAMPLERS.get(label) or SamplerInfo(label, ())


def find_schedule(name: str) -> ScheduleInfo | None:
    """The schedule with that label, name or alias; None where there is none."""
    return next((s for s in SCHEDULES.values() if name in (s.label, s.name, *s.aliases)), None)


def split_combined(name: str) -> tuple[str, str]:
    """Read an old name of a sampler: `DPM++ 2M Karras`, `k_dpmpp_2m_ka`, `k_euler_a` -> (`Euler a`, `Automatic`).

    A schedule that equals the sampler's own default becomes Automatic, as A1111 does; a name without a schedule
    comes back with "Automatic", one that nobody knows as it is.
    """
    if name in SAMPLERS:
        return name, "Automatic"
    for schedule in SCHEDULES.values():
        for suffix in (schedule.label, schedule.name, *schedule.aliases):
            sampler = _label_of(name.removesuffix(f" {suffix}")) if name.endswith(f" {suffix}") else None
            if sampler is not None:
                return sampler, _unless_own(sampler, schedule.label)
    for ending, label in _OLD_ENDINGS.items():
        sampler = _label_of(name.removesuffix(ending)) if name.endswith(ending) else None
        if sampler is not None:
            return sampler, _unless_own(sampler, label)
    return _label_of(name) or name, "Automatic"


def _label_of(name: str) -> str | None:
    """The sampler that a name means: its label in any case, or one of its aliases."""
    wanted = name.lower()
    return next((one.label for one in SAMPLERS.values() if wanted == one.label.lower() or wanted in one.aliases), None)


def _unless_own(sampler: str, schedule: str) -> str:
    return "Automatic" if sampler_facts(sampler).schedule == schedule else schedule


def shown_schedule(sampler: str, schedule: str) -> str:
    """The label infotexts carry: Automatic is resolved to the sampler's own schedule where it has one."""
    return sampler_facts(sampler).schedule or "Automatic" if schedule == "Automatic" else schedule
