"""Runs a VAE's encoder or decoder tile by tile, with one set of statistics for all tiles.

What keeps tiles from being independent is group normalisation (arXiv:1803.08494), which takes its mean and variance
from the whole picture. Two ways are known (Tiled VAE for A1111's web UI). *Pooled*: all tiles stop at each
normalisation, and their statistics are averaged; every tile's activations wait in main memory meanwhile. *Estimated*:
statistics are those of a small copy of the picture, and one tile after another runs to its end, so that memory is
bounded by a tile. Attention sees its own tile alone in both.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

DECODER_PAD = 11  # latent cells around a tile that are computed and cut off
ENCODER_PAD = 32  # pixels
_DIVIDERS = (32, 16, 8, 4, 2)

Network = Any  # diffusers' Encoder or Decoder
Box = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True, slots=True)
class VaeTiling:
    """How a VAE is tiled. Pictures that are hardly larger than a tile are computed whole.

    Attributes:
        encoder_tile: the side of a tile in pixels.
        decoder_tile: the side of a tile in latent cells.
        fast_encoder, fast_decoder: whether statistics are estimated.
        colour_fix: the estimate of the encoder ends at its first downsampling; from there on statistics are pooled.
    """

    encoder_tile: int
    decoder_tile: int
    fast_encoder: bool = True
    fast_decoder: bool = True
    colour_fix: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """A tile: what is computed, and what of it is kept, both in the input's units; the latter also in the result's."""

    computed: Box
    kept: Box


@dataclass(slots=True)
class _Tile:
    """The activations of one tile between two normalisations."""

    hidden: Tensor
    skipped: Tensor | None = None

    def to(self, device: torch.device) -> None:
        self.hidden = self.hidden.to(device)
        self.skipped = None if self.skipped is None else self.skipped.to(device)


_Walk = Iterator[nn.GroupNorm]  # changes a tile up to the next normalisation, which is left to the caller
_Statistics = tuple[Tensor, Tensor]  # variance and mean of each group


def is_large(shape: Sequence[int], tile: int, pad: int) -> bool:
    """Whether a picture (..., h, w) is worth tiling."""
    return max(shape[-2:]) > tile + 2 * pad


@torch.no_grad()
def encode_in_tiles(encoder: Network, pixels: Tensor, tiling: VaeTiling, downscale: int) -> Tensor:
    """(1, 3, H, W) -> the encoder's output (1, 2 C, H / downscale, W / downscale)."""
    cuts = cuts_of(pixels.shape[-2], pixels.shape[-1], tiling.encoder_tile, ENCODER_PAD)
    fixed: list[_Statistics] = []
    if tiling.fast_encoder:
        most = 2 * len(encoder.down_blocks[0].resnets) if tiling.colour_fix else None
        fixed = _estimated(_Tile(_small(pixels, tiling.encoder_tile)), encoder, "encode", most)
    return _run(encoder, "encode", pixels, cuts, fixed, (1, downscale))


@torch.no_grad()
def decode_in_tiles(decoder: Network, latents: Tensor, tiling: VaeTiling, downscale: int) -> Tensor:
    """(1, C, h, w) -> the decoder's output (1, 3, h x downscale, w x downscale)."""
    cuts = cuts_of(latents.shape[-2], latents.shape[-1], tiling.decoder_tile, DECODER_PAD)
    fixed: list[_Statistics] = []
    if tiling.fast_decoder:
        fixed = _estimated(_Tile(_small(latents, tiling.decoder_tile)), decoder, "decode", None)
    return _run(decoder, "decode", latents, cuts, fixed, (downscale, 1))


def cuts_of(height: int, width: int, tile: int, pad: int) -> list[Cut]:
    """The tiles of a picture: evenly large, `pad` around each is computed too, and those at the edge reach it."""
    tall, rows = _spread(height, tile, pad)
    wide, columns = _spread(width, tile, pad)
    cuts: list[Cut] = []
    for row in range(rows):
        for column in range(columns):
            top, bottom = pad + row * tall, min(pad + (row + 1) * tall, height)
            left, right = pad + column * wide, min(pad + (column + 1) * wide, width)
            kept = (
                top if top > pad else 0,
                left if left > pad else 0,
                bottom if bottom < height - pad else height,
                right if right < width - pad else width,
            )
            computed = (top - pad, left - pad, min(bottom + pad, height), min(right + pad, width))
            cuts.append(Cut(computed, kept))
    return cuts


