"""What a network adds to one weight: a formula for each kind of adapter. Knows no files, models or multipliers.

Weights are (out, in) of a linear layer, (out, in, kh, kw) of a convolution or (channels,) of a norm; `delta` answers in
that shape. Kinds are told by the names of their parts (table in pipelines, section 13.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from webui.extension_api import UnusableFileError

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
        return self.up.shape[0] == shape[0] and _is_count(self.down[0].numel() * kernel, shape)

    def cut(self, ranks: int) -> "LowRank":
        """Only the first `ranks` ranks; alpha's scale still divides by all of them."""
        return self if self.mid is not None else LowRank(self.up[:, :ranks], self.down[:ranks])

    def delta(self, weight: Tensor) -> Tensor:
        up, down = self.up.flatten(1).to(weight), self.down.flatten(1).to(weight)
        if self.mid is not None:
            return _fitted(torch.einsum("nmhw,on,mi->oihw", self.mid.to(weight), up, down), weight)
        return _fitted(up @ down, weight)


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
            return a.shape[0] == shape[0] and _is_count(b[0].numel(), shape)
        return a.shape[1] == shape[0] and _is_count(b.shape[1] * self.cores[0].shape[2:].numel(), shape)

    def delta(self, weight: Tensor) -> Tensor:
        if self.cores is None:
            matrices = [_product((a, b), weight) for a, b in (self.first, self.second)]
        else:
            pairs = zip((self.first, self.second), self.cores, strict=True)
            matrices = [_tucker(core, a, b, weight) for (a, b), core in pairs]
        return _fitted(matrices[0] * matrices[1], weight)


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
        return rows == shape[0] and _is_count(small * large, shape)

    def delta(self, weight: Tensor) -> Tensor:
        small, core = _product(self.first, weight), self.core
        large = (
            _product(self.second, weight) if core is None else _tucker(core, self.second[0], self.second[-1], weight)
        )
        return _fitted(torch.kron(small, large.flatten(1).contiguous()), weight)


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
            len(shape) > 1 and own[0] == shape[0] and _is_count(own[1:].numel(), shape)
        )

    def delta(self, weight: Tensor) -> Tensor:
        return _fitted(self.difference.to(weight), weight)


@dataclass(frozen=True, slots=True)
class Generalized:
    """GLoRA (Chavan et al. 2023, arXiv:2306.07967, eq. 10 without the scalars): B + W A, both of low rank.

    Attributes:
        a1, a2: (r, in), (in, r). b1, b2: (r, in), (out, r).
    """

    a1: Tensor
    a2: Tensor
    b1: Tensor
    b2: Tensor

    @property
    def dim(self) -> None:
        return None  # alpha is not used

    @property
    def stored(self) -> torch.dtype:
        return self.a1.dtype

    def fits(self, shape: torch.Size) -> bool:
        columns = shape[1:].numel()
        return self.b2.shape[0] == shape[0] and self.b1[0].numel() == columns and self.a2.shape[0] == columns

    def delta(self, weight: Tensor) -> Tensor:
        inner = _product((weight.flatten(1), self.a2), weight)
        return (_product((self.b2, self.b1), weight) + _product((inner, self.a1), weight)).reshape(weight.shape)


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """OFT (Qiu et al. 2023, arXiv:2306.07280) and BOFT (Liu et al. 2023, arXiv:2311.06243): rotated output channels.

    Attributes:
        blocks: OFT (n, b, b), BOFT (levels, n, b, b); n x b are the output channels.
        rotations: `blocks` are the rotations themselves, not what the Cayley transform makes rotations of.
        alpha: times the number of output channels, the largest norm that Q may have; 0 sets no bound.
        rescale: one factor for each output channel, or None.
    """

    blocks: Tensor
    rotations: bool
    alpha: float
    rescale: Tensor | None = None

    @property
    def dim(self) -> None:
        return None  # alpha means something else here

    @property
    def stored(self) -> None:
        return None

    def fits(self, shape: torch.Size) -> bool:
        return self.blocks.shape[-3] * self.blocks.shape[-1] == shape[0]

    def delta(self, weight: Tensor) -> Tensor:
        rows = weight.flatten(1).float()
        rotations = self._rotations(weight)
        turned = _butterfly(rotations, rows) if rotations.ndim == 4 else _turned(rotations.mT, rows)
        if self.rescale is not None:
            turned = turned * self.rescale.reshape(-1, 1).to(turned)
        return (turned - rows).reshape(weight.shape).to(weight.dtype)

    def _rotations(self, weight: Tensor) -> Tensor:
        """Cayley transform (I + Q)(I - Q)^-1 of the antisymmetric part; float32."""
        blocks = self.blocks.to(weight.device, torch.float32)
        if self.rotations:
            return blocks
        skew = blocks - blocks.mT
        norm = torch.linalg.vector_norm(skew)
        bound = self.alpha * weight.shape[0]
        if self.alpha and norm > bound:
            skew = skew * (bound / norm)
        identity = torch.eye(blocks.shape[-1], device=weight.device)
        turned: Tensor = torch.linalg.solve(identity - skew, identity + skew, left=False)
        return turned


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
        return Generalized(parts["a1"], parts["a2"], parts["b1"], parts["b2"])
    for name in ("oft_blocks", "oft_diag"):
        if has(name):
            alpha = float(parts["alpha"]) if "alpha" in parts else 0.0
            blocks = parts[name]
            if blocks.ndim not in (3, 4):
                raise UnusableFileError(f"{name} has the shape {tuple(blocks.shape)}, expected 3 or 4 dimensions")
            return Orthogonal(blocks, name == "oft_diag", alpha, parts.get("rescale"))
    return None


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
        if parts[name].ndim < 2:
            raise UnusableFileError(f"{name} has the shape {tuple(parts[name].shape)}, expected a matrix")


