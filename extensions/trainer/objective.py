"""What is learned: at a random timestep, the noise that was put on latents, or its velocity. Pure functions of tensors.

Sources: Ho et al. (arXiv:2006.11239, algorithm 1), Salimans and Ho (arXiv:2202.00512) for v, Hang et al.
(arXiv:2303.09556) for min-SNR, Guttenberg ("Diffusion with offset noise", 2023) for noise offset.
"""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor


class Noising(NamedTuple):
    """What is random about one picture of a step: its noise (C, h, w) and its timestep."""

    noise: Tensor
    timestep: int


def chance(seed: int, sample: int, purpose: str = "noise") -> torch.Generator:
    """The random numbers of one picture, on the CPU: they follow from the seed of the run and the picture's count."""
    digest = hashlib.sha256(f"{purpose} {seed} {sample}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def noising(shape: tuple[int, ...], seed: int, sample: int, *, timesteps: int, offset: float) -> Noising:
    """Draw a timestep, evenly of 0 .. timesteps - 1, and noise.

    Args:
        offset: deviation of a number that is added to the noise of each channel as a whole.
    """
    generator = chance(seed, sample)
    timestep = int(torch.randint(0, timesteps, (), generator=generator))
    noise = torch.randn(shape, generator=generator)
    if offset:
        noise = noise + offset * torch.randn((shape[0], 1, 1), generator=generator)
    return Noising(noise, timestep)


def noised(latents: Tensor, noise: Tensor, alphas: Tensor) -> Tensor:
    """sqrt(a) latents + sqrt(1 - a) noise; latents and noise (B, C, h, w), alphas (B,)."""
    share = alphas[:, None, None, None]
    return share.sqrt() * latents + (1 - share).sqrt() * noise


def target(latents: Tensor, noise: Tensor, alphas: Tensor, *, velocity: bool) -> Tensor:
    """What the network is to answer: the noise, or v = sqrt(a) noise - sqrt(1 - a) latents."""
    if not velocity:
        return noise
    share = alphas[:, None, None, None]
    return share.sqrt() * noise - (1 - share).sqrt() * latents


def weights(alphas: Tensor, gamma: float, *, velocity: bool) -> Tensor:
    """The weight of each picture's loss, (B,), after Hang et al.: min(SNR, gamma) of the loss on clean latents, that is
    min(SNR, gamma) / SNR on the noise, and min(SNR, gamma) / (SNR + 1) on v. SNR = a / (1 - a).

    Args:
        gamma: 5 in the paper; 0 weighs all alike.
    """
    if gamma <= 0:
        return torch.ones_like(alphas)
    ratio = alphas / (1 - alphas)
    return ratio.clamp(max=gamma) / (ratio + 1 if velocity else ratio.clamp(min=1e-12))


def losses(answer: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """The loss of each picture, (B,): the mean squared error of (B, C, h, w), times its weight."""
    return (answer.float() - wanted.float()).square().mean(dim=(1, 2, 3)) * weight
