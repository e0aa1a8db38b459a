"""Stage 2: the text encoder learns to understand captions before the UNet is trained.

A CLIP text model normally comes from 400 million pictures with captions (Radford et al. 2021). Ours reads captions of
scenes and answers questions about them (which colour, what shape, where), each through one attention over its output,
which is the way the UNet will look at it too. The UNet's training goes on changing it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.modeling_clip import CLIPTextModel

from tools.train_mini.captions import caption
from tools.train_mini.course import Course, Rates
from tools.train_mini.networks import END, TEXT_WIDTH, TOKENS, new_text_encoder
from tools.train_mini.scenes import COLOURS, PLACES, SHAPES, Scene, random_scene
from webui.prompt.tokenize import START, ClipTokenizer

BATCH = 64
STEPS = 1600
SEED = 2

_COLOURS = ("", *COLOURS)
_SHAPES = ("", *SHAPES)
_STYLES = ("", "plain", "outlined", "striped", "dotted")
_SIZES = ("small", "medium", "large")
_RELATIONS = (None, "left", "right", "above", "below", "beside")
_ANSWERS = (*(len(_SHAPES), len(_COLOURS), len(_STYLES)) * 2, len(_COLOURS), len(_COLOURS), 3, 3, len(PLACES), 6)


class Reader(nn.Module):
    """The text encoder with one question an answer: a learned query over its output and a linear choice."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = new_text_encoder()
        self.questions = nn.Parameter(torch.randn(len(_ANSWERS), TEXT_WIDTH) * 0.1)
        self.values = nn.Linear(TEXT_WIDTH, TEXT_WIDTH)
        self.choices = nn.ModuleList(nn.Linear(TEXT_WIDTH, count) for count in _ANSWERS)

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Logits of each answer, (B, choices)."""
        hidden = encode(self.encoder, tokens)
        looks = (self.questions @ hidden.transpose(1, 2) / TEXT_WIDTH**0.5).softmax(dim=-1)
        seen = looks @ self.values(hidden)
        return [choice(seen[:, index]) for index, choice in enumerate(self.choices)]


def encode(encoder: CLIPTextModel, tokens: Tensor) -> Tensor:
    """(B, 77) ids -> (B, 77, D), the last hidden state after the final norm, as SD1 takes it."""
    hidden: Tensor = encoder(input_ids=tokens).last_hidden_state
    return hidden


def tokenize(tokenizer: ClipTokenizer, texts: Sequence[str]) -> Tensor:
    """(B, 77) int64: BOS, the text, and EOS to the end, as SD1 pads."""
    rows = torch.full((len(texts), TOKENS), END, dtype=torch.int64)
    rows[:, 0] = START
    for row, ids in zip(rows, tokenizer.ids(texts), strict=True):
        if len(ids) > TOKENS - 2:
            raise ValueError(f"a caption has {len(ids)} tokens, at most {TOKENS - 2} fit")
        row[1 : 1 + len(ids)] = torch.tensor(ids)
    return rows


def train_text(folder: Path, device: torch.device, steps: int = STEPS) -> CLIPTextModel:
    """Train or go on training; returns the averaged text encoder."""
    torch.manual_seed(SEED)
    reader = Reader().to(device)
    tokenizer = ClipTokenizer()
    course = Course("text", reader, folder, Rates(1e-3), average=0.995)

    def loss(generator: np.random.Generator) -> Tensor:
        scenes = [random_scene(generator) for _ in range(BATCH)]
        logits = reader(tokenize(tokenizer, [caption(scene, generator) for scene in scenes]).to(device))
        wanted = torch.tensor([_answers(scene) for scene in scenes], device=device)
        parts = [functional.cross_entropy(logit, wanted[:, index]) for index, logit in enumerate(logits)]
        return torch.stack(parts).mean()

    course.run(steps, loss, seed=SEED)
    reader.load_state_dict(course.averaged())
    return reader.encoder


def _answers(scene: Scene) -> list[int]:
    answers: list[int] = []
    for index in range(2):
        known = index == 0 or scene.relation is not None
        thing = scene.things[index] if known else None
        answers.append(_SHAPES.index(thing.shape if thing else ""))
        answers.append(_COLOURS.index(thing.colour if thing else ""))
        answers.append(_STYLES.index(thing.style if thing else ""))
    answers.append(_COLOURS.index(scene.background.colour))
    answers.append(_COLOURS.index(scene.background.to or ""))
    answers.append(0 if scene.relation else len(scene.things) - 1)
    answers.append(_SIZES.index(scene.size))
    answers.append(tuple(PLACES).index(scene.place))
    answers.append(_RELATIONS.index(scene.relation))
    return answers
