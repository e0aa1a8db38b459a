"""Cheap pictures of latents while they are made: one matrix, no network."""

import io
from collections.abc import Mapping
from types import MappingProxyType

import torch
from PIL import Image
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
SIDE = 512  # pixels; a preview is not larger


def preview(latents: Tensor, family: Family) -> bytes:
    """A JPEG of the first image of (B, 4, h, w) latents, by a linear fit of colour to latent channels."""
    matrix = torch.tensor(MATRICES[family], dtype=torch.float32)
    colours = torch.einsum("chw,cr->hwr", latents[0].detach().float().cpu(), matrix) * 0.5 + 0.5
    pixels = (colours.nan_to_num().clamp(0, 1) * 255).to(torch.uint8).numpy()
    small = Image.fromarray(pixels)
    scale = min(8.0, SIDE / max(small.size))
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    out = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=80)
    return out.getvalue()
