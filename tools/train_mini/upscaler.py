"""A small x2 upscaler in the form that ESRGAN tools call Compact (`body.N`): convolutions, PReLU, one pixel shuffle.

It learns what anti-aliased edges look like at twice the size, from drawn pictures and their halves.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.train_mini.course import Course, Rates
from tools.train_mini.drawing import draw
from tools.train_mini.scenes import NEW_SHAPE, SHAPES, SIZE, random_scene
from tools.train_mini.vae import to_tensor

SCALE = 2
WIDTH = 24
DEPTH = 6
CROP = 64
EDGES = 20.0  # weight of the squared error, which is that of edges
BATCH = 12
SEED = 10


class Upscaler(nn.Module):
    """(B, 3, H, W) in 0..1 -> (B, 3, 2H, 2W): the picture by nearest neighbour plus what is missing."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 3, padding=1), nn.PReLU(WIDTH)]
        for _ in range(DEPTH):
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.PReLU(WIDTH)]
        last = nn.Conv2d(WIDTH, 3 * SCALE**2, 3, padding=1)
        layers.append(last)
        self.body = nn.ModuleList(layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # torch's usual start fades from layer to layer, and training stands still
                nn.init.kaiming_normal_(layer.weight, a=0.25)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these have one
        nn.init.normal_(last.weight, std=1e-3)  # begins as nearest neighbour

    def forward(self, pictures: Tensor) -> Tensor:
        hidden = pictures
        for layer in self.body:
            hidden = layer(hidden)
        larger = functional.interpolate(pictures, scale_factor=float(SCALE), mode="nearest")
        return functional.pixel_shuffle(hidden, SCALE) + larger


def train_upscaler(folder: Path, device: torch.device, steps: int) -> dict[str, Tensor]:
    """Train or go on training; returns the tensors of the file."""
    torch.manual_seed(SEED)
    upscaler = Upscaler().to(device)
    course = Course("upscaler", upscaler, folder, Rates(2e-3, fall=0.5), average=0.99)

    def loss(generator: np.random.Generator) -> Tensor:
        large = torch.stack([_crop(generator) for _ in range(BATCH)]).to(device)
        small = functional.avg_pool2d(large, SCALE)
        made = upscaler(small)
        # The absolute error alone stays where training starts: flat areas are right already and edges are few.
        return functional.l1_loss(made, large) + EDGES * functional.mse_loss(made, large)

    course.run(steps, loss, seed=SEED)
    return course.averaged()


def _crop(generator: np.random.Generator) -> Tensor:
    """(3, CROP, CROP) in 0..1, from somewhere in a picture."""
    picture = (to_tensor(draw(random_scene(generator, shapes=(*SHAPES, NEW_SHAPE)))) + 1.0) / 2.0
    x, y = generator.integers(0, SIZE - CROP + 1, size=2)
    return picture[:, y : y + CROP, x : x + CROP]
