"""Where the tokens of the prompt look: cross-attention of one row, over all heads, on a small grid."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from webui.extension_api.tensors import Attention, AttentionLayer

from .muting import shares_of_heard

GRID = 16  # cells a side, whatever the picture's size
MOST_TOKENS = 154  # two chunks


def token_maps(query: Tensor, key: Tensor, size: tuple[int, int]) -> Tensor:
    """The share of each token at each place, averaged over the heads: (T, GRID, GRID) float32; at each place the
    tokens' shares sum to 1.

    Args:
        query: (H, S, d) of one row.
        key: (H, T, d).
        size: (h, w) of the queries' places, S = h x w.
    """
    query, key = query.float(), key.float()
    height, width = size
    total = torch.zeros(key.shape[1], height * width, device=query.device)
    for own, asked in zip(query, key, strict=True):  # head by head, so that one alone is in memory
        total += torch.softmax(own @ asked.T * own.shape[-1] ** -0.5, dim=-1).T
    maps = (total / len(query)).view(-1, height, width)
    return functional.adaptive_avg_pool2d(maps, (GRID, GRID))


class StepMaps:
    """The maps of one call: those of the layers of a transformer are averaged.

    Attributes:
        blocks: the transformers, named by their modules, in the order of execution.
    """

    def __init__(self, blocks: Sequence[str], row: int, muted: Collection[int] = ()) -> None:
        """`row` is the row of the call that is looked at; `muted` are tokens that it does not hear."""
        self.blocks = tuple(blocks)
        self._row = row
        self._muted = tuple(muted)
        self._sums: dict[int, Tensor] = {}
        self._counts: dict[int, int] = {}

    def note(self, attention: Attention) -> None:
        """Add what a layer does for the row, where it is among its rows."""
        if self._row not in attention.rows:
            return
        at = attention.rows.index(self._row)
        maps = token_maps(attention.query[at], attention.key[at, :, :MOST_TOKENS], attention.size)
        if self._muted:
            maps = shares_of_heard(maps, self._muted)
        block = attention.layer.transformer
        self._sums[block] = self._sums[block] + maps if block in self._sums else maps
        self._counts[block] = self._counts.get(block, 0) + 1

    @property
    def tensor(self) -> Tensor | None:
        """(blocks, T, GRID, GRID) float16 on the CPU; None where nothing was noted."""
        if len(self._sums) != len(self.blocks):
            return None
        means = [self._sums[block] / self._counts[block] for block in sorted(self._sums)]
        return torch.stack(means).to("cpu", torch.float16)


def cross_layers(layers: Mapping[str, AttentionLayer]) -> dict[str, AttentionLayer]:
    """Those that attend to the text."""
    return {name: layer for name, layer in layers.items() if layer.kind == "cross"}


def blocks_of(layers: Mapping[str, AttentionLayer]) -> list[str]:
    """The names of the transformers that hold the layers, in the order of execution."""
    return list(dict.fromkeys(name.split(".transformer_blocks")[0] for name in layers))
