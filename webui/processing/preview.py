"""Cheap pictures of latents while they are made: one matrix, no network."""

import io

from PIL import Image
from torch import Tensor

from webui.library.family import LatentFormat
from webui.sampling.colours import latent_colours

SIDE = 512  # pixels; a preview is not larger


def preview(latents: Tensor, form: LatentFormat) -> bytes:
    """A JPEG of the first image of (B, C, h, w) latents, by a linear fit of colour to latent channels."""
    small = Image.fromarray(latent_colours(latents[0], form).numpy())
    scale = min(float(form.cell), SIDE / max(small.size))
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    out = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=80)
    return out.getvalue()
