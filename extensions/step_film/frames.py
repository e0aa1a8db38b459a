"""Pictures of a step: its latents, and the noise and the clean estimate that were found in them."""

from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from webui.extension_api.tensors import LatentFormat, Step, latent_colours


@dataclass(frozen=True, slots=True)
class Frame:
    """One step.

    Attributes:
        level: its noise level, sigma.
        pictures: noisy latents, predicted noise, clean estimate.
    """

    index: int
    level: float
    pictures: tuple[Image.Image, Image.Image, Image.Image]


def frame(step: Step, noisy: Tensor, clean: Tensor, form: LatentFormat, side: int) -> Frame:
    """The frame of a step.

    Args:
        noisy: (C, h, w) latents before the step.
        clean: (C, h, w) estimate of the clean ones.
        form: the format of the checkpoint's latents.
        side: the longer side of a picture, in pixels.
    """
    spread = (step.sigma**2 + 1).sqrt()
    seen = noisy / spread if step.timestep is None else noisy  # latents of unit variance
    noise = predicted_noise(seen * spread, clean, step.sigma)
    made = [_picture(one, form, side) for one in (seen, noise, clean)]
    return Frame(step.index, float(step.sigma), (made[0], made[1], made[2]))


def predicted_noise(noisy: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """The noise in `noisy`, which is clean + sigma x noise (Karras et al. 2022, arXiv:2206.00364)."""
    return (noisy - clean) / sigma.clamp(min=1e-8)


def _picture(latents: Tensor, form: LatentFormat, side: int) -> Image.Image:
    small = Image.fromarray(latent_colours(latents, form).numpy())
    scale = side / max(small.size)
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    return small.resize(size, Image.Resampling.BICUBIC)
