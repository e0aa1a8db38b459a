"""Building blocks of the encoder that a control network copies from a UNet, under the names of LDM's checkpoints.

The layers are those of latent diffusion (arXiv:2112.10752). `control_net.py` builds the encoder of them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32  # number of groups of every GroupNorm
NORM_EPS = 1e-5  # for the GroupNorm of residual blocks
TRANSFORMER_EPS = 1e-6  # for the GroupNorm before a transformer
MAX_PERIOD = 10_000


def timestep_embedding(timestep: Tensor, channels: int) -> Tensor:
    """(B,) times, which may be fractional -> (B, channels) float32: cosines, then sines (arXiv:1706.03762, 3.5)."""
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=timestep.device)
    angles = timestep.float()[:, None] * torch.exp(-math.log(MAX_PERIOD) / half * steps)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class ResidualBlock(nn.Module):
    """Two convolutions with the time embedding added between them."""

    def __init__(self, channels: int, out_channels: int, embedding: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels, NORM_EPS), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, out_channels, NORM_EPS),
            nn.SiLU(),
            nn.Identity(),  # dropout during training; it keeps the numbers in the names of layers
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        self.skip_connection: nn.Module = nn.Identity()
        if channels != out_channels:
            self.skip_connection = nn.Conv2d(channels, out_channels, 1)

    def forward(self, hidden: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """(B, C, h, w) and the embedded time (B, E) -> (B, C', h, w)."""
        inner = self.in_layers(hidden) + self.emb_layers(embedded)[:, :, None, None]
        return self.skip_connection(hidden) + self.out_layers(inner)  # type: ignore[no-any-return]


class Downsample(nn.Module):
    """Halves the size by a convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, ceil(h / 2), ceil(w / 2))."""
        halved: Tensor = self.op(hidden)
        return halved


class Stem(nn.Conv2d):
    """The first convolution."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, padding=1)

    def forward(self, hidden: Tensor, embedded: Tensor, context: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C_in, h, w) -> (B, C, h, w)."""
        made: Tensor = super().forward(hidden)
        return made


class Attention(nn.Module):
    """Multi-head attention (arXiv:1706.03762). `heads` may be set after building, because tensors do not tell it."""

    def __init__(self, channels: int, context: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context, channels, bias=False)
        self.to_v = nn.Linear(context, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """(B, S, C) asks (B, T, D) -> (B, S, C)."""
        asked, keys, values = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q(hidden), self.to_k(context), self.to_v(context))
        )
        found = functional.scaled_dot_product_attention(asked, keys, values)
        return self.to_out(found.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class GatedLinear(nn.Module):
    """GEGLU (arXiv:2002.05202)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, inner * 2)

    def forward(self, hidden: Tensor) -> Tensor:
        value, gate = self.proj(hidden).chunk(2, dim=-1)
        return value * functional.gelu(gate)  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """The two layers after attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GatedLinear(channels, channels * 4), nn.Identity(), nn.Linear(channels * 4, channels))

    def forward(self, hidden: Tensor) -> Tensor:
        return self.net(hidden)  # type: ignore[no-any-return]


class TransformerBlock(nn.Module):
    """Self-attention, attention to the text, feed-forward."""

    def __init__(self, channels: int, context: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, context)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        own = self.norm1(hidden)
        hidden = hidden + self.attn1(own, own)
        hidden = hidden + self.attn2(self.norm2(hidden), context)
        return hidden + self.ff(self.norm3(hidden))  # type: ignore[no-any-return]


class SpatialTransformer(nn.Module):
    """Transformer blocks over the pixels of a feature map. With no blocks (SDXL "small") only the projections
    remain.
    """

    def __init__(self, channels: int, context: int, depth: int, *, linear: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, TRANSFORMER_EPS)
        self.proj_in: nn.Module = nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(TransformerBlock(channels, context) for _ in range(depth))
        self.proj_out: nn.Module = nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1)
        self.linear = linear

    def forward(self, hidden: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """(B, C, h, w) and text (B, T, D) -> (B, C, h, w)."""
        size = hidden.shape[-2:]
        inner = self.norm(hidden)
        inner = self.proj_in(_as_rows(inner)) if self.linear else _as_rows(self.proj_in(inner))
        for block in self.transformer_blocks:
            inner = block(inner, context)
        inner = _as_map(self.proj_out(inner), size) if self.linear else self.proj_out(_as_map(inner, size))
        return hidden + inner


class Unchanged(nn.Module):
    """The layer that replaces the transformer in a middle block without one."""

    def forward(self, hidden: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        return hidden


class LayerSequence(nn.ModuleList):
    """Layers that run one after another, each of which gets time and text: one numbered block of LDM."""

    def forward(self, hidden: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        for layer in self:
            hidden = layer(hidden, embedded, context)
        return hidden


class HintEmbedding(nn.Sequential):
    """The small network that brings a hint to the size of the latents (arXiv:2302.05543, section 3.3)."""

    def __init__(self, widths: Sequence[int]) -> None:
        """`widths`: channels from the hint to the encoder; every second inner convolution halves the size."""
        layers: list[nn.Module] = []
        for number, (here, there) in enumerate(pairwise(widths)):
            is_inner = 0 < number < len(widths) - 2
            layers += [nn.Conv2d(here, there, 3, stride=2 if is_inner and number % 2 == 0 else 1, padding=1), nn.SiLU()]
        super().__init__(*layers[:-1])


def _as_rows(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)


def _as_map(rows: Tensor, size: Sequence[int]) -> Tensor:
    return rows.transpose(1, 2).reshape(len(rows), -1, *size)
