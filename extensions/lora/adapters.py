"""What a network adds to one weight: which kind of adapter the parts of a layer make. Knows no files or multipliers.

Weights are (out, in) of a linear layer, (out, in, kh, kw) of a convolution or (channels,) of a norm; `delta` answers in
that shape. Kinds are told by the names of their parts; their formulas stand in
`low_rank_kinds.py`, `whole_kinds.py` and `rotation_kinds.py`.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from webui.extension_api import UnusableFileError

from .low_rank_kinds import Hadamard, Kronecker, LowRank, generalized
from .rotation_kinds import Orthogonal
from .whole_kinds import Full, Scaling

Parts = Mapping[str, Tensor]


class Adapter(Protocol):
    """One kind of change to a weight.

    Attributes:
        dim: the rank that alpha is divided by; None where the kind has none.
        stored: the number format of the file where A1111 computes this kind in it; None: in the weight's.
    """

    @property
    def dim(self) -> int | None: ...
    @property
    def stored(self) -> torch.dtype | None: ...

    def fits(self, shape: torch.Size) -> bool:
        """Whether it was made for a weight of this shape."""

    def delta(self, weight: Tensor) -> Tensor:
        """What is added at full strength, before alpha's scale; of the shape and dtype of `weight`."""


def read_adapter(parts: Parts) -> Adapter | None:
    """The adapter that these parts of one layer make, by the first kind whose parts are all there; None: none.

    Raises:
        UnusableFileError: parts of a kind that do not go together.
    """
    try:
        return _read(parts)
    except IndexError as error:
        shapes = {name: tuple(part.shape) for name, part in parts.items()}
        raise UnusableFileError(f"parts of shapes that make no adapter: {shapes}") from error


def _read(parts: Parts) -> Adapter | None:
    def has(*names: str) -> bool:
        return all(name in parts for name in names)

    if has("up", "down"):
        _two_dimensions(parts, "up", "down")
        return LowRank(parts["up"], parts["down"], parts.get("mid"))
    if has("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"):
        first, second = (parts["hada_w1_a"], parts["hada_w1_b"]), (parts["hada_w2_a"], parts["hada_w2_b"])
        _two_dimensions(parts, "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
        return Hadamard(first, second, (parts["hada_t1"], parts["hada_t2"]) if has("hada_t1", "hada_t2") else None)
    if has("weight", "on_input"):
        return Scaling(parts["weight"], bool(parts["on_input"].any()))
    if (small := _factors(parts, "lokr_w1")) and (large := _factors(parts, "lokr_w2")):
        return Kronecker(small, large, parts.get("lokr_t2") if len(large) == 2 else None)
    for name in ("diff", "w_norm"):
        if has(name):
            return Full(parts[name])
    if has("a1", "a2", "b1", "b2"):
        _two_dimensions(parts, "a1", "a2", "b1", "b2")
        return generalized(parts["a1"], parts["a2"], parts["b1"], parts["b2"], parts.get("bm"))
    for name in ("oft_blocks", "oft_diag"):
        if has(name):
            alpha = number_of(parts, "alpha") if "alpha" in parts else 0.0
            blocks = parts[name]
            if blocks.ndim not in (3, 4):
                raise UnusableFileError(f"{name} has the shape {tuple(blocks.shape)}, expected 3 or 4 dimensions")
            return Orthogonal(blocks, name == "oft_diag", alpha, parts.get("rescale"))
    return None


def number_of(parts: Parts, name: str) -> float:
    """A part that is one number. Raises UnusableFileError where it is several."""
    if parts[name].numel() != 1:
        raise UnusableFileError(f"{name} has the shape {tuple(parts[name].shape)}, expected one number")
    return float(parts[name])


def _factors(parts: Parts, name: str) -> tuple[Tensor, ...]:
    if name in parts:
        _two_dimensions(parts, name)
        return (parts[name],)
    pair = (f"{name}_a", f"{name}_b")
    if not all(one in parts for one in pair):
        return ()
    _two_dimensions(parts, *pair)
    return (parts[pair[0]], parts[pair[1]])


def _two_dimensions(parts: Parts, *names: str) -> None:
    for name in names:
        if parts[name].ndim < 2 or not parts[name].numel():
            raise UnusableFileError(f"{name} has the shape {tuple(parts[name].shape)}, expected a matrix")
