"""Where each place of the picture looks: self-attention of one row, mean of all heads, from grid to grid."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from webui.extension_api.tensors import Attention, AttentionLayer

from .word_maps import GRID

MOST_CELLS = 1024  # of a layer: finer ones stay in the fast kernel
MOST_BLOCKS = 8
POINT_BYTES = 16 * 2**20  # of all steps of a run
EACH_BLOCK = GRID**4 * 2  # bytes of a block at one step
_CELLS = GRID * GRID


def coarse_blocks(layers: Mapping[str, AttentionLayer], cells: tuple[int, int]) -> tuple[str, ...]:
    """The transformers of which self-attention is recorded, in the order of execution: those with few cells, and of
    more than MOST_BLOCKS some from all over the network.

    Args:
        cells: (h, w) of the latents.
    """
    few = []
    for name, layer in layers.items():
        height, width = cells
        for _ in range(layer.level):
            height, width = (height + 1) // 2, (width + 1) // 2
        if layer.kind == "self" and height * width <= MOST_CELLS:
            few.append(name.split(".transformer_blocks")[0])
    blocks = list(dict.fromkeys(few))
    if len(blocks) <= MOST_BLOCKS:
        return tuple(blocks)
    last = len(blocks) - 1
    return tuple(blocks[round(at * last / (MOST_BLOCKS - 1))] for at in range(MOST_BLOCKS))


def point_map(query: Tensor, key: Tensor, size: tuple[int, int]) -> Tensor:
    """How much each cell of a grid looks at each: (GRID x GRID, GRID, GRID) float32, each of which sums to 1; the mean
    over the heads.

    Args:
        query, key: (H, S, d) of one row.
        size: (h, w) of the places, S = h x w.
    """
    query, key = query.float(), key.float()
    total = torch.zeros(query.shape[1], key.shape[1], device=query.device)
    for own, asked in zip(query, key, strict=True):  # head by head, so that one alone is in memory
        total += torch.softmax(own @ asked.T * own.shape[-1] ** -0.5, dim=-1)
    looked_at = functional.adaptive_avg_pool2d(total.view(-1, *size), (GRID, GRID))  # (S, GRID, GRID)
    asking = functional.adaptive_avg_pool2d(looked_at.permute(1, 2, 0).reshape(_CELLS, *size), (GRID, GRID))
    maps = asking.view(_CELLS, _CELLS).T.view(_CELLS, GRID, GRID)
    return maps / maps.sum((1, 2), keepdim=True).clamp(min=1e-12)


class PointMaps:
    """The maps of one call: those of the layers of a transformer are averaged.

    Attributes:
        blocks: the transformers that are looked at.
    """

    def __init__(self, blocks: Sequence[str], row: int) -> None:
        self.blocks = tuple(blocks)
        self._row = row
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def concerns(self, name: str, layer: AttentionLayer) -> bool:
        """Whether a layer is one of those that are looked at."""
        return layer.kind == "self" and name.split(".transformer_blocks")[0] in self.blocks

    def note(self, attention: Attention) -> None:
        """Add what a layer does for the row, where it is among its rows."""
        if self._row not in attention.rows:
            return
        at = attention.rows.index(self._row)
        if attention.query.shape[2] != attention.key.shape[2]:
            return  # an extension lets it look at something else as well
        maps = point_map(attention.query[at], attention.key[at], attention.size)
        block = attention.layer.name.split(".transformer_blocks")[0]
        self._sums[block] = self._sums[block] + maps if block in self._sums else maps
        self._counts[block] = self._counts.get(block, 0) + 1

    @property
    def tensor(self) -> Tensor | None:
        """(blocks, GRID x GRID, GRID, GRID) float16 on the CPU; None where a block is missing."""
        if not self.blocks or set(self._sums) != set(self.blocks):
            return None
        return torch.stack([self._sums[one] / self._counts[one] for one in self.blocks]).to("cpu", torch.float16)
