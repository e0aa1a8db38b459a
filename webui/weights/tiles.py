"""Decodes large latents in overlapping tiles that fade linearly into each other."""

from collections.abc import Callable

import torch
from torch import Tensor


def decode_in_tiles(
    decode: Callable[[Tensor], Tensor], latents: Tensor, *, scale: int, tile: int, overlap: int
) -> Tensor:
    """Decode `latents` (B, C, h, w) tile by tile into (B, 3, scale x h, scale x w).

    Args:
        decode: (B, C, h', w') -> (B, 3, scale x h', scale x w').
        tile, overlap: the side of a tile, and how far neighbours overlap, in latent cells.

    Raises:
        ValueError: overlap is not smaller than the tile.
    """
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap {overlap} must be at least 0 and smaller than the tile {tile}")
    height, width = latents.shape[-2:]
    total: Tensor | None = None
    weights = torch.zeros(1, 1, height * scale, width * scale, device=latents.device)
    for top in starts(height, tile, overlap):
        for left in starts(width, tile, overlap):
            pixels = decode(latents[..., top : top + tile, left : left + tile])
            rows, columns = pixels.shape[-2:]
            mask = _ramp(rows, overlap * scale)[:, None] * _ramp(columns, overlap * scale)[None, :]
            mask = mask.to(pixels)
            if total is None:
                total = pixels.new_zeros(*pixels.shape[:2], height * scale, width * scale)
            area = (..., slice(top * scale, top * scale + rows), slice(left * scale, left * scale + columns))
            total[area] += pixels * mask
            weights[area] += mask
    if total is None:
        raise ValueError("latents are empty")
    return total / weights


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """First cells of the tiles along a side: every cell is covered and the last tile ends at the edge."""
    if length <= tile:
        return [0]
    last = length - tile
    return [*range(0, last, tile - overlap), last]


def _ramp(length: int, overlap: int) -> Tensor:
    """(length,) weights, 1 inside and falling linearly to nearly 0 over `overlap` at both ends; never 0."""
    edge = torch.arange(1, length + 1, dtype=torch.float32).clamp(max=overlap + 1) / (overlap + 1)
    return torch.minimum(edge, edge.flip(0))
