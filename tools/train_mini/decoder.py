"""Stage 1b: the decoder learns on, the encoder stays as it is, so that latents keep their meaning.

It sees latents with a little noise, which is what a UNet hands it: decoding must forgive what sampling leaves behind.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from tools.train_mini.course import Course, Rates
from tools.train_mini.drawing import draw
from tools.train_mini.networks import LATENT_SCALE
from tools.train_mini.pool import Pool
from tools.train_mini.quick import channels_last, prepare, quick
from tools.train_mini.scenes import Scene
from tools.train_mini.vae import OBJECT_WEIGHT, reconstruction_error, show, to_tensor

BATCH = 4
NOISE = 0.08  # deviation of what is added to latents of about unit variance
STEPS = 3000
SEED = 11


def train_decoder(vae: AutoencoderKL, pool: Pool, folder: Path, steps: int = STEPS) -> AutoencoderKL:
    """Train or go on training; returns the network with the averaged decoder."""
    torch.manual_seed(SEED)
    vae.requires_grad_(False)
    for part in (vae.decoder, vae.post_quant_conv):
        part.requires_grad_(True)
    prepare(vae)
    course = Course("decoder", vae, folder, Rates(5e-4, fall=0.7), average=0.998)
    decode = quick(lambda latents: vae.decode(latents).sample, vae.device)

    def loss(generator: np.random.Generator) -> Tensor:
        indices = generator.integers(0, len(pool), size=BATCH)
        latents = pool.latents(indices)
        latents += NOISE * torch.from_numpy(generator.standard_normal(latents.shape, dtype=np.float32))
        made = decode(channels_last(latents.to(vae.device) / LATENT_SCALE))
        pictures = torch.stack([pool.picture(int(index)) for index in indices]).to(vae.device)
        weights = torch.stack([_weights(pool.scene(int(index)), pool.picture(int(index))) for index in indices])
        return reconstruction_error(made.float(), pictures, weights.to(vae.device))

    course.run(steps, loss, seed=SEED, look=lambda: _look(vae, folder), look_every=500)
    vae.load_state_dict({**vae.state_dict(), **course.averaged()})
    return vae


def _weights(scene: Scene, picture: Tensor) -> Tensor:
    """(1, H, W): objects count more than the background, which is much and easy."""
    objects = (picture != to_tensor(draw(Scene((), scene.background)))).any(dim=0, keepdim=True)
    return 1.0 + (OBJECT_WEIGHT - 1.0) * objects.float()


def _look(vae: AutoencoderKL, folder: Path) -> None:
    show(vae, folder / "decoder.png")
