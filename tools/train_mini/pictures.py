"""Pictures as prompts for the miniature: a small CLIP vision tower, and an IP-Adapter that makes tokens of what it sees
(Ye et al. 2023, arXiv:2308.06721).

The UNet is not run while they are trained. Its cross attentions are asked with queries that were recorded in pictures
being painted; what the adapter answers shall be what the caption's text would add to an empty prompt. The tower also
says which shape and colours it sees, which teaches it faster.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from tools.train_mini.course import Course, Rates
from tools.train_mini.drawing import draw
from tools.train_mini.networks import TEXT_WIDTH
from tools.train_mini.scenes import COLOURS, SHAPES, Scene, random_scene
from tools.train_mini.unet import TIMESTEPS, Painter

SIDE, PATCH, WIDTH, PROJECTED, TOKENS = 64, 8, 64, 64, 8
BATCH = 32
SEED = 11
QUERIES = 96  # asked in each step, in each layer
DRAWN = 2048  # pictures
RECORDED = 12  # captions in whose pictures queries are recorded
CLASSES = 2.0  # weight of the loss of what the tower says
NOTHING = 0.25  # weight of the loss on the negative prompt's side
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of CLIP
STD = (0.26862954, 0.26130258, 0.27577711)


class Adapter(nn.Module):
    """The tower with the projection, and keys and values for each cross attention, in the order of files."""

    def __init__(self, layers: list[Any]) -> None:
        super().__init__()
        config = CLIPVisionConfig(
            hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=3, num_attention_heads=1,
            image_size=SIDE, patch_size=PATCH, projection_dim=PROJECTED, hidden_act="gelu",
        )  # fmt: skip
        self.tower = CLIPVisionModelWithProjection(config)
        self.proj, self.norm = nn.Linear(PROJECTED, TOKENS * TEXT_WIDTH), nn.LayerNorm(TEXT_WIDTH)
        self.keys, self.values = nn.ModuleList(), nn.ModuleList()
        for layer in layers:  # beginning with what the text is read by
            for made, read in ((self.keys, layer.to_k), (self.values, layer.to_v)):
                linear = nn.Linear(TEXT_WIDTH, read.out_features, bias=False)
                linear.weight.data.copy_(read.weight)
                made.append(linear)
        self.says = nn.ModuleList(nn.Linear(PROJECTED, count) for count in (len(SHAPES), len(COLOURS), len(COLOURS)))

    def tokens(self, embedding: Tensor) -> Tensor:
        """(B, PROJECTED) -> (B, TOKENS, TEXT_WIDTH)."""
        return self.norm(self.proj(embedding).unflatten(-1, (TOKENS, TEXT_WIDTH)))  # type: ignore[no-any-return]


def train_pictures(painter: Painter, folder: Path, steps: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Train or go on training; returns the tensors of the tower's file and those of the adapter's."""
    torch.manual_seed(SEED)
    painter.requires_grad_(False)
    layers = crossing(painter)
    queries = recorded(painter, layers)
    adapter = Adapter(layers).to(painter.device)
    course = Course("pictures", adapter, folder, Rates(1.5e-3, fall=0.4), average=0.995)
    scenes = [single(np.random.default_rng((SEED, number))) for number in range(DRAWN)]
    shown = torch.stack([seen(scene) for scene in scenes])
    answers = torch.tensor([_answer(scene) for scene in scenes])
    with torch.no_grad():
        texts = torch.cat(
            [painter.context([described(one) for one in scenes[at : at + 64]]) for at in range(0, DRAWN, 64)]
        )
        blank = painter.context([""])
        plain = [_asked(layer, query, blank) for layer, query in zip(layers, queries, strict=True)]

    def loss(generator: np.random.Generator) -> Tensor:
        these = torch.from_numpy(generator.integers(0, DRAWN, size=BATCH))
        embedding = adapter.tower(pixel_values=shown[these].to(painter.device)).image_embeds
        picture, nothing = adapter.tokens(embedding), adapter.tokens(torch.zeros_like(embedding[:1]))
        text = texts[these]
        chosen = torch.from_numpy(generator.integers(0, len(queries[0]), size=QUERIES))
        total = CLASSES * _told_wrongly(adapter, embedding, answers[these].to(painter.device))
        for number, (layer, query) in enumerate(zip(layers, queries, strict=True)):
            asking = query[chosen]
            wanted = _asked(layer, asking, text) - plain[number][:, chosen]
            size = wanted.square().mean()
            found = _answered(layer.heads, asking, adapter.keys[number](picture), adapter.values[number](picture))
            empty = _answered(layer.heads, asking, adapter.keys[number](nothing), adapter.values[number](nothing))
            total = total + (functional.mse_loss(found, wanted) + NOTHING * empty.square().mean()) / size / len(layers)
        return total

    course.run(steps, loss, seed=SEED)
    return tower_file(course.averaged()), adapter_file(course.averaged())


