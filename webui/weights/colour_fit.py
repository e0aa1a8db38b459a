"""What a VAE's latents look like: the linear map from latents to colours, for previews, fitted to the VAE itself.

Plain colours are encoded, since what a decoder makes of random latents need not lie where pictures lie.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from webui.library.family import Colour

LEVELS = (0.0, 0.5, 1.0)  # of red, green and blue, so 27 colours
CELLS = 4  # along a side of a plain picture; the outermost feel the padding and do not count
LEAST_EXPLAINED = 0.5  # share of the colours' variance below which a linear map says nothing


@dataclass(frozen=True, slots=True)
class ColourFit:
    """A picture in -1..1 is the sum of the `colours` of the channels, weighted by the latents, and the `base`."""

    colours: tuple[Colour, ...]
    base: Colour


@torch.no_grad()
def fit_colours(encode: Callable[[Tensor], Tensor], cell: int) -> ColourFit | None:
    """Fit colours to latents by least squares.

    Args:
        encode: (B, 3, H, W) in 0..1 -> scaled latents (B, C, H / cell, W / cell), without draws.
        cell: pixels along one side of a latent cell.

    Returns:
        None where the fit is bad, or the VAE answers with values that are not finite.
    """
    plain = torch.tensor(tuple(itertools.product(LEVELS, repeat=3)))
    pictures = plain[:, :, None, None].expand(-1, -1, CELLS * cell, CELLS * cell)
    latents = encode(pictures).float().cpu()[:, :, 1:-1, 1:-1]
    rows = latents.permute(0, 2, 3, 1).flatten(1, 2)  # (27, cells, C)
    known = torch.cat([rows, torch.ones_like(rows[..., :1])], dim=-1).flatten(0, 1).double()
    wanted = (plain * 2 - 1).repeat_interleave(rows.shape[1], dim=0).double()
    if not torch.isfinite(known).all():
        return None
    weights: Tensor = torch.linalg.lstsq(known, wanted, driver="gelsd").solution
    unexplained = (known @ weights - wanted).square().sum() / (wanted - wanted.mean(dim=0)).square().sum()
    if not bool(1 - unexplained >= LEAST_EXPLAINED):
        return None
    *colours, base = (_colour(row) for row in weights)
    return ColourFit(tuple(colours), base)


def _colour(row: Tensor) -> Colour:
    red, green, blue = row.tolist()
    return red, green, blue
