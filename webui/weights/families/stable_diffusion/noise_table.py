"""The noise levels that Stable Diffusion was trained with."""

import torch

from webui.sampling.schedules import SigmaTable, rescaled_to_zero_snr

TIMESTEPS = 1000
BETA_START, BETA_END = 0.00085, 0.012  # betas between these have square roots on a line ("scaled linear")


def standard_table(*, downcast: bool = False, zero_terminal_snr: bool = False) -> SigmaTable:
    """The table of SD1, SD2 and SDXL.

    Args:
        downcast: whether to compute in fp16, which reproduces images made before A1111 1.7.
        zero_terminal_snr: whether to stretch the levels so that the last timestep is (nearly) pure noise.
    """
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    alphas_cumprod = torch.cumprod(1 - betas, dim=0).float()
    if downcast:
        alphas_cumprod = alphas_cumprod.half()
    if zero_terminal_snr:  # always in float32, because in fp16 the last sigma would be infinite
        alphas_cumprod = rescaled_to_zero_snr(alphas_cumprod.float())
    return SigmaTable.of(alphas_cumprod)
