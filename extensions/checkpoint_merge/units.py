"""Hidden units of a checkpoint that may change places without changing what it computes, as facts: no numbers.

Between two layers the units of one have no order of their own: where the rows of the first layer and the columns of the
second are permuted alike, the network is the same (Git Re-Basin, arXiv:2209.04836). The residual stream is left alone:
its units are tied to each other through the whole network.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

GROUPS = 32  # of every group normalisation in these networks
_FEED_FORWARD = re.compile(r"(.*\.ff\.net\.)0\.proj\.weight$")
_ATTENTION = re.compile(r"(.*\.attn[12]\.)to_q\.weight$")
_RESIDUAL = re.compile(r"(.*\.)in_layers\.2\.weight$")
_VAE_RESIDUAL = re.compile(r"(first_stage_model\..*\.)conv1\.weight$")
_CLIP = re.compile(r"(.*\.layers\.\d+\.)mlp\.fc1\.weight$")
_OPEN_CLIP = re.compile(r"(.*\.resblocks\.\d+\.)mlp\.c_fc\.weight$")


@dataclass(frozen=True, slots=True)
class Place:
    """Where units stand: `count` places of a tensor along an axis, from `start` on."""

    tensor: str
    axis: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class Units:
    """Units that are permuted together.

    Attributes:
        parts: everywhere they stand. In a group, each part may have an order of its own (queries and keys; values and
            what is made of them); whole groups change places in all parts alike.
        count: how many there are.
        groups: of equal size; a unit stays among those of its group (group normalisation, heads). 1: all are one group.
    """

    parts: tuple[tuple[Place, ...], ...]
    count: int
    groups: int = 1


def units_of(shapes: Mapping[str, tuple[int, ...]], heads_of: Mapping[str, int]) -> Iterator[Units]:
    """All units of a checkpoint whose layers are complete.

    Args:
        shapes: by tensor.
        heads_of: heads of an attention by the beginning of its tensors' names; those that are missing are left alone.
    """
    for name in shapes:
        for found in _units_at(name, shapes, heads_of):
            if (
                all(place.tensor in shapes for part in found.parts for place in part)
                and found.count % found.groups == 0
            ):
                yield found


def _units_at(name: str, shapes: Mapping[str, tuple[int, ...]], heads_of: Mapping[str, int]) -> Iterable[Units]:
    rows = shapes[name][0] if shapes[name] else 0
    if match := _FEED_FORWARD.match(name):
        base, half = match[1], rows // 2  # values and their gates
        first = [Place(f"{base}0.proj.{kind}", 0, start) for kind in ("weight", "bias") for start in (0, half)]
        yield Units(((*first, Place(f"{base}2.weight", 1)),), half)
    elif match := _ATTENTION.match(name):
        base = match[1]
        if heads := heads_of.get(base):
            asked = (Place(f"{base}to_q.weight", 0), Place(f"{base}to_k.weight", 0))
            given = (Place(f"{base}to_v.weight", 0), Place(f"{base}to_out.0.weight", 1))
            yield Units((asked, given), rows, heads)
    elif match := _RESIDUAL.match(name):
        base = match[1]
        yield _normed(f"{base}in_layers.2", f"{base}out_layers.0", f"{base}out_layers.3.weight", rows,
                      f"{base}emb_layers.1")  # fmt: skip
    elif match := _VAE_RESIDUAL.match(name):
        base = match[1]
        yield _normed(f"{base}conv1", f"{base}norm2", f"{base}conv2.weight", rows)
    elif match := _CLIP.match(name):
        base = f"{match[1]}mlp."
        yield Units(((Place(name, 0), Place(f"{base}fc1.bias", 0), Place(f"{base}fc2.weight", 1)),), rows)
    elif match := _OPEN_CLIP.match(name):
        base = f"{match[1]}mlp."
        yield Units(((Place(name, 0), Place(f"{base}c_fc.bias", 0), Place(f"{base}c_proj.weight", 1)),), rows)


def _normed(first: str, norm: str, second: str, rows: int, *beside: str) -> Units:
    """The channels between two convolutions, with a group normalisation between them."""
    places = [Place(f"{layer}.{kind}", 0) for layer in (first, norm, *beside) for kind in ("weight", "bias")]
    return Units(((*places, Place(second, 1)),), rows, GROUPS)
