"""Measures how much two checkpoints differ, for each block and kind of layer. `heatmap.py` draws the result.

A distance is relative: |B - A| / |A| over all weights of a cell of the table, in the Frobenius norm.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .blocks import UNET, Blocks
from .formulas import relative_distance
from .merged import in_pieces
from .sources import FIRST_CONVOLUTION, Source

TEXT, VAE, ALL = "text", "VAE", "all"
KINDS = (ALL, "self-attention", "cross-attention", "feed-forward", "residual", "other")
_MARKS = ((".attn1.", "self-attention"), (".attn2.", "cross-attention"), (".ff.", "feed-forward"))
_RESIDUAL = (".in_layers.", ".out_layers.", ".emb_layers.", ".skip_connection.")


@dataclass(frozen=True, slots=True)
class Distances:
    """The table.

    Attributes:
        rows: blocks in the order of the network, text encoders first, VAE last.
        cells: (row, kind) -> relative distance; missing where a block has no such layers.
        lacking: names of tensors that only one of the two has.
    """

    rows: tuple[str, ...]
    cells: Mapping[tuple[str, str], float]
    lacking: tuple[str, ...]

    @property
    def largest(self) -> float:
        """The largest finite distance; 0 where there is none."""
        return max((value for value in self.cells.values() if value != float("inf")), default=0.0)


def distances(a: Source, b: Source, before: Callable[[int, int, str], None]) -> Distances:
    """Compare two checkpoints, reading one tensor of each at a time.

    Args:
        before: called before each tensor with (done, total, name); may raise Cancelled.
    """
    blocks = Blocks.of(a.tensors.names())
    names = [
        name
        for name in a.tensors.names()
        if "model" in name and name in b.tensors and a.tensors.dtype(name).is_floating_point
    ]
    apart: dict[tuple[str, str], float] = defaultdict(float)
    size: dict[tuple[str, str], float] = defaultdict(float)
    for done, name in enumerate(names):
        before(done, len(names), name)
        difference, norm = _squares(a, b, name)
        row, kind = _row(blocks, name), _kind(name)
        for cell in ((row, ALL), (row, kind)):
            apart[cell] += difference
            size[cell] += norm
    rows = tuple(row for row in (TEXT, *blocks.labels, VAE) if (row, ALL) in size)
    lacking = tuple(sorted(set(a.tensors.names()) ^ set(b.tensors.names())))
    return Distances(rows, {cell: relative_distance(apart[cell], size[cell]) for cell in size}, lacking)


def _squares(a: Source, b: Source, name: str) -> tuple[float, float]:
    """Sum of squares of B - A, and of A."""
    ours, theirs = a.tensors.read(name), b.tensors.read(name)
    if name == FIRST_CONVOLUTION:
        width = min(ours.shape[1], theirs.shape[1])  # the image channels, where one is an inpainting checkpoint
        ours, theirs = ours[:, :width], theirs[:, :width]
    difference = norm = 0.0
    for mine, its in zip(in_pieces(ours), in_pieces(theirs), strict=True):
        reference = mine.double()
        norm += float(reference.square().sum())
        difference += float((its.double() - reference).square().sum())
    return difference, norm


def _row(blocks: Blocks, name: str) -> str:
    if name.startswith(UNET):
        return blocks.label(name)
    return VAE if name.startswith("first_stage_model.") else TEXT


def _kind(name: str) -> str:
    if not name.startswith(UNET):
        return "other"
    for mark, kind in _MARKS:
        if mark in name:
            return kind
    return "residual" if any(mark in name for mark in _RESIDUAL) else "other"
