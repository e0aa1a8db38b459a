"""Names that other programs have for samplers and schedules, and the labels of the same ones here."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.catalog import SAMPLERS, find_schedule, split_combined

KARRAS = "Karras"
_SAMPLERS: Mapping[str, str] = MappingProxyType(
    {
        "euler": "Euler", "euler_a": "Euler a", "euler_ancestral": "Euler a", "euler ancestral": "Euler a",
        "heun": "Heun", "heunpp2": "HeunPP2", "lms": "LMS", "lcm": "LCM", "ddpm": "DDPM", "deis": "DEIS",
        "dpm_2": "DPM2", "dpm2": "DPM2", "kdpm_2": "DPM2", "dpm_2_ancestral": "DPM2 a", "dpm_2_a": "DPM2 a",
        "kdpm_2_a": "DPM2 a", "dpm2 a": "DPM2 a", "dpm_fast": "DPM fast", "dpm_adaptive": "DPM adaptive",
        "dpmpp_2s": "DPM++ 2S a", "dpmpp_2s_a": "DPM++ 2S a", "dpmpp_2s_ancestral": "DPM++ 2S a",
        "dpmpp_sde": "DPM++ SDE", "dpmpp_2m": "DPM++ 2M", "dpmpp_2m_sde": "DPM++ 2M SDE",
        "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun", "dpmpp_3m_sde": "DPM++ 3M SDE", "dpm2++ 2m": "DPM++ 2M",
        "ddim": "DDIM", "ddim_v3": "DDIM", "plms": "PLMS", "pndm": "PNDM", "unipc": "UniPC", "uni_pc": "UniPC",
        "uni_pc_bh2": "UniPC", "ipndm": "IPNDM", "ipndm_v": "IPNDM_V", "restart": "Restart",
        "ddim_cfgpp": "DDIM CFG++", "euler a": "Euler a",
    }
)  # fmt: skip
_SCHEDULES: Mapping[str, str] = MappingProxyType(
    {"native": "Uniform", "ddim_uniform": "DDIM", "ays": "Align Your Steps"}
)


def sampler_label(name: str) -> tuple[str, str]:
    """The label of a sampler and that of the schedule which its name holds ("": none).

    A name that is not known comes back as it is, so that whoever reads the request from it is told.
    """
    plain, schedule = split_combined(name)
    if plain in SAMPLERS:
        return plain, "" if plain == name else KARRAS if name.endswith(KARRAS) else schedule
    short = name.strip().lower().removeprefix("sample_").removesuffix("_gpu")
    for ending in ("_karras", " karras", "_k"):
        if short.endswith(ending) and (found := _label(short.removesuffix(ending))):
            return found, KARRAS
    return _label(short) or name, ""


def schedule_label(name: str) -> str:
    """The label of a schedule; a name that is not known comes back as it is."""
    short = name.strip().lower()
    found = find_schedule(short)
    return _SCHEDULES.get(short) or (found.label if found else name)


def _label(name: str) -> str:
    labels = {label.lower(): label for label in SAMPLERS}
    return _SAMPLERS.get(name) or _SAMPLERS.get(name.removeprefix("k_")) or labels.get(name, "")
