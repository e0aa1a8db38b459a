"""Corrections of the UNet's output by inpaint_only and tile_colorfix, row by row.

Noise levels are those of Stable Diffusion (arXiv:2112.10752): 1000 steps, betas the squares of a line.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

TIMESTEPS = 1000
_BETAS = (0.00085, 0.012)
_SHARPNESS_UNIT = 0.01


def alphas_cumprod() -> Tensor:
    """(1000,) float64: the share of the picture in the variance at each timestep."""
    betas = torch.linspace(_BETAS[0] ** 0.5, _BETAS[1] ** 0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0)


def alpha_at(timestep: Tensor, like: Tensor) -> Tensor:
    """(rows, 1, 1, 1) of alphas_cumprod at the nearest whole timesteps."""
    known = alphas_cumprod().to(like.device, torch.float32)
    return known[timestep.round().long().clamp(0, TIMESTEPS - 1)][:, None, None, None]


def noised(clean: Tensor, timestep: Tensor, noise: Tensor) -> Tensor:
    """Clean latents (1, C, h, w) noised to the timestep of each row: q(x_t | x_0) of arXiv:2006.11239, eq. 4."""
    alpha = alpha_at(timestep, clean)
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise


@dataclass(frozen=True, slots=True)
class Prediction:
    """Converts a network's output to the clean estimate and back, for epsilon and v (arXiv:2202.00512)."""

    is_v: bool

    def clean(self, sample: Tensor, timestep: Tensor, output: Tensor) -> Tensor:
        alpha = alpha_at(timestep, sample)
        if self.is_v:
            return alpha.sqrt() * sample - (1 - alpha).sqrt() * output
        return (sample - (1 - alpha).sqrt() * output) / alpha.sqrt()

    def output(self, sample: Tensor, timestep: Tensor, clean: Tensor) -> Tensor:
        alpha = alpha_at(timestep, sample)
        if self.is_v:
            return (alpha.sqrt() * sample - clean) / (1 - alpha).sqrt()
        return (sample - alpha.sqrt() * clean) / (1 - alpha).sqrt()


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction of the clean estimate of a call.

    Attributes:
        source: (1, C, h, w) latents of the unit's picture.
        weight: 0..1, the share of the change that is applied.
        mask: (1, 1, h, w), 1 where the estimate stays (inpaint_only); None: colours are corrected (tile_colorfix).
        radius: cells around each cell over which colours are averaged (tile_colorfix).
        sharpness: that of tile_colorfix+sharp; 0: none.
    """

    source: Tensor
    weight: float
    mask: Tensor | None = None
    radius: int = 0
    sharpness: float = 0.0

    def __call__(
        self, prediction: Prediction, sample: Tensor, timestep: Tensor, positive: Tensor, output: Tensor
    ) -> Tensor:
        """The network's output (rows, C, h, w) with the change; `positive` marks the rows of the prompt."""
        clean = prediction.clean(sample, timestep, output)
        source = self.source.to(clean)
        if self.mask is not None:
            mask = self.mask.to(clean)
            changed = clean * mask + source * (1 - mask)
        else:
            changed = clean - averaged(clean, self.radius) + averaged(source, self.radius)
            if self.sharpness:
                share = self.sharpness * _SHARPNESS_UNIT
                dull = share * averaged(changed, self.radius) + (1 - share) * changed
                changed = torch.where(positive[:, None, None, None], changed, dull)
        corrected = prediction.output(sample, timestep, changed)
        return corrected * self.weight + output * (1 - self.weight)


def averaged(latents: Tensor, radius: int) -> Tensor:
    """The mean over squares of 2 x radius + 1 cells; cells at the border are repeated beyond it."""
    padded = functional.pad(latents, (radius,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, 2 * radius + 1, stride=1)


def latent_mask(repainted: Tensor, cell: int) -> Tensor:
    """(1, 1, H, W) pixels to (1, 1, H / cell, W / cell) cells; a cell counts where any pixel in or around it does."""
    return functional.max_pool2d(repainted, cell + 2, stride=cell, padding=1)
