"""How much two networks pull the same layers the same way: the cosine between their changes, by block.

A change of low rank is up @ down, and the inner product of two of them needs no product of full size:
<U1 D1, U2 D2> = sum((U1^T U2) * (D1 D2^T)), the sum over all r1 x r2 elements. Of each block some layers stand for all,
so that a job is not kept waiting.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from webui.extension_api import listed

from .keys import Place
from .low_rank_kinds import LowRank
from .network import Change
from .patch import Wanted

STRONG = 0.5  # cosine from which on it is told
MOST_LAYERS = 8  # of a block that are compared
MOST_NETWORKS = 8  # of a prompt
_MOST_BLOCKS = 4  # that are named


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a change goes: the `id` of the layer, and the block that it lies in, "" of the few that lie in none."""

    layer: int
    block: str


@dataclass(frozen=True, slots=True)
class Sums:
    """Inner products of the changes of two networks, summed up over layers."""

    both: float = 0.0
    one: float = 0.0
    other: float = 0.0

    @property
    def cosine(self) -> float:
        """-1..1; 0 where one of them changes nothing."""
        length = (self.one * self.other) ** 0.5
        return self.both / length if length > 0 else 0.0


def overlaps(one: Wanted, other: Wanted, spots: Mapping[Place, Spot]) -> dict[str, float]:
    """The cosine in each block that both change, -1..1, as they act: with strengths and block weights.

    Args:
        spots: of each place; two places may be names of one layer.
    """
    theirs = {spots[place].layer: change for place, change in other.network.changes.items() if place in spots}
    common: dict[tuple[str, str], list[tuple[Change, Change]]] = defaultdict(list)
    for place, change in one.network.changes.items():
        if place in spots and (same := theirs.get(spots[place].layer)) is not None:
            common[spots[place].block, place.component].append((change, same))
    found = {}
    for (block, component), changes in common.items():
        factor = _factor(one, block, component) * _factor(other, block, component)
        every = -(-len(changes) // MOST_LAYERS)
        total = Sums()
        for ours, same in changes[::every]:
            sums = _sums(ours, same)
            total = Sums(total.both + sums.both, total.one + sums.one, total.other + sums.other)
        if factor and total.cosine:
            found[block or "other layers"] = total.cosine if factor > 0 else -total.cosine
    return found


def told_of_overlaps(wanted: Sequence[Wanted], spots: Mapping[Place, Spot]) -> list[str]:
    """A sentence for each two networks that act on the same layers in the same direction, or against each other."""
    told = []
    for one, other in combinations(wanted[:MOST_NETWORKS], 2):
        if one.network.name == other.network.name:
            continue
        found = overlaps(one, other, spots)
        names = f"{one.network.name} and {other.network.name}"
        for sign, way, advice in (
            (1, "pull the same layers in the same direction", "together they act more strongly than each alone"),
            (-1, "pull the same layers against each other", "together they take away what the other does"),
        ):
            strong = sorted(((sign * value, block) for block, value in found.items()), reverse=True)
            shown = [f"{block} {sign * value:.2f}" for value, block in strong if value >= STRONG]
            if shown:
                told.append(f"{names} {way} (cosine {listed(shown[:_MOST_BLOCKS])}): {advice}")
    return told


def _factor(wanted: Wanted, block: str, component: str) -> float:
    ratio = 1.0 if wanted.blocks is None or not block else wanted.blocks.ratios.get(block, 0.0)
    return ratio * (wanted.unet_strength if component == "unet" else wanted.text_strength)


def _sums(first: Change, second: Change) -> Sums:
    """Of one layer; nothing where a change is not up @ down alone, or has no numbers."""
    a, b = first.adapter, second.adapter
    if not isinstance(a, LowRank) or not isinstance(b, LowRank) or a.mid is not None or b.mid is not None:
        return Sums()
    if a.up.shape[0] != b.up.shape[0] or a.down[0].numel() != b.down[0].numel():
        return Sums()
    scale = float(first.scale), float(second.scale)
    return Sums(
        _inner(a, b) * scale[0] * scale[1], _inner(a, a) * scale[0] ** 2, _inner(b, b) * scale[1] ** 2
    )  # fmt: skip


def _inner(a: LowRank, b: LowRank) -> float:
    up = _matrix(a.up).T @ _matrix(b.up)
    down = _matrix(a.down) @ _matrix(b.down).T
    found = float((up * down).sum())
    return found if math.isfinite(found) else 0.0


def _matrix(tensor: Tensor) -> Tensor:
    return tensor.flatten(1).to(torch.float32)
