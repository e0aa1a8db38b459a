"""Adapters made of products of small matrices: LoRA and LoCon, LoHa, LoKr, GLoRA."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .algebra import fitted, is_count, product, tucker


@dataclass(frozen=True, slots=True)
class LowRank:
    """LoRA (Hu et al. 2021, arXiv:2106.09685, eq. 3) and LoCon (LyCORIS, arXiv:2309.14859): up @ down.

    Attributes:
        up: (out, r) or (out, r, 1, 1).
        down: (r, in), (r, in, kh, kw); with `mid` (r, in, 1, 1).
        mid: (r, r, kh, kw) core of a Tucker decomposition, or None.
    """

    up: Tensor
    down: Tensor
    mid: Tensor | None = None

    @property
    def dim(self) -> int:
        return self.down.shape[0]

    @property
    def stored(self) -> None:
        return None

    def fits(self, shape: torch.Size) -> bool:
        kernel = 1 if self.mid is None else self.mid.shape[2:].numel()
        return self.up.shape[0] == shape[0] and is_count(self.down[0].numel() * kernel, shape)

    def cut(self, ranks: int) -> "LowRank":
        """Only the first `ranks` ranks; alpha's scale still divides by all of them."""
        return self if self.mid is not None else LowRank(self.up[:, :ranks], self.down[:ranks])

    def delta(self, weight: Tensor) -> Tensor:
        up, down = self.up.flatten(1).to(weight), self.down.flatten(1).to(weight)
        if self.mid is not None:
            return fitted(torch.einsum("nmhw,on,mi->oihw", self.mid.to(weight), up, down), weight)
        return fitted(up @ down, weight)


@dataclass(frozen=True, slots=True)
class Hadamard:
    """LoHa (FedPara, Hyeon-Woo et al. 2021, arXiv:2108.06098): the product by elements of two low-rank matrices.

    Attributes:
        first, second: (a, b), a (out, r) and b (r, in...); with cores a (r, out) and b (r, in).
        cores: (r, r, kh, kw) of each, or None.
    """

    first: tuple[Tensor, Tensor]
    second: tuple[Tensor, Tensor]
    cores: tuple[Tensor, Tensor] | None = None

    @property
    def dim(self) -> int:
        return self.first[1].shape[0]

    @property
    def stored(self) -> torch.dtype:
        return self.first[0].dtype

    def fits(self, shape: torch.Size) -> bool:
        a, b = self.first
        if self.cores is None:
            return a.shape[0] == shape[0] and is_count(b[0].numel(), shape)
        return a.shape[1] == shape[0] and is_count(b.shape[1] * self.cores[0].shape[2:].numel(), shape)

    def delta(self, weight: Tensor) -> Tensor:
        if self.cores is None:
            matrices = [product((a, b), weight) for a, b in (self.first, self.second)]
        else:
            pairs = zip((self.first, self.second), self.cores, strict=True)
            matrices = [tucker(core, a, b, weight) for (a, b), core in pairs]
        return fitted(matrices[0] * matrices[1], weight)


@dataclass(frozen=True, slots=True)
class Kronecker:
    """LoKr (LyCORIS, arXiv:2309.14859, section 3.2): the Kronecker product of a small matrix and a large one.

    Attributes:
        first: the small factor (a, b), or its two low-rank factors.
        second: the large factor (out/a, in/b, ...), or its two low-rank factors.
        core: (r, r, kh, kw) between the factors of `second`, or None.
    """

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]
    core: Tensor | None = None

    @property
    def dim(self) -> int | None:
        for factors in (self.first, self.second):
            if len(factors) == 2:
                return factors[1].shape[0]
        return None

    @property
    def stored(self) -> torch.dtype:
        return self.second[0].dtype

    def fits(self, shape: torch.Size) -> bool:
        rows = self.first[0].shape[0] * self.second[0].shape[0 if self.core is None else 1]
        small = self.first[-1].shape[1]
        last = self.second[-1]
        large = last[0].numel() if self.core is None else last.shape[1] * self.core.shape[2:].numel()
        return rows == shape[0] and is_count(small * large, shape)

    def delta(self, weight: Tensor) -> Tensor:
        small, core = product(self.first, weight), self.core
        large = product(self.second, weight) if core is None else tucker(core, self.second[0], self.second[-1], weight)
        return fitted(torch.kron(small, large.flatten(1).contiguous()), weight)


@dataclass(frozen=True, slots=True)
class Generalized:
    """GLoRA (Chavan et al. 2023, arXiv:2306.07967, eq. 10 without the scalars): B + W A, both of low rank.

    Attributes:
        added: B.
        right, left: (in, r) and (r, in), the factors of A, which mixes input channels.
        dim: the rank that alpha is divided by; None in the older layout, where alpha is not used.
    """

    added: LowRank
    right: Tensor
    left: Tensor
    dim: int | None = None

    @property
    def stored(self) -> torch.dtype:
        return self.left.dtype

    def fits(self, shape: torch.Size) -> bool:
        return len(shape) > 1 and self.added.fits(shape) and self.right.shape[0] in (shape[1], shape[1:].numel())

    def delta(self, weight: Tensor) -> Tensor:
        right, left = self.right.flatten(1).to(weight), self.left.flatten(1).to(weight)
        if right.shape[0] == weight.shape[1] and weight.ndim > 2:
            mixed = torch.einsum("oi...,ir,rj->oj...", weight, right, left)
        else:
            mixed = product((product((weight.flatten(1), right), weight), left), weight).reshape(weight.shape)
        return self.added.delta(weight) + mixed


def generalized(a1: Tensor, a2: Tensor, b1: Tensor, b2: Tensor, core: Tensor | None) -> Generalized | None:
    """GLoRA in either of its layouts, which differ in which factor comes first; None: the shapes are of neither.

    The older has a1 (r, in), a2 (in, r), b1 (r, in), b2 (out, r) and no use for alpha. The newer has a1 (in, r),
    a2 (r, in), b1 (out, r), b2 (r, in), or with a core between them (r, in, 1, 1), and alpha / r. Where both fit, the
    rank is the smaller number.
    """
    older = a1.shape[0] == a2.shape[1] == b1.shape[0] == b2.shape[1]
    newer = a1.shape[1] == a2.shape[0] == b1.shape[1] == b2.shape[0]
    if newer and not (older and a1.shape[0] <= a2.shape[0]):
        return Generalized(LowRank(b1, b2, core), right=a1, left=a2, dim=a2.shape[0])
    return Generalized(LowRank(b2, b1, core), right=a2, left=a1) if older else None
