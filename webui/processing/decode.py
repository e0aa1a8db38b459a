"""Decodes latents to pictures, cut to 8 bits by truncation, as A1111 does it.
Latents that are not finite are an error.
"""

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from webui.domain.errors import NotFiniteError
from webui.weights.model import LoadedModel

Edit = Callable[
    [Tensor, int], Tensor
]  # (pixels (3, H, W) float32 in 0..1 on the CPU, index in the batch) -> new pixels


def check_finite(latents: Tensor, checkpoint: str, step: int) -> None:
    """Raises NotFiniteError where any latent is NaN or infinite, naming the checkpoint and the step."""
    if not bool(torch.isfinite(latents).all()):
        raise not_finite(checkpoint, step)


def not_finite(checkpoint: str, step: int) -> NotFiniteError:
    """The error of latents that are not finite."""
    return NotFiniteError(
        f"{checkpoint}: the latents hold NaN or infinite values after step {step}; "
        "try --precision fp32, another VAE, or check that the checkpoint file is whole"
    )


def decode(latents: Tensor, model: LoadedModel, *, tiled: bool, edit: Edit | None = None) -> list[Image.Image]:
    """Decode (B, C, h, w) to B pictures, one at a time.

    Args:
        tiled: in tiles, which takes less memory; else only where it runs out.
        edit: changes the pixels before they are rounded.

    Raises:
        NotFiniteError: pixels are NaN or infinite. MemoryShortError: not even small tiles have room.
    """
    images = []
    for place, one in enumerate(latents[:, None]):  # (1, C, h, w) each
        pixels = model.vae.decode_tiled(one) if tiled else model.vae.decode(one)
        images.append(to_image(pixels[0] if edit is None else edit(pixels[0].float().cpu(), place)))
    return images


def to_image(pixels: Tensor) -> Image.Image:
    """(3, H, W) in 0..1 to an 8-bit picture; truncated, not rounded."""
    eight_bit = (pixels.float().clamp(0, 1) * 255).to(torch.uint8)
    return Image.fromarray(eight_bit.permute(1, 2, 0).cpu().numpy())