def _is_count(columns: int, shape: torch.Size) -> bool:
    """Whether a row has this many values; an inpainting checkpoint's first convolution also takes those for latents."""
    return columns in (shape[1:].numel(), _latents(shape) * shape[2:].numel())


def _latents(shape: torch.Size) -> int:
    """Channels of the latents in a convolution that sees a mask and another picture's latents too; -1 for others."""
    return shape[1] // 2 if len(shape) == 4 and shape[1] % 2 else -1


def _fitted(delta: Tensor, weight: Tensor) -> Tensor:
    """In the shape of the weight; the channels of an inpainting checkpoint that no one was trained on get zeros."""
    if delta.numel() == weight.numel():
        return delta.reshape(weight.shape)
    own = delta.reshape(weight.shape[0], _latents(weight.shape), *weight.shape[2:])
    return nn.functional.pad(own, (0, 0, 0, 0, 0, weight.shape[1] - own.shape[1]))


def _along(vector: Tensor, dimension: int, weight: Tensor) -> Tensor:
    shape = [1] * weight.ndim
    shape[dimension] = -1
    return vector.to(weight).reshape(shape)


def _product(factors: tuple[Tensor, ...], weight: Tensor) -> Tensor:
    """The matrix itself, or the product of two; rounded once to the format of `weight` where that is fp16 on a CPU."""
    if len(factors) == 1:
        return factors[0].to(weight)
    like = _computing(weight)
    return (factors[0].flatten(1).to(like) @ factors[1].flatten(1).to(like)).to(weight)


def _computing(weight: Tensor) -> Tensor:
    """CPUs multiply fp16 many times slower than float32."""
    return weight.float() if weight.dtype == torch.float16 and weight.device.type == "cpu" else weight


def _tucker(core: Tensor, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """core (r, s, kh, kw) between a (r, out) and b (s, in) -> (out, in, kh, kw)."""
    like = _computing(weight)
    return torch.einsum("rshw,ro,si->oihw", core.to(like), a.to(like), b.to(like)).to(weight)


def _turned(rotations: Tensor, rows: Tensor) -> Tensor:
    """Blocks (n, b, b) times the rows (n x b, columns), block by block."""
    return (rotations @ rows.reshape(rotations.shape[0], rotations.shape[1], -1)).reshape(rows.shape)


def _butterfly(levels: Tensor, rows: Tensor) -> Tensor:
    """Each level rotates pairs of half blocks that lie ever further apart (arXiv:2311.06243, section 4)."""
    half = levels.shape[-1] // 2
    for level, rotations in enumerate(levels):
        distance = 2**level * half
        pairs = rows.reshape(-1, 2, distance, rows.shape[1]).transpose(1, 2)
        mixed = _turned(rotations, pairs.reshape(rows.shape))
        rows = mixed.reshape(-1, distance, 2, rows.shape[1]).transpose(1, 2).reshape(rows.shape)
    return rows
