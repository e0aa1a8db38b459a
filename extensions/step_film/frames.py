"""What a step looks like: its latents, the noise and the clean estimate found in them, as small pictures. Pure."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image
from torch import Tensor

from webui.extension_api.tensors import Step, latent_colours

Family = Literal["sd1", "sd2", "sdxl", "sdxl_refiner"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One step.

    Attributes:
        level: its noise level, sigma, or its timestep.
        pictures: noisy latents, predicted noise, clean estimate.
    """

    index: int
    level: float
    pictures: tuple[Image.Image, Image.Image, Image.Image]


def frame(step: Step, noisy: Tensor, clean: Tensor, family: Family, side: int, alphas: Tensor | None) -> Frame:
    """The frame of a step.

    Args:
        noisy: (4, h, w) latents before the step.
        clean: (4, h, w) estimate of the clean ones.
        side: of the longer side of a picture, in pixels.
        alphas: the share of the signal's variance at each timestep, in samplers of timesteps; None where latents are
            clean + sigma x noise (Karras et al. 2022, arXiv:2206.00364).
    """
    noise = predicted_noise(noisy, clean, step.sigma, alphas)
    seen = noisy if alphas is not None else noisy / (step.sigma.to(noisy) ** 2 + 1).sqrt()  # to unit variance
    made = [_picture(one, family, side) for one in (seen, noise, clean)]
    return Frame(step.index, float(step.sigma), (made[0], made[1], made[2]))


def predicted_noise(noisy: Tensor, clean: Tensor, level: Tensor, alphas: Tensor | None) -> Tensor:
    """The noise that together with `clean` makes `noisy`: (x - clean) / sigma, or by the shares of a timestep."""
    if alphas is None:
        return (noisy - clean) / level.to(noisy).clamp(min=1e-8)
    share = alphas[int(level.clamp(0, len(alphas) - 1))].to(noisy)
    return (noisy - share.sqrt() * clean) / (1 - share).sqrt().clamp(min=1e-8)


def _picture(latents: Tensor, family: Family, side: int) -> Image.Image:
    small = Image.fromarray(latent_colours(latents, family).numpy())
    scale = side / max(small.size)
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    return small.resize(size, Image.Resampling.BICUBIC)
