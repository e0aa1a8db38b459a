"""Where tiles and regions lie in the latents, and how much each counts in each cell. Pure functions.

MultiDiffusion (Bar-Tal et al., arXiv:2302.08113) averages what the network says of each cell, equation 5 with weights
that are all the same. Mixture of Diffusers (Jiménez, arXiv:2302.02412) weights it by a Gaussian around a tile's middle.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from webui.extension_api.tensors import Window

from .options import Region

VARIANCE = 0.01  # of the Gaussian, as a share of the tile's width squared
LEAST_STEP = 4  # cells by which neighbouring tiles differ at least


def needs_tiles(cells: tuple[int, int], tile: tuple[int, int]) -> bool:
    """Whether latents of (h, w) cells are larger than a tile of (h, w)."""
    return cells[0] > tile[0] or cells[1] > tile[1]


def tiles_over(cells: tuple[int, int], tile: tuple[int, int], overlap: int) -> tuple[Window, ...]:
    """Tiles that cover latents of (h, w) cells, row by row, spread evenly and with at least `overlap` in common.

    Args:
        tile: its height and width; no tile is larger than the latents.
    """
    overlap = max(0, min(overlap, min(tile) - LEAST_STEP))
    height, width = min(tile[0], cells[0]), min(tile[1], cells[1])
    tops, lefts = _starts(cells[0], height, overlap), _starts(cells[1], width, overlap)
    return tuple(Window(top, left, height, width) for top in tops for left in lefts)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / (tile - overlap))
    distance = (length - tile) / (count - 1)
    return [*(int(number * distance) for number in range(count - 1)), length - tile]  # rounding must leave no cell out


def batched(windows: Sequence[Window], most: int) -> list[tuple[Window, ...]]:
    """The windows in as few batches as possible, of about one size."""
    size = math.ceil(len(windows) / math.ceil(len(windows) / most))
    return [tuple(windows[start : start + size]) for start in range(0, len(windows), size)]


def window_of(region: Region, cells: tuple[int, int]) -> Window | None:
    """Where a region lies in latents of (h, w) cells; None where it lies beside them."""
    top, left = int(region.y * cells[0]), int(region.x * cells[1])
    height = min(cells[0] - top, math.ceil(region.h * cells[0]))
    width = min(cells[1] - left, math.ceil(region.w * cells[1]))
    return Window(top, left, height, width) if height > 0 and width > 0 else None


def gaussian(height: int, width: int) -> Tensor:
    """(h, w) float32 weights of Mixture of Diffusers: highest in the middle, nearly 0 at the edge.

    Both axes are measured in widths, and downwards the middle lies half a cell lower, as in the program that these
    pictures come from.
    """
    across = _bell(width, (width - 1) / 2, width)
    down = _bell(height, height / 2, width)
    return torch.outer(down, across).float()


def _bell(length: int, middle: float, unit: int) -> Tensor:
    away = (torch.arange(length, dtype=torch.float64) - middle) / unit
    return torch.exp(-(away**2) / (2 * VARIANCE)) / math.sqrt(2 * math.pi * VARIANCE)


def feather(height: int, width: int, ratio: float) -> Tensor:
    """(h, w) float32, how much of a foreground is seen: 1 inside, falling to 0 at its edge with the square of the
    distance; of odd sides the middle row or column stays 1.
    """
    radius = int(min(height // 2, width // 2) * ratio)
    if radius == 0:
        return torch.ones(height, width)
    down, across = _from_edge(height)[:, None], _from_edge(width)[None, :]
    distance = torch.where((down + across).isinf(), math.inf, torch.minimum(down, across))
    return (distance / radius).clamp(max=1) ** 2


def _from_edge(length: int) -> Tensor:
    """(length,) cells to the nearer edge; infinite in the middle of an odd length."""
    half = torch.arange(length // 2, dtype=torch.float32)
    middle = torch.full((length % 2,), math.inf)
    return torch.cat([half, middle, half.flip(0)])
