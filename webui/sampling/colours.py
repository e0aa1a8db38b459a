"""Latents as colours: a linear fit, one matrix a family, no network. Cheap enough for every step."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from webui.prompt.ports import Family

SD = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)
SDXL = (
    (0.3448, 0.4168, 0.4395),
    (-0.1953, -0.029, 0.025),
    (0.1074, 0.0886, -0.0163),
    (-0.373, -0.2499, -0.2088),
)
MATRICES: Mapping[Family, tuple[tuple[float, ...], ...]] = MappingProxyType(
    {"sd1": SD, "sd2": SD, "sdxl": SDXL, "sdxl_refiner": SDXL}
)


def latent_colours(latents: Tensor, family: Family) -> Tensor:
    """(4, h, w) latents of one image -> (h, w, 3) uint8 on the CPU, a cell a pixel."""
    matrix = torch.tensor(MATRICES[family], dtype=torch.float32)
    colours = torch.einsum("chw,cr->hwr", latents.detach().float().cpu(), matrix) * 0.5 + 0.5
    return (colours.nan_to_num().clamp(0, 1) * 255).to(torch.uint8)
