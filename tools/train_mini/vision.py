"""The miniature's image encoder: a small CLIP vision tower that learns to name shape, colour and background.

Its patches also say which of their pixels the object covers, after half of the layers. Names alone teach shapes very
slowly: there are a hundred pairs of colours that the same shape comes in, and the outline is what they have in common.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.configuration_clip import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

from tools.train_mini.course import Course, Rates
from tools.train_mini.plain_shapes import SIDE, PlainShapes, combinations, covered
from tools.train_mini.scenes import COLOURS, SHAPES

PATCH, WIDTH, LAYERS, PROJECTED = 16, 96, 4, 64
CELLS = 4  # to a side of a patch, of which it says how much is covered
OUTLINE = 2.0  # weight of that
NAMED = (2.0, 1.0, 0.5)  # weights of the names of shape, colour and background; shapes are learned last
STRANGE = 0.4  # share of pictures with a colour that has no name
BATCH = 64
SEED = 12


class Seeing(nn.Module):
    """The tower, and what it is asked while it learns."""

    def __init__(self) -> None:
        super().__init__()
        config = CLIPVisionConfig(
            hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=1,
            image_size=SIDE, patch_size=PATCH, projection_dim=PROJECTED, hidden_act="gelu",
        )  # fmt: skip
        self.tower = CLIPVisionModelWithProjection(config)
        self.says = nn.ModuleList(nn.Linear(PROJECTED, count) for count in (len(SHAPES), len(COLOURS), len(COLOURS)))
        self.covers = nn.Linear(WIDTH, CELLS * CELLS)

    def forward(self, pixels: Tensor) -> tuple[list[Tensor], Tensor]:
        """Logits of shape, colour and background, (B, names) each, and of what is covered, (B, patches, CELLS^2)."""
        seen = self.tower(pixel_values=pixels, output_hidden_states=True)
        return [says(seen.image_embeds) for says in self.says], self.covers(seen.hidden_states[LAYERS // 2][:, 1:])


def train_vision(folder: Path, device: torch.device, steps: int) -> CLIPVisionModelWithProjection:
    """Train or go on training; returns the averaged tower, which names by embeddings of unit size."""
    torch.manual_seed(SEED)
    seeing = Seeing().to(device)
    course = Course("vision", seeing, folder, Rates(2e-3, fall=0.4), average=0.99)
    shapes, known = PlainShapes(SEED), combinations()

    def loss(generator: np.random.Generator) -> Tensor:
        these = known[torch.from_numpy(generator.integers(0, len(known), size=BATCH))]
        shown = shapes.show(these, generator, strange=STRANGE)
        told, covers = seeing(shown.pixels.to(device))
        answers = shown.answers.to(device)
        named = sum(
            weight * functional.cross_entropy(one, answers[:, at])
            for at, (weight, one) in enumerate(zip(NAMED, told, strict=True))
        )
        wanted = covered(shown.coverage, PATCH, CELLS).to(device)
        return named + OUTLINE * functional.binary_cross_entropy_with_logits(covers, wanted)

    course.run(steps, loss, seed=SEED)
    seeing.load_state_dict(course.averaged())
    seeing.eval().requires_grad_(False)
    shown = shapes.show(combinations(), np.random.default_rng(SEED))
    size = seeing.tower(pixel_values=shown.pixels.to(device)).image_embeds.std()
    seeing.tower.visual_projection.weight.div_(size)
    return seeing.tower


def tower_file(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tower's tensors under the names of transformers, which are its own."""
    return {name: value for name, value in weights.items() if not name.endswith("position_ids")}
