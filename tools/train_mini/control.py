"""An edge ControlNet for the miniature (Zhang et al. 2023): a copy of the encoder that looks at edges.

The base stays as it is; the copy speaks to it through convolutions that start at zero.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from tools.train_mini.course import Course, Rates
from tools.train_mini.drawing import thing_mask
from tools.train_mini.export import UNET_LAYOUT
from tools.train_mini.networks import UNET_WIDTHS
from tools.train_mini.pool import Pool
from tools.train_mini.quick import channels_last, prepare, quick
from tools.train_mini.scenes import SIZE, Scene
from tools.train_mini.unet import BATCH, Batches, Painter

SEED = 9
EMPTY = 0.5  # more captions are left out than for the base: edges alone must be understood
HINT_WIDTHS = (16, 32, 96, 256)  # LDM's
PREFIX = "control_model."


def edges(scene: Scene) -> Image.Image:
    """White lines on black where the objects end, one to two pixels wide, as an edge detector finds them."""
    lines = np.zeros((SIZE, SIZE), dtype=bool)
    for thing in scene.things:
        inside = np.asarray(thing_mask(thing)) > 127
        lines[1:] |= inside[1:] != inside[:-1]
        lines[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    return Image.fromarray(np.repeat((lines * np.uint8(255))[:, :, None], 3, axis=2))


def train_control(painter: Painter, pool: Pool, folder: Path, steps: int) -> dict[str, Tensor]:
    """Train or go on training; returns the tensors of the file in the LDM layout."""
    torch.manual_seed(SEED)
    painter.requires_grad_(False)
    control: ControlNetModel = ControlNetModel.from_unet(painter.unet, conditioning_embedding_out_channels=HINT_WIDTHS)
    # LDM starts the hint's last convolution at zero too; with those at its other end it would learn much more slowly.
    control.controlnet_cond_embedding.conv_out.reset_parameters()
    nn.Module.to(control, painter.device)
    prepare(control)

    def guess(noised: Tensor, timesteps: Tensor, context: Tensor, hints: Tensor) -> Tensor:
        down, middle = control(noised, timesteps, context, controlnet_cond=hints, return_dict=False)
        noise: Tensor = painter.unet(
            noised,
            timesteps,
            context,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        ).sample
        return noise

    quickly = quick(guess, painter.device)
    course = Course("control", control, folder, Rates(1e-3), average=0.99)

    batches = Batches(pool, count=BATCH // 2, empty=EMPTY)
    device = painter.device

    def loss(generator: np.random.Generator) -> Tensor:
        batch = batches(generator)
        drawn = np.stack([np.asarray(edges(pool.scene(int(index)))) for index in batch.indices])
        hints = torch.from_numpy(drawn).to(device).permute(0, 3, 1, 2) / 255.0
        noise, timesteps = batch.noise.to(device), batch.timesteps.to(device)
        context = painter.context(batch.captions)
        noised = painter.noised(batch.latents.to(device), noise, timesteps)
        made = quickly(channels_last(noised), timesteps, context, channels_last(hints))
        return painter.weighted(functional.mse_loss(made.float(), noise, reduction="none"), timesteps)

    course.run(steps, loss, seed=SEED)
    return ldm_control(course.averaged())


def ldm_control(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """diffusers' names of a ControlNet's tensors to LDM's `control_model.*`."""
    places = MappingProxyType(
        {
            **{f"controlnet_down_blocks.{i}": f"zero_convs.{i}.0" for i in range(2 * len(UNET_WIDTHS))},
            "controlnet_mid_block": "middle_block_out.0",
            "controlnet_cond_embedding.conv_in": "input_hint_block.0",
            **{
                f"controlnet_cond_embedding.blocks.{i}": f"input_hint_block.{2 * i + 2}"
                for i in range(2 * len(HINT_WIDTHS) - 2)
            },
            "controlnet_cond_embedding.conv_out": f"input_hint_block.{4 * len(HINT_WIDTHS) - 2}",
        }
    )
    named: dict[str, Tensor] = {}
    for key, value in weights.items():
        module, _, leaf = key.rpartition(".")
        ldm = f"{places[module]}.{leaf}" if module in places else UNET_LAYOUT.to_ldm(key)
        if ldm is None:
            raise ValueError(f"{key} has no name in the LDM layout of a ControlNet")
        named[PREFIX + ldm] = value
    return named
