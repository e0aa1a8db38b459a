"""Approximate colours of latents by a linear fit with one matrix for each family. It is cheap enough for every step."""

import torch
from torch import Tensor

from webui.library.family import LatentFormat


def latent_colours(latents: Tensor, form: LatentFormat) -> Tensor:
    """(C, h, w) latents of one image -> (h, w, 3) uint8 on the CPU, one pixel for each latent cell."""
    matrix = torch.tensor(form.colours, dtype=torch.float32)
    colours = torch.einsum("chw,cr->hwr", latents.detach().float().cpu(), matrix) * 0.5 + 0.5
    return (colours.nan_to_num().clamp(0, 1) * 255).to(torch.uint8)
