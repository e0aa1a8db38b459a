"""Brings the hidden units of one checkpoint into the order of another's, so that what they learnt alike is averaged
with itself: weight matching of Git Re-Basin (arXiv:2209.04836), by linear assignment.

The network computes the same as before (see `units.py`). Each set of units is matched by itself, because units that
stand in the residual stream are left alone; so one pass finds the best order there is.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from webui.extension_api.tensors import ModelSpec, TensorFile

from .blocks import Blocks, levels_by_label
from .units import Place, Units, units_of


class Aligned:
    """A checkpoint with its units in the order of another. It is read like the file; matches are found when they are
    first needed.
    """

    def __init__(self, file: TensorFile, to: TensorFile, heads_of: Mapping[str, int] = MappingProxyType({})) -> None:
        """Args:
        to: the checkpoint whose order counts. Layers of other shapes stay as they are.
        heads_of: see `units.units_of`.
        """
        self._file, self._to = file, to
        shapes = {name: to.shape(name) for name in to.names() if name in file and file.shape(name) == to.shape(name)}
        self._places: dict[str, list[tuple[Units, int, Place]]] = {}
        for units in units_of(shapes, heads_of):
            for number, part in enumerate(units.parts):
                for place in part:
                    self._places.setdefault(place.tensor, []).append((units, number, place))
        self._orders: dict[Units, tuple[Tensor, ...]] = {}

    def names(self) -> Iterable[str]:
        return self._file.names()

    def __contains__(self, name: object) -> bool:
        return name in self._file

    def shape(self, name: str) -> tuple[int, ...]:
        return self._file.shape(name)

    def dtype(self, name: str) -> torch.dtype:
        return self._file.dtype(name)

    def read(self, name: str) -> Tensor:
        """The tensor with its units in order. Raises as `TensorFile.read`."""
        tensor = self._file.read(name)
        for units, part, place in self._places.get(name, ()):
            if units not in self._orders:
                self._orders[units] = matched(units, self._to, self._file)
            _reorder(tensor, place, units.count, self._orders[units][part])
        return tensor


def heads_by_attention(spec: ModelSpec, names: Iterable[str]) -> dict[str, int]:
    """The number of heads of each attention of a UNet, by the beginning of its tensors' names."""
    ending = "to_q.weight"
    attentions = [name.removesuffix(ending) for name in names if name.endswith(ending)]
    if not spec.heads:
        return {}
    levels = levels_by_label([len(level.encoder) for level in spec.unet.levels])
    blocks = Blocks((len(levels) - 1) // 2)
    found = {base: levels.get(blocks.label(base)) for base in attentions}
    return {base: spec.heads[level] for base, level in found.items() if level is not None}


def matched(units: Units, a: TensorFile, b: TensorFile) -> tuple[Tensor, ...]:
    """For each part the order in which B's units are most like A's: the unit at place i is B's unit number order[i]."""
    likeness = [sum(_likeness(place, units.count, a, b) for place in part) for part in units.parts]
    size = units.count // units.groups
    blocks = [np.asarray(one).reshape(units.groups, size, units.groups, size) for one in likeness]
    gains = np.zeros((units.groups, units.groups))
    inner = np.zeros((len(blocks), units.groups, units.groups, size), np.int64)
    for i in range(units.groups):
        for j in range(units.groups):
            for part, block in enumerate(blocks):
                inner[part, i, j], gain = _assigned(block[i, :, j, :])
                gains[i, j] += gain
    to, _ = _assigned(gains)
    return tuple(
        torch.from_numpy(np.concatenate([to[i] * size + inner[part, i, to[i]] for i in range(units.groups)]))
        for part in range(len(blocks))
    )


def _likeness(place: Place, count: int, a: TensorFile, b: TensorFile) -> np.ndarray:
    """How much each unit of A is like each of B, (count, count): the inner products of their weights."""
    ours, theirs = (
        file.read(place.tensor).float().narrow(place.axis, place.start, count).movedim(place.axis, 0).reshape(count, -1)
        for file in (a, b)
    )
    product: np.ndarray = (ours @ theirs.T).double().numpy()
    return product


def _assigned(gains: np.ndarray) -> tuple[np.ndarray, float]:
    """The column of each row with the greatest sum, each column once, and that sum."""
    from scipy.optimize import linear_sum_assignment  # takes a moment to load

    if len(gains) == 1:
        return np.zeros(1, np.int64), float(gains[0, 0])
    rows, columns = linear_sum_assignment(gains, maximize=True)
    return columns, float(gains[rows, columns].sum())


def _reorder(tensor: Tensor, place: Place, count: int, order: Tensor) -> None:
    part = tensor.narrow(place.axis, place.start, count)
    part.copy_(part.index_select(place.axis, order))