def _spread(length: int, tile: int, pad: int) -> tuple[int, int]:
    """How long tiles along a side are, and how many."""
    count = max(1, math.ceil((length - 2 * pad) / tile))
    least = math.ceil((length - 2 * pad) / count)
    for divider in _DIVIDERS:
        rounded = math.ceil(least / divider) * divider
        if rounded <= tile:
            return rounded, count
    return least, count


def _run(
    network: Network,
    way: Literal["encode", "decode"],
    whole: Tensor,
    cuts: Sequence[Cut],
    fixed: Sequence[_Statistics],
    scale: tuple[int, int],
) -> Tensor:
    """Every tile through the network; normalisations beyond those with `fixed` statistics pool theirs."""
    result: Tensor | None = None
    device = whole.device
    waiting: list[_Advance] = []
    for cut in cuts:
        tile = _Tile(_part(whole, cut.computed))
        waiting.append(_Advance(tile, _walk(network, tile, way), fixed))
    pooled: _Statistics | None = None
    while waiting:
        found: list[tuple[_Statistics, int]] = []
        for one, cut in zip(waiting, cuts, strict=True):
            one.tile.to(device)
            if one.on(pooled):
                found.append((_statistics(one.tile.hidden, one.groups), one.tile.hidden[0, 0].numel()))
                if len(cuts) > 1:
                    one.tile.to(torch.device("cpu"))
            else:
                result = _placed(result, one.tile.hidden, cut, whole.shape, scale)
                one.tile.hidden = one.tile.hidden.new_zeros(0)
        if not found:
            break
        pooled = _mean(found)
    if result is None:
        raise ValueError("there is nothing to compute")
    return result


class _Advance:
    """A tile on its way through a network."""

    def __init__(self, tile: _Tile, walk: _Walk, fixed: Sequence[_Statistics]) -> None:
        self.tile = tile
        self.groups = 1
        self._walk = walk
        self._fixed = fixed
        self._number = 0
        self._norm: nn.GroupNorm | None = None

    def on(self, pooled: _Statistics | None) -> bool:
        """Go on to the next normalisation whose statistics are not fixed; False at the end of the network.

        Args:
            pooled: the statistics of the normalisation at which it waits.
        """
        if self._norm is not None and pooled is not None:
            self.tile.hidden = _normalised(self.tile.hidden, self._norm, pooled)
        for norm in self._walk:
            if self._number >= len(self._fixed):
                self._norm, self.groups = norm, norm.num_groups
                return True
            self.tile.hidden = _normalised(self.tile.hidden, norm, self._fixed[self._number])
            self._number += 1
        return False


def _estimated(small: _Tile, network: Network, way: Literal["encode", "decode"], most: int | None) -> list[_Statistics]:
    """The statistics of the first `most` normalisations for a small copy; none where they are not finite."""
    found: list[_Statistics] = []
    for norm in _walk(network, small, way):
        if most is not None and len(found) == most:
            break
        found.append(_statistics(small.hidden, norm.num_groups))
        small.hidden = _normalised(small.hidden, norm, found[-1])
    return found if all(torch.isfinite(one).all() for pair in found for one in pair) else []


def _small(whole: Tensor, tile: int) -> Tensor:
    """A copy whose longer side is a tile's; each channel has the mean, the deviation and the bounds of the whole."""
    small = functional.interpolate(whole, scale_factor=tile / max(whole.shape[-2:]), mode="nearest-exact")
    deviation, mean = torch.std_mean(whole, dim=(0, 2, 3), keepdim=True)
    own_deviation, own_mean = torch.std_mean(small, dim=(0, 2, 3), keepdim=True)
    return ((small - own_mean) / own_deviation * deviation + mean).clamp(whole.min(), whole.max())


