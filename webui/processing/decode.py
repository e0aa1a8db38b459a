"""Decodes latents to pictures: in tiles when memory runs out, and cut to 8 bits by truncation, as A1111 does it.
Latents that are not finite are an error.
"""

import logging
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from webui.domain.errors import NotFiniteError
from webui.weights.memory import give_memory_back
from webui.weights.model import LoadedModel

Edit = Callable[
    [Tensor, int], Tensor
]  # (pixels (3, H, W) float32 in 0..1 on the CPU, index in the batch) -> new pixels

log = logging.getLogger(__name__)

TILES: tuple[int | None, ...] = (None, 32)  # sides in latent cells; None: the usual one; 0: the whole at once


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

    Where memory runs out, the same latents are decoded again in tiles, then in smaller ones.

    Args:
        edit: changes the pixels before they are rounded.
    """
    images = []
    for place, one in enumerate(latents[:, None]):  # (1, C, h, w) each
        pixels = _decoded(one, model, tiled=tiled)
        images.append(to_image(pixels[0] if edit is None else edit(pixels[0].float().cpu(), place)))
    return images


def _decoded(latents: Tensor, model: LoadedModel, *, tiled: bool) -> Tensor:
    """Raises torch.OutOfMemoryError or MemoryError where not even small tiles have room."""
    *sooner, last = TILES if tiled else (0, *TILES)
    for side in sooner:
        try:
            return _attempted(latents, model, side)
        except (torch.OutOfMemoryError, MemoryError) as error:
            log.warning("decoding %s ran out of memory (%s); again in smaller parts", model.file.name, error)
        # after the handler, because the error's traceback keeps the tensors of the failed attempt
        give_memory_back()
    return _attempted(latents, model, last)


def _attempted(latents: Tensor, model: LoadedModel, side: int | None) -> Tensor:
    return model.vae.decode(latents) if side == 0 else model.vae.decode_tiled(latents, side)


def to_image(pixels: Tensor) -> Image.Image:
    """(3, H, W) in 0..1 to an 8-bit picture; truncated, not rounded."""
    eight_bit = (pixels.float().clamp(0, 1) * 255).to(torch.uint8)
    return Image.fromarray(eight_bit.permute(1, 2, 0).cpu().numpy())
