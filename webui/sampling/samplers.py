"""The samplers of noise-level space: the function for each label of the catalog. Those of timestep space (DDIM family)
are listed in `timestep.py`; what users see of each is in `webui/domain/catalog.py`."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.sampling.ancestral import ddpm, dpm2_ancestral, dpmpp_2s_ancestral, euler_ancestral, lcm
from webui.sampling.cfgpp import dpmpp_2m_cfgpp, dpmpp_2s_ancestral_cfgpp, euler_ancestral_cfgpp, euler_cfgpp
from webui.sampling.dpm_solver import AdaptiveSolver, fast_plan
from webui.sampling.multistep import deis, dpmpp_2m, ipndm, ipndm_v, lms
from webui.sampling.ode import dpm2, euler, heun, heunpp2_plan
from webui.sampling.restart import restart_plan
from webui.sampling.sde import dpmpp_2m_sde, dpmpp_2m_sde_heun, dpmpp_3m_sde, dpmpp_sde
from webui.sampling.stepping import PairedSampler, PlannedSampler, SamplerOptions, along

__all__ = ["SIGMA_SAMPLERS", "SamplerOptions"]

SIGMA_SAMPLERS: Mapping[str, PlannedSampler | PairedSampler | AdaptiveSolver] = MappingProxyType(
    {
        "DPM++ 2M": along(dpmpp_2m, memory=1),
        "DPM++ SDE": along(dpmpp_sde),
        "DPM++ 2M SDE": along(dpmpp_2m_sde, memory=1),
        "DPM++ 2M SDE Heun": along(dpmpp_2m_sde_heun, memory=1),
        "DPM++ 2S a": along(dpmpp_2s_ancestral),
        "DPM++ 3M SDE": along(dpmpp_3m_sde, memory=2),
        "Euler a": along(euler_ancestral),
        "Euler": along(euler),
        "LMS": along(lms, memory=3),
        "Heun": along(heun),
        "DPM2": along(dpm2),
        "DPM2 a": along(dpm2_ancestral),
        "DPM fast": PlannedSampler(fast_plan),
        "DPM adaptive": AdaptiveSolver(),
        "Restart": PlannedSampler(restart_plan),
        "LCM": along(lcm),
        "HeunPP2": PlannedSampler(heunpp2_plan),
        "IPNDM": along(ipndm, memory=3),
        "IPNDM_V": along(ipndm_v, memory=3),
        "DEIS": along(deis, memory=2),
        "DDPM": along(ddpm),
        "Euler CFG++": PairedSampler(euler_cfgpp),
        "Euler a CFG++": PairedSampler(euler_ancestral_cfgpp),
        "DPM++ 2S a CFG++": PairedSampler(dpmpp_2s_ancestral_cfgpp),
        "DPM++ 2M CFG++": PairedSampler(dpmpp_2m_cfgpp, memory=1),
    }
)
