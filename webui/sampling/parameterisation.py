"""What a network is given at a noise level, and what its output means. One class for each way of training networks.

Samplers know one notation, that of Karras et al. 2022 (arXiv:2206.00364): latents at noise level sigma are clean +
sigma x unit noise. Dividing them by a number that follows from sigma (`spread`) gives the mixture of clean latents and
noise that a network was trained on, so every sampler, mask and hook serves every family.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from webui.sampling.schedules import LCM_STRIDE, SigmaTable

_LCM_SIGMA_DATA = 0.5
_LCM_TIMESTEP_SCALE = 10.0


class Parameterisation(Protocol):
    """The inputs and the output of one network. Latents and outputs are (B, C, h, w); an output may have one more
    dimension in front, for which the latents are the same. `sigma`, `timestep` and `alpha` are 0-dimensional and lie on
    the CPU wherever the latents are: so they reach a kernel as numbers, and nobody waits for a copy. `sigma` is above
    0.
    """

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """Clean latents with unit noise at a noise level, in the samplers' notation."""

    def spread(self, sigma: Tensor) -> Tensor:
        """What latents are divided by before the network sees them; 0-dimensional."""

    def timestep(self, sigma: Tensor) -> Tensor:
        """The timestep by which the network is told the noise level; 0-dimensional."""

    def clean(self, output: Tensor, latents: Tensor, sigma: Tensor, timestep: Tensor) -> Tensor:
        """The estimate of the clean latents that the network's output stands for."""

    def output(self, clean: Tensor, latents: Tensor, sigma: Tensor) -> Tensor:
        """The output whose estimate is `clean`; CFG rescale (arXiv:2305.08891) works on it."""

    def of_output(self, output: Tensor, latents: Tensor, sigma: Tensor) -> Tensor:
        """The inverse of `output`."""

    def epsilon(self, output: Tensor, latents: Tensor, alpha: Tensor) -> Tensor:
        """The noise in variance-preserving `latents` (sqrt(alpha) clean + sqrt(1 - alpha) noise), which the network saw
        as they are. Called only for families that have timesteps (`Family.has_timesteps`)."""


@dataclass(frozen=True, slots=True)
class VarianceExploding:
    """Stable Diffusion: the network gets latents of unit variance and a timestep, and outputs epsilon or v
    (arXiv:2202.00512).

    Attributes:
        levels: of the checkpoint that the run began with.
        velocity: whether the network outputs v.
        quantize: whether timesteps are rounded to whole numbers.
    """

    levels: SigmaTable
    velocity: bool = False
    quantize: bool = False

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return clean + noise * sigma

    def spread(self, sigma: Tensor) -> Tensor:
        return (sigma**2 + 1).sqrt()

    def timestep(self, sigma: Tensor) -> Tensor:
        return self.levels.timestep(sigma, self.quantize)

    def clean(self, output: Tensor, latents: Tensor, sigma: Tensor, timestep: Tensor) -> Tensor:
        return self.of_output(output, latents, sigma)

    def output(self, clean: Tensor, latents: Tensor, sigma: Tensor) -> Tensor:
        if self.velocity:
            return (latents / (sigma**2 + 1) - clean) * (sigma**2 + 1).sqrt() / sigma
        return (latents - clean) / sigma

    def of_output(self, output: Tensor, latents: Tensor, sigma: Tensor) -> Tensor:
        if self.velocity:
            return latents / (sigma**2 + 1) - output * sigma / (sigma**2 + 1).sqrt()
        return latents - sigma * output

    def epsilon(self, output: Tensor, latents: Tensor, alpha: Tensor) -> Tensor:
        return alpha.sqrt() * output + (1 - alpha).sqrt() * latents if self.velocity else output


@dataclass(frozen=True, slots=True)
class Consistency(VarianceExploding):
    """Latent consistency (arXiv:2310.04378, equation 9) of a network that outputs epsilon. It has fifty timesteps."""

    def timestep(self, sigma: Tensor) -> Tensor:
        known = self.levels.sigmas[LCM_STRIDE - 1 :: LCM_STRIDE]
        index = (known.log() - sigma.log()).abs().argmin()
        return (index * LCM_STRIDE + LCM_STRIDE - 1).to(sigma)

    def clean(self, output: Tensor, latents: Tensor, sigma: Tensor, timestep: Tensor) -> Tensor:
        clean = self.of_output(output, latents, sigma)
        time, variance = timestep.to(latents.dtype) * _LCM_TIMESTEP_SCALE, _LCM_SIGMA_DATA**2
        return clean * time / (time**2 + variance).sqrt() + latents * variance / (time**2 + variance)
