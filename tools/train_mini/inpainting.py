"""A 9-channel inpainting UNet grown from the base: latents, mask, latents of the picture without what is masked.

Its first convolution gets five more input channels that start at zero (Rombach et al. 2022, section 4.5), so it starts
as the base and learns to look at what it may keep.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from tools.train_mini.course import Course, Rates
from tools.train_mini.networks import LATENT_SCALE, new_unet
from tools.train_mini.pool import Pool
from tools.train_mini.quick import channels_last, prepare, quick
from tools.train_mini.scenes import SIZE
from tools.train_mini.unet import BATCH, Batches, Painter

SEED = 8
CELL = 8  # pixels a latent cell and side


def grown(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The same network with nine input channels."""
    wider = new_unet(in_channels=9)
    state = dict(unet.state_dict())
    kept = state["conv_in.weight"]
    state["conv_in.weight"] = torch.cat([kept, torch.zeros(len(kept), 5, *kept.shape[2:], device=kept.device)], dim=1)
    wider.load_state_dict(state)
    return wider


def random_mask(generator: np.random.Generator) -> np.ndarray:
    """(SIZE, SIZE) float32, 1 where the picture is to be painted anew: a box, one half, or everything."""
    mask = np.zeros((SIZE, SIZE), dtype=np.float32)
    lot = generator.random()
    if lot < 0.1:
        mask[:] = 1.0
    elif lot < 0.35:
        edge = CELL * int(generator.integers(5, 12))
        turned = np.zeros_like(mask)
        turned[:, :edge] = 1.0
        mask = np.rot90(turned, int(generator.integers(4))).copy()
    else:
        width, height = CELL * generator.integers(4, 12, size=2)
        x, y = (CELL * int(generator.integers(0, (SIZE - side) // CELL + 1)) for side in (width, height))
        mask[y : y + height, x : x + width] = 1.0
    return mask


@torch.no_grad()
def masked_latents(vae: AutoencoderKL, pictures: Tensor, masks: Tensor) -> Tensor:
    """Latents (B, 4, 16, 16) of pictures (B, 3, H, W) with the masked part grey, as A1111 prepares them."""
    with torch.autocast(pictures.device.type, torch.bfloat16):
        latents: Tensor = vae.encode(pictures * (1.0 - masks)).latent_dist.mean
    return latents.float() * LATENT_SCALE


def train_inpainting(
    painter: Painter, pool: Pool, vae: AutoencoderKL, folder: Path, steps: int
) -> UNet2DConditionModel:
    """Train or go on training; returns the averaged UNet. The text encoder stays that of the base."""
    torch.manual_seed(SEED)
    unet = grown(painter.unet)
    nn.Module.to(unet, painter.device)
    prepare(unet)
    guess = quick(lambda given, timesteps, context: unet(given, timesteps, context).sample, painter.device)
    course = Course("inpainting", unet, folder, Rates(3e-4), average=0.995)

    batches = Batches(pool, count=BATCH // 2)
    device = painter.device

    def loss(generator: np.random.Generator) -> Tensor:
        batch = batches(generator)
        pictures = torch.stack([pool.picture(int(index)) for index in batch.indices]).to(device)
        masks = torch.from_numpy(np.stack([random_mask(generator) for _ in batch.indices]))[:, None].to(device)
        noise, timesteps = batch.noise.to(device), batch.timesteps.to(device)
        noised = painter.noised(batch.latents.to(device), noise, timesteps)
        small = functional.interpolate(masks, size=noised.shape[-2:])
        given = torch.cat([noised, small, masked_latents(vae, pictures, masks)], dim=1)
        with torch.no_grad():
            context = painter.context(batch.captions)
        made = guess(channels_last(given), timesteps, context).float()
        return painter.weighted(functional.mse_loss(made, noise, reduction="none"), timesteps)

    course.run(steps, loss, seed=SEED)
    unet.load_state_dict(course.averaged())
    return unet