def _walk(network: Network, tile: _Tile, way: Literal["encode", "decode"]) -> _Walk:
    tile.hidden = network.conv_in(tile.hidden)
    if way == "decode":
        yield from _middle(network.mid_block, tile)
        for block in network.up_blocks:
            yield from _level(block.resnets, block.upsamplers, tile)
    else:
        for block in network.down_blocks:
            yield from _level(block.resnets, block.downsamplers, tile)
        yield from _middle(network.mid_block, tile)
    yield network.conv_norm_out
    tile.hidden = network.conv_out(functional.silu(tile.hidden))


def _middle(block: Any, tile: _Tile) -> _Walk:
    yield from _residual(block.resnets[0], tile)
    for attention, resnet in zip(block.attentions, block.resnets[1:], strict=True):
        if attention is not None:
            yield from _attention(attention, tile)
        yield from _residual(resnet, tile)


def _level(resnets: Any, scalers: Any, tile: _Tile) -> _Walk:
    for resnet in resnets:
        yield from _residual(resnet, tile)
    for scaler in scalers or ():
        tile.hidden = scaler(tile.hidden)


def _residual(block: Any, tile: _Tile) -> _Walk:
    tile.skipped = tile.hidden if block.conv_shortcut is None else block.conv_shortcut(tile.hidden)
    yield block.norm1
    tile.hidden = block.conv1(functional.silu(tile.hidden))
    yield block.norm2
    tile.hidden = block.conv2(functional.silu(tile.hidden)) + tile.skipped
    tile.skipped = None


def _attention(block: Any, tile: _Tile) -> _Walk:
    tile.skipped = tile.hidden
    yield block.group_norm
    rows, channels, height, width = tile.hidden.shape
    flat = tile.hidden.flatten(2).transpose(1, 2)
    query, key, value = (
        layer(flat).view(rows, height * width, block.heads, -1).transpose(1, 2)
        for layer in (block.to_q, block.to_k, block.to_v)
    )
    seen = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    tile.hidden = block.to_out[0](seen).transpose(1, 2).view(rows, channels, height, width) + tile.skipped
    tile.skipped = None


def _statistics(hidden: Tensor, groups: int) -> _Statistics:
    grouped = hidden.float().reshape(len(hidden), groups, -1)
    return torch.var_mean(grouped, dim=2, correction=0)


def _mean(found: Sequence[tuple[_Statistics, int]]) -> _Statistics:
    """The statistics of all tiles: means of theirs, in which each counts by its size."""
    whole = sum(size for _, size in found)
    variance = sum((one[0] * (size / whole) for one, size in found), torch.zeros(()))
    mean = sum((one[1] * (size / whole) for one, size in found), torch.zeros(()))
    return variance, mean


def _normalised(hidden: Tensor, norm: nn.GroupNorm, statistics: _Statistics) -> Tensor:
    variance, mean = (one[..., None].to(hidden.device) for one in statistics)
    grouped = hidden.float().reshape(len(hidden), norm.num_groups, -1)
    flat = ((grouped - mean) * torch.rsqrt(variance + norm.eps)).reshape(hidden.shape).to(hidden.dtype)
    if norm.weight is None:
        return flat
    return flat * norm.weight[:, None, None] + norm.bias[:, None, None]


def _part(whole: Tensor, box: Box) -> Tensor:
    top, left, bottom, right = box
    return whole[..., top:bottom, left:right]


def _placed(result: Tensor | None, made: Tensor, cut: Cut, shape: Sequence[int], scale: tuple[int, int]) -> Tensor:
    """The result with a tile in its place; `scale` says how many of its values stand for how many of the input's."""
    up, down = scale
    if result is None:
        result = made.new_zeros(len(made), made.shape[1], shape[-2] * up // down, shape[-1] * up // down)
    top, left, bottom, right = (side * up // down for side in cut.kept)
    above, before = cut.computed[0] * up // down, cut.computed[1] * up // down
    result[..., top:bottom, left:right] = made[..., top - above : bottom - above, left - before : right - before]
    return result
