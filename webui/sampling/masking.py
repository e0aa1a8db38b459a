"""Inpainting for any checkpoint: the part that a mask protects is put back at every call of the denoiser.

How masks are made from pictures is in `webui/imaging`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from webui.domain.inpainting import SoftInpainting
from webui.sampling.loop import StepDenoiser, StepPairs
from webui.sampling.steps import Pair, Step
from webui.sampling.timestep import EpsilonModel, Guided

_LEAST_NORM = 1e-5
_COMPUTE_FLOAT64 = ("cpu", "cuda")  # Apple's and most of Intel's devices do not


@dataclass(frozen=True, slots=True)
class LatentMask:
    """Which latent cells of a batch a run may change.

    Attributes:
        clean: (B, C, h, w) latents of the picture.
        painted: (1, 1, h, w) in 0..1; where it is 1 the picture may change.
        soft: blend by degrees that depend on the noise level; None: by the mask alone.
    """

    clean: Tensor
    painted: Tensor
    soft: SoftInpainting | None = None

    def kept(self, latents: Tensor, level: Tensor) -> Tensor:
        """The latents (B, C, h, w) with the protected part put back.

        Args:
            level: the noise level; in timestep space the timestep in its place, for which A1111 made no difference.
        """
        if self.soft is None:
            return self.blended(latents)
        exponent = level.to(latents.dtype) ** self.soft.schedule_bias * self.soft.preservation
        return soft_blend(self.clean, latents, self.painted.to(latents) ** exponent, self.soft.contrast_boost)

    def finished(self, latents: Tensor) -> Tensor:
        """The latents after a run with the protected part put back. Soft inpainting leaves them as they are: it decides
        in the decoded picture what is kept.
        """
        return latents if self.soft is not None else self.blended(latents)

    def blended(self, latents: Tensor) -> Tensor:
        """The given latents where the mask is 1, the clean ones where it is 0."""
        return latents * self.painted + self.clean * (1 - self.painted)

    def denoiser(self, denoise: StepDenoiser) -> StepDenoiser:
        """A denoiser of noise-level space whose estimate has the protected part put back."""
        return lambda step, latents, sigma: self.kept(denoise(step, latents, sigma), sigma)

    def pairs(self, pairs: StepPairs) -> StepPairs:
        """As `denoiser`, for samplers that take the negative prompt's estimate apart, which stays as it is."""

        def masked(step: Step, latents: Tensor, sigma: Tensor) -> Pair:
            pair = pairs(step, latents, sigma)
            return Pair(self.kept(pair.guided, sigma), pair.uncond)

        return masked

    def predictor(self, epsilon: EpsilonModel) -> EpsilonModel:
        """A model of timestep space that sees the protected part clean, as A1111 has it; the latents of the sampler
        itself stay as they are."""

        def masked(step: Step, latents: Tensor, timestep: Tensor) -> Guided:
            return epsilon(step, self.kept(latents, timestep), timestep)

        return masked


def soft_blend(old: Tensor, new: Tensor, share: Tensor, boost: float) -> Tensor:
    """Mix two latents so that half-way mixtures keep their contrast.

    Directions are mixed linearly; the length of each cell's vector is the power mean (exponent `boost`) of the two.

    Args:
        old, new: (B, C, h, w).
        share: (1, 1, h, w) in 0..1, of `new`.
    """
    mixed = old * (1 - share) + new * share
    fine = torch.float64 if mixed.device.type in _COMPUTE_FLOAT64 else torch.float32
    weight = share.to(fine)
    lengths = [torch.linalg.vector_norm(part, dim=1, keepdim=True).to(fine) for part in (old, new)]
    wanted = (lengths[0] ** boost * (1 - weight) + lengths[1] ** boost * weight) ** (1 / boost)
    length = torch.linalg.vector_norm(mixed, dim=1, keepdim=True).to(fine) + _LEAST_NORM
    blended: Tensor = mixed * (wanted / length).to(mixed)
    return blended
