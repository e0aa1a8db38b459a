"""A transformer of a few thousand weights that looks at patches, the time and the text; and its text encoder."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from webui.prompt.ports import Encoded, Splice, TextEncoder

WIDTH, WORDS, PATCH = 32, 97, 2


class TinyTransformer(nn.Module):
    """Answers noise - clean for the estimate `constant` + gate x what the transformer makes of its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(channels))
        self.gate = nn.Parameter(torch.zeros(()))
        self.into = nn.Linear(channels * PATCH**2, WIDTH)
        self.place = nn.Linear(3, WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        wide = 2 * WIDTH
        self.mix = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, wide), nn.GELU(), nn.Linear(wide, WIDTH))
        self.out = nn.Linear(WIDTH, channels * PATCH**2)

    def forward(self, seen: Tensor, share: Tensor, context: Tensor) -> Tensor:
        """(B, C, h, w), (B,) in 0..1, (B, T, WIDTH) -> (B, C, h, w); h and w are even."""
        height, width = seen.shape[-2] // PATCH, seen.shape[-1] // PATCH
        patches = self.into(nn.functional.pixel_unshuffle(seen, PATCH).flatten(2).mT)
        rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        place = torch.stack([rows.flatten(), columns.flatten()], dim=-1).expand(len(seen), -1, -1)
        place = torch.cat([place, share[:, None, None].expand(-1, place.shape[1], 1)], dim=-1)
        tokens = torch.cat([patches + self.place(place), context], dim=1)
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        tokens = tokens + self.mix(tokens)
        made = self.out(tokens[:, : height * width]).mT.unflatten(2, (height, width))
        clean = self.constant[:, None, None] + self.gate * nn.functional.pixel_shuffle(made, PATCH)
        return (seen - clean) / share[:, None, None, None]


class TinyText(TextEncoder):
    """Words and places added up; CLIP's ids are taken modulo a small vocabulary."""

    width = WIDTH
    pads_with_zero = True
    slot: Literal["clip_l", "clip_g"] = "clip_l"

    def __init__(self, window: int) -> None:
        self.module = nn.ModuleDict({"words": nn.Embedding(WORDS, WIDTH), "places": nn.Embedding(window, WIDTH)})

    @torch.no_grad()
    def encode(self, tokens: Tensor, splices: Sequence[Sequence[Splice]], *, clip_skip: int) -> Encoded:
        places = self.module["places"](torch.arange(tokens.shape[1]))
        return Encoded(self.module["words"](tokens % WORDS) + places)
