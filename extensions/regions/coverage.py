"""How much each region counts in each cell of a grid, as tensors. Pure functions.

A grid is the latents, or what a layer of the network sees of them: (h, w) cells that cover the picture. Shares of all
regions are 1 in each cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from .couple_lines import Tile
from .region_colours import colours
from .separators import Cell

TOLERANCE = 8  # of a colour in a mask, of 255; neighbouring hues differ by more for the first 32 regions


class Coverage(Protocol):
    """Regions in the picture."""

    def shares(self, height: int, width: int) -> Tensor:
        """(N, h, w) float32: how much each region counts, a base first."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rectangles beside each other; `bases` is how much of each is the base, None without one."""

    cells: tuple[Cell, ...]
    bases: tuple[float, ...] | None

    def shares(self, height: int, width: int) -> Tensor:
        own = torch.zeros(len(self.cells), height, width)
        for layer, cell in zip(own, self.cells, strict=True):
            rows = slice(int(height * cell.top), int(height * cell.bottom))
            layer[rows, int(width * cell.left) : int(width * cell.right)] = 1
        return with_base(own, self.bases)


@dataclass(frozen=True, slots=True)
class Painted:
    """Regions of a mask; `own` is (N, H, W) of 0 and 1. What no region has is the base's, or the first one's."""

    own: Tensor
    bases: tuple[float, ...] | None

    def shares(self, height: int, width: int) -> Tensor:
        own = nearest(self.own, height, width)
        if self.bases is not None:
            return with_base(own, self.bases)
        left = (1 - own.sum(dim=0)).clamp(min=0)
        return torch.cat([own[:1] + left, own[1:]])


@dataclass(frozen=True, slots=True)
class Weighted:
    """Tiles and masks that may overlap: each counts by its weight among those that lie there.

    Attributes:
        tiles: rectangles, or masks (H, W) in 0..1 with their weights.
    """

    tiles: tuple[Tile | tuple[Tensor, float], ...]

    def shares(self, height: int, width: int) -> Tensor:
        """Cells that nothing covers have shares of 0."""
        layers = [_tile(one, height, width) for one in self.tiles]
        own = torch.stack(layers)
        return own / own.sum(dim=0).clamp(min=1e-6)

    def covers(self, height: int, width: int) -> bool:
        """Whether no cell is left out."""
        return bool((self.shares(height, width).sum(dim=0) > 0.5).all())


def with_base(own: Tensor, bases: Sequence[float] | None) -> Tensor:
    """The shares of base and regions: in a region `1 - b` and `b`, and the base alone where no region is.

    Args:
        own: (N, h, w), 1 in each region.
    """
    if bases is None:
        return own
    kept = own * (1 - torch.tensor(bases, dtype=own.dtype))[:, None, None]
    return torch.cat([(1 - kept.sum(dim=0, keepdim=True)).clamp(min=0), kept])


def nearest(layers: Tensor, height: int, width: int) -> Tensor:
    """(N, H, W) at (N, height, width), without mixing values."""
    return functional.interpolate(layers[None], size=(height, width), mode="nearest")[0]


def coloured_regions(mask: Image.Image, regions: int) -> Tensor:
    """(regions, H, W): where a mask has the colour of each region."""
    pixels = np.asarray(mask.convert("RGB"), dtype=np.int16)
    layers = [np.abs(pixels - np.array(colour)).max(axis=-1) <= TOLERANCE for colour in colours(regions)]
    return torch.from_numpy(np.stack(layers).astype(np.float32))


def _tile(one: "Tile | tuple[Tensor, float]", height: int, width: int) -> Tensor:
    if not isinstance(one, Tile):
        mask, weight = one
        return nearest(mask[None], height, width)[0] * weight
    cell = one.cell
    down, across = torch.arange(height) / height, torch.arange(width) / width
    rows, columns = _within(down, cell.top, cell.bottom), _within(across, cell.left, cell.right)
    return torch.outer(rows.float(), columns.float()) * one.weight


def _within(places: Tensor, start: float, end: float) -> Tensor:
    return (places >= start - 1e-6) & (places < end - 1e-6)
