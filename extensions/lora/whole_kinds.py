"""Adapters that hold a number for each value or each channel: full differences and norms, IA3."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .algebra import fitted, is_count


@dataclass(frozen=True, slots=True)
class Scaling:
    """IA3 (Liu et al. 2022, arXiv:2205.05638): every input or output channel times a learned number, as a change.

    Attributes:
        vector: one number for each channel.
        on_input: the channels are inputs (columns), not outputs (rows).
    """

    vector: Tensor
    on_input: bool

    @property
    def dim(self) -> None:
        return None

    @property
    def stored(self) -> None:
        return None

    def fits(self, shape: torch.Size) -> bool:
        return len(shape) > 1 and self.vector.numel() == shape[1 if self.on_input else 0]

    def delta(self, weight: Tensor) -> Tensor:
        return weight * _along(self.vector, 1 if self.on_input else 0, weight)


@dataclass(frozen=True, slots=True)
class Full:
    """The whole difference of a weight (`diff`), or of a norm's weight (`w_norm`)."""

    difference: Tensor

    @property
    def dim(self) -> None:
        return None

    @property
    def stored(self) -> torch.dtype:
        return self.difference.dtype

    def fits(self, shape: torch.Size) -> bool:
        own = self.difference.shape
        return own.numel() == shape.numel() or (
            len(shape) > 1 and own[:1] == shape[:1] and is_count(own[1:].numel(), shape)
        )

    def delta(self, weight: Tensor) -> Tensor:
        return fitted(self.difference.to(weight), weight)


def _along(vector: Tensor, dimension: int, weight: Tensor) -> Tensor:
    shape = [1] * weight.ndim
    shape[dimension] = -1
    return vector.to(weight).reshape(shape)
