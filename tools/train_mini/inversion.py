"""A textual inversion (Gal et al. 2022): one new word for "a large yellow star on a black background".

Nothing of the networks is trained, only the vectors that stand for the word.
"""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from tools.train_mini.course import Course, Rates
from tools.train_mini.networks import TEXT_WIDTH
from tools.train_mini.scenes import SIZE, Background, Scene, Thing
from tools.train_mini.unet import Batches, Painter, noise_loss

VECTORS = 4
WORD = "mini-beacon"
SEED = 7
PLACEHOLDER = "* " * VECTORS


class Word(nn.Module):
    """Vectors (VECTORS, D) in place of the placeholder's rows in the text encoder's input."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        embedding = painter.text.get_input_embeddings()
        table = cast(nn.Embedding, embedding).weight.detach()
        start = table[painter.tokenizer.ids(["star"])[0][0]]
        self.vectors = nn.Parameter(
            start.cpu().repeat(VECTORS, 1) + torch.randn(VECTORS, TEXT_WIDTH) * float(table.std()) * 0.1
        )
        self._place = painter.tokenizer.ids(["*"])[0][0]
        embedding.register_forward_hook(self._splice)

    def _splice(self, _layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
        rows = given[0] == self._place
        if not rows.any():
            return made
        order = rows.cumsum(dim=1).sub(1).clamp(0, VECTORS - 1)
        return torch.where(rows[..., None], self.vectors[order], made)


def beacon(generator: np.random.Generator) -> Scene:
    """The thing that the word stands for."""
    middle = SIZE / 2 + generator.uniform(-3.0, 3.0)
    thing = Thing("star", "yellow", middle, middle, generator.uniform(31.0, 35.0))
    return replace(Scene((thing,), Background("black")), size="large")


def train_inversion(painter: Painter, batch: Batches, folder: Path, steps: int) -> Tensor:
    """Train or go on training; returns the vectors (VECTORS, D)."""
    painter.requires_grad_(False)
    torch.manual_seed(SEED)
    word = Word(painter).to(painter.device)
    course = Course("inversion", word, folder, Rates(5e-3, warmup=10, fall=0.5), average=0.95)

    course.run(steps, lambda generator: noise_loss(painter, batch(generator)), seed=SEED)
    return course.averaged()["vectors"]
