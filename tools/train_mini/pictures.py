"""Pictures as prompts for the miniature: an IP-Adapter that makes tokens of what the image encoder sees
(Ye et al. 2023, arXiv:2308.06721).

The UNet is not run while it is trained. Its cross attentions are asked with queries that were recorded in pictures
being painted; what the adapter answers shall be what the caption's text would add to an empty prompt. A shape changes
these answers much less than a colour does, so the captions come in fours of which three differ from the first in one
word, and each word's difference counts by its own size.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

from tools.train_mini.course import Course, Rates
from tools.train_mini.networks import TEXT_WIDTH
from tools.train_mini.plain_shapes import PlainShapes, combinations
from tools.train_mini.scenes import COLOURS, SHAPES
from tools.train_mini.unet import TIMESTEPS, Painter
from tools.train_mini.vision import PROJECTED

TOKENS = 16
FOURS = 6  # in a batch
SEED = 11
QUERIES = 48  # asked in each step, in each layer
VIEWS = 24  # of each combination, at other places and sizes
RECORDED, KEPT = 12, 256  # captions in whose pictures queries are recorded, and how many at once
DIFFERENCE = 0.5  # weight of the loss on each word's difference
NOTHING = 0.25  # weight of the loss on the negative prompt's side


class Adapter(nn.Module):
    """The projection, and keys and values for each cross attention, in the order of files."""

    def __init__(self, layers: list[Any]) -> None:
        super().__init__()
        self.proj, self.norm = nn.Linear(PROJECTED, TOKENS * TEXT_WIDTH), nn.LayerNorm(TEXT_WIDTH)
        self.keys, self.values = nn.ModuleList(), nn.ModuleList()
        for layer in layers:  # beginning with what the text is read by
            for made, read in ((self.keys, layer.to_k), (self.values, layer.to_v)):
                linear = nn.Linear(TEXT_WIDTH, read.out_features, bias=False)
                linear.weight.data.copy_(read.weight)
                made.append(linear)

    def tokens(self, embedding: Tensor) -> Tensor:
        """(B, PROJECTED) -> (B, TOKENS, TEXT_WIDTH)."""
        return self.norm(self.proj(embedding).unflatten(-1, (TOKENS, TEXT_WIDTH)))  # type: ignore[no-any-return]


def train_pictures(
    painter: Painter, tower: CLIPVisionModelWithProjection, folder: Path, steps: int
) -> dict[str, Tensor]:
    """Train or go on training; returns the tensors of the adapter's file."""
    torch.manual_seed(SEED)
    painter.requires_grad_(False)
    layers = crossing(painter)
    queries = recorded(painter, layers)
    adapter = Adapter(layers).to(painter.device)
    course = Course("pictures", adapter, folder, Rates(3e-3, fall=0.5), average=0.99)
    fours = Fours(combinations())
    embeddings, texts = _seen(tower, fours.known), _read(painter, fours.known)
    with torch.no_grad():
        blank = painter.context([""])
        plain = [_asked(layer, query, blank) for layer, query in zip(layers, queries, strict=True)]

    def loss(generator: np.random.Generator) -> Tensor:
        these = fours.draw(generator, FOURS)
        views = torch.from_numpy(generator.integers(0, VIEWS, size=these.shape))
        picture = adapter.tokens(embeddings[views, these].flatten(0, 1))
        nothing = adapter.tokens(torch.zeros_like(embeddings[0, :1]))
        text = texts[these.flatten()]
        chosen = torch.from_numpy(generator.integers(0, len(queries[0]), size=QUERIES))
        total = torch.zeros((), device=painter.device)
        for number, (layer, query) in enumerate(zip(layers, queries, strict=True)):
            asking = query[chosen]
            wanted = _asked(layer, asking, text) - plain[number][:, chosen]
            keys, values = adapter.keys[number], adapter.values[number]
            found = _answered(layer.heads, asking, keys(picture), values(picture))
            empty = _answered(layer.heads, asking, keys(nothing), values(nothing))
            total = total + NOTHING * empty.square().mean() / wanted.square().mean() + _missed(found, wanted)
        return total / len(layers)

    course.run(steps, loss, seed=SEED)
    return adapter_file(course.averaged())