def crossing(painter: Painter) -> list[Any]:
    """The cross attentions in the order of files: encoder, decoder, middle."""
    unet = painter.unet
    parts = (unet.down_blocks, unet.up_blocks, unet.mid_block)
    return [layer for part in parts for name, layer in part.named_modules() if name.endswith("attn2")]


@torch.no_grad()
def recorded(painter: Painter, layers: list[Any]) -> list[Tensor]:
    """(n, H x d) queries of each layer, from pictures in all states of being painted."""
    kept: list[list[Tensor]] = [[] for _ in layers]
    generator = np.random.default_rng(SEED)

    def record(number: int, made: Tensor) -> None:
        flat = made.flatten(0, 1)
        kept[number].append(flat[torch.from_numpy(generator.integers(0, len(flat), size=64))])

    handles = [
        layer.to_q.register_forward_hook(lambda _module, _given, made, number=number: record(number, made))
        for number, layer in enumerate(layers)
    ]
    scenes = [single(generator) for _ in range(RECORDED)]
    text, empty = painter.context([described(scene) for scene in scenes]), painter.context([""] * RECORDED)
    latents = torch.randn(RECORDED, 4, 16, 16, generator=torch.Generator().manual_seed(SEED)).to(painter.device)
    times = torch.linspace(TIMESTEPS - 1, 0, 10).round().long().tolist()
    for time, following in zip(times, [*times[1:], -1], strict=True):
        both = painter.unet(
            torch.cat([latents, latents]), torch.tensor([time] * 2 * RECORDED), torch.cat([text, empty])
        ).sample
        cond, uncond = both.chunk(2)
        noise = uncond + 4.0 * (cond - uncond)
        share = painter.alphas[time]
        later = painter.alphas[following] if following >= 0 else torch.ones(())
        clean = (latents - (1 - share).sqrt() * noise) / share.sqrt()
        latents = later.sqrt() * clean + (1 - later).sqrt() * noise
    for handle in handles:
        handle.remove()
    return [torch.cat(one) for one in kept]


def single(generator: np.random.Generator) -> Scene:
    """A scene with one plain, large object near the middle of a plain background, of any combination of the training
    set: how large it is and where, the tokens do not say, and small ones lie within a patch or two of the tower.
    """
    while True:
        scene = random_scene(generator)
        if len(scene.things) == 1 and scene.things[0].style == "plain" and scene.background.to is None:
            x, y = 64 + generator.uniform(-6, 6, size=2)
            thing = replace(scene.things[0], x=float(x), y=float(y), radius=float(generator.uniform(26, 36)))
            return replace(scene, things=(thing,))


def described(scene: Scene) -> str:
    """What the picture says as a prompt: the object and the background, not the place."""
    thing, background = scene.things[0], scene.background
    return f"a {thing.colour} {thing.shape} on a {background.colour} background"


def seen(scene: Scene) -> Tensor:
    """(3, SIDE, SIDE), normalised as CLIP wants it."""
    pixels = np.asarray(draw(scene).resize((SIDE, SIDE)), dtype=np.float32) / 255
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (MEAN, STD))
    return (torch.from_numpy(pixels).permute(2, 0, 1) - mean) / std


def _answer(scene: Scene) -> tuple[int, int, int]:
    """The numbers of shape, colour and background."""
    thing, colours = scene.things[0], tuple(COLOURS)
    return SHAPES.index(thing.shape), colours.index(thing.colour), colours.index(scene.background.colour)


def _told_wrongly(adapter: Adapter, embedding: Tensor, answers: Tensor) -> Tensor:
    losses = [functional.cross_entropy(says(embedding), answers[:, at]) for at, says in enumerate(adapter.says)]
    return torch.stack(losses).mean()


def _asked(layer: Any, query: Tensor, text: Tensor) -> Tensor:
    """(B, n, H x d): what a cross attention reads in texts (B, T, D) for queries (n, H x d)."""
    return _answered(layer.heads, query, layer.to_k(text), layer.to_v(text))


def _answered(heads: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    asking, read, told = (
        one.view(len(key), -1, heads, one.shape[-1] // heads).transpose(1, 2)
        for one in (query.repeat(len(key), 1, 1), key, value)
    )
    return functional.scaled_dot_product_attention(asking, read, told).transpose(1, 2).flatten(2)


def tower_file(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tower under the names of transformers."""
    return {name.removeprefix("tower."): value for name, value in weights.items() if name.startswith("tower.")}


def adapter_file(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The adapter under the names of IP-Adapter's files."""
    found = {f"image_proj.{name}": value for name, value in weights.items() if name.startswith(("proj.", "norm."))}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        if part in ("keys", "values"):
            found[f"ip_adapter.{2 * int(rest.split('.')[0]) + 1}.to_{part[0]}_ip.weight"] = value
    return found
