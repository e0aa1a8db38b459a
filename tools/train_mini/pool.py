"""Scenes drawn and encoded ahead of the training of the UNet: latents on disk, a scene again from its number."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image
from torch import Tensor

from tools.train_mini.drawing import draw
from tools.train_mini.networks import LATENT_SCALE
from tools.train_mini.scenes import Scene, random_scene
from tools.train_mini.vae import to_tensor

SHARD = 2048
SEED = 3

Draw = Callable[[Scene], Image.Image]
Choose = Callable[[np.random.Generator], Scene]


class Pool:
    """Latents (N, 4, 16, 16) of scenes 0 to N - 1, made shard by shard; a shard that is there is not made again.

    Args:
        name: of its files in `folder`.
        draw: the picture of a scene; another style is another pool.
        choose: a scene from the generator of its number.
    """

    def __init__(self, name: str, folder: Path, *, draw: Draw = draw, choose: Choose = random_scene) -> None:
        self._name = name
        self._folder = folder
        self._draw = draw
        self._choose = choose
        self._latents: list[Tensor] = []

    def __len__(self) -> int:
        return sum(len(shard) for shard in self._latents)

    def fill(self, vae: AutoencoderKL, count: int) -> None:
        """Make or read latents until there are `count` (a multiple of SHARD)."""
        for number in range(len(self._latents), count // SHARD):
            path = self._folder / f"{self._name}-{number:03d}.pt"
            if not path.exists():
                temporary = path.with_suffix(".tmp")
                torch.save(self._shard(vae, number), temporary)
                temporary.replace(path)
                sys.stderr.write(f"{self._name}: {(number + 1) * SHARD} of {count} pictures encoded\n")
            self._latents.append(torch.load(path, weights_only=True))

    def scene(self, index: int) -> Scene:
        return self._choose(np.random.default_rng((SEED, index)))

    def picture(self, index: int) -> Tensor:
        """(3, H, W) in -1..1."""
        return to_tensor(self._draw(self.scene(index)))

    def latents(self, indices: np.ndarray) -> Tensor:
        """(B, 4, 16, 16) float32, scaled as the UNet sees them."""
        return torch.stack([self._latents[i // SHARD][i % SHARD] for i in indices.tolist()]).float()

    @torch.no_grad()
    def _shard(self, vae: AutoencoderKL, number: int) -> Tensor:
        parts = []
        for start in range(number * SHARD, (number + 1) * SHARD, 8):
            pictures = torch.stack([self.picture(index) for index in range(start, start + 8)]).to(vae.device)
            with torch.autocast(vae.device.type, torch.bfloat16):
                latents = vae.encode(pictures).latent_dist.mean
            parts.append((latents.float() * LATENT_SCALE).cpu())
        return torch.cat(parts).half()