class Fours:
    """Combinations in fours: one, and three that differ from it in shape, in colour, in background."""

    def __init__(self, known: Tensor) -> None:
        self.known = known  # (n, 3)
        self._numbers = {tuple(one): number for number, one in enumerate(known.tolist())}

    def draw(self, generator: np.random.Generator, count: int) -> Tensor:
        """(4, count): numbers of combinations."""
        found: list[list[int]] = []
        while len(found) < count:
            first = tuple(self.known[int(generator.integers(0, len(self.known)))].tolist())
            others = [
                (*first[:place], int(generator.integers(0, names)), *first[place + 1 :])
                for place, names in enumerate((len(SHAPES), len(COLOURS), len(COLOURS)))
            ]
            if all(other in self._numbers and other != first for other in others):
                found.append([self._numbers[one] for one in (first, *others)])
        return torch.tensor(found).T


def described(combination: list[int]) -> str:
    """What a picture says as a prompt: the object and the background, not the place."""
    shape, colour, background = combination
    names = tuple(COLOURS)
    return f"a large {names[colour]} {SHAPES[shape]} on a {names[background]} background"


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
        kept[number].append(flat[torch.from_numpy(generator.integers(0, len(flat), size=KEPT))])

    handles = [
        layer.to_q.register_forward_hook(lambda _module, _given, made, number=number: record(number, made))
        for number, layer in enumerate(layers)
    ]
    known = combinations()
    captions = [described(known[int(generator.integers(0, len(known)))].tolist()) for _ in range(RECORDED)]
    text, empty = painter.context(captions), painter.context([""] * RECORDED)
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


@torch.no_grad()
def _seen(tower: CLIPVisionModelWithProjection, known: Tensor) -> Tensor:
    """(VIEWS, n, PROJECTED): what the tower sees in pictures of the combinations."""
    shapes, generator = PlainShapes(SEED), np.random.default_rng(SEED)
    views = [shapes.show(known, generator).pixels.to(tower.device) for _ in range(VIEWS)]
    return torch.stack([tower(pixel_values=pixels).image_embeds for pixels in views])


@torch.no_grad()
def _read(painter: Painter, known: Tensor) -> Tensor:
    """(n, 77, TEXT_WIDTH): what the text encoder makes of the combinations' captions."""
    captions = [described(one) for one in known.tolist()]
    return torch.cat([painter.context(captions[at : at + 64]) for at in range(0, len(captions), 64)])


def _missed(found: Tensor, wanted: Tensor) -> Tensor:
    """The error of answers (4 x FOURS, n, H x d), whole and in the difference that each word makes, by their sizes."""
    total = functional.mse_loss(found, wanted) / wanted.square().mean()
    found, wanted = (one.reshape(4, -1, *one.shape[1:]) for one in (found, wanted))
    for other in (1, 2, 3):
        differs = wanted[other] - wanted[0]
        total = total + DIFFERENCE * functional.mse_loss(found[other] - found[0], differs) / differs.square().mean()
    return total


def _asked(layer: Any, query: Tensor, text: Tensor) -> Tensor:
    """(B, n, H x d): what a cross attention reads in texts (B, T, D) for queries (n, H x d)."""
    return _answered(layer.heads, query, layer.to_k(text), layer.to_v(text))


def _answered(heads: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    asking, read, told = (
        one.view(len(key), -1, heads, one.shape[-1] // heads).transpose(1, 2)
        for one in (query.repeat(len(key), 1, 1), key, value)
    )
    return functional.scaled_dot_product_attention(asking, read, told).transpose(1, 2).flatten(2)


def adapter_file(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The adapter under the names of IP-Adapter's files."""
    found = {f"image_proj.{name}": value for name, value in weights.items() if name.startswith(("proj.", "norm."))}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        if part in ("keys", "values"):
            found[f"ip_adapter.{2 * int(rest.split('.')[0]) + 1}.to_{part[0]}_ip.weight"] = value
    return found
