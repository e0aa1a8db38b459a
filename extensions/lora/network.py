"""A network file in memory: the changes it makes, layer by layer, and the embeddings it carries. Knows no model."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from webui.extension_api import Account, UnusableFileError
from webui.extension_api.tensors import Embedding, TensorFile, embedding_of

from .adapters import Adapter, number_of, read_adapter
from .header_scales import HeaderScales, header_scales
from .keys import BundledKey, PartKey, Place, read_key
from .low_rank_kinds import LowRank
from .quantized import StoredTensors
from .whole_kinds import Full

_COUNTS = ("alpha", "scale", "scalar", "on_input")  # parts that may be whole numbers


@dataclass(frozen=True, slots=True)
class Change:
    """What one network does to one layer.

    Attributes:
        adapter: the formula; None where only the layer's bias changes.
        scale: of what the formula gives, at full strength.
        addend: added to what the formula gives, before the scale; or None.
        magnitude: norms that the changed weight is brought to (DoRA, Liu et al. 2024, arXiv:2402.09353); or None.
        bias: added to the layer's bias; or None.
    """

    adapter: Adapter | None
    scale: float
    addend: Tensor | None = None
    magnitude: Tensor | None = None
    bias: Tensor | None = None

    def fits(self, shape: torch.Size) -> bool:
        """Whether all of it was made for a weight of this shape.

        The formula is tried without numbers, since files may hold parts that do not go together.
        """
        try:
            if self.adapter is not None and not self.adapter.fits(shape):
                return False
            if self.magnitude is not None and (len(shape) < 2 or self.magnitude.numel() not in shape[:2]):
                return False
            self.weight(torch.empty(shape, device="meta"), 1.0)
        except (RuntimeError, IndexError):
            return False
        return self.bias is None or self.bias.numel() == shape[0]

    def scaled(self, ratio: float) -> "Change":
        """With so much more of what the formula gives; what is added to the layer's bias stays, as in A1111."""
        return replace(self, scale=self.scale * ratio)

    def form(self) -> Hashable:
        """Equal for changes that fit the same weights: the kind and the shapes of all its parts."""
        parts: list[object] = [self.addend, self.magnitude, self.bias]
        if is_dataclass(self.adapter):
            parts += [getattr(self.adapter, one.name) for one in fields(self.adapter)]
        return (type(self.adapter).__name__, *_shapes(parts))

    def weight(self, weight: Tensor, strength: float, ranks: int | None = None) -> Tensor:
        """A new tensor: `weight` with this change at `strength`. `weight` itself is left as it is.

        Args:
            ranks: use only the first ranks of a LoRA.
        """
        adapter = self.adapter
        if adapter is None:
            return weight
        if isinstance(adapter, LowRank) and ranks is not None:
            adapter = adapter.cut(ranks)
        if isinstance(adapter, LowRank) and self._is_plain(adapter, weight):
            return _product_added(weight, adapter, strength * self.scale)
        base = _rounded(weight, adapter)
        delta = adapter.delta(base)
        if self.addend is not None:
            delta = delta + self.addend.to(base).reshape(base.shape)
        if self.magnitude is None:
            return (base + delta * self.scale * strength).to(weight.dtype)
        merged = (base + delta * self.scale).float()
        decomposed = merged * (_magnitude(self.magnitude, merged) / _norms(self.magnitude, merged))
        return (weight + strength * (decomposed - base)).to(weight.dtype)

    def _is_plain(self, adapter: LowRank, weight: Tensor) -> bool:
        whole = adapter.mid is None and adapter.up.shape[0] * adapter.down[0].numel() == weight.numel()
        return whole and self.addend is None and self.magnitude is None


@dataclass(frozen=True, slots=True)
class Network:
    """A network file.

    Attributes:
        changes: by layer.
        embeddings: textual inversions that came inside.
        told: sentences for the user about what of the file could not be used.
    """

    name: str
    changes: Mapping[Place, Change]
    embeddings: tuple[Embedding, ...] = ()
    told: tuple[str, ...] = ()


def read_network(source: TensorFile, name: str) -> Network:
    """Read a network of any of the kinds in `adapters.py`. What belongs to none is told.

    Raises:
        UnusableFileError: no adapter in it; or naming the tensor, damaged, not finite, or parts that do not fit; or a
            header that says of its strength what cannot be used.
    """
    account = Account(name, source.names())
    scales = header_scales(name, source.header.metadata)
    layers, bundled = _sorted(StoredTensors(source, name, account), account)
    changes = {}
    for place, parts in layers.items():
        change = _change(name, place, parts, scales)
        parts.settle(account)
        if change is not None:
            changes[place] = change
    if not changes and not bundled:
        raise UnusableFileError(f"{name}: no LoRA or LyCORIS network of a known kind in it")
    told = [sentence for sentence in (scales.problem, account.told()) if sentence]
    embeddings = []
    for title, tensors in bundled.items():
        try:
            embeddings.append(embedding_of(title, tensors, origin=name))
        except UnusableFileError as error:
            told.append(f"{error}; the embedding was left out")
    return Network(name, MappingProxyType(changes), tuple(embeddings), tuple(told))


class LayerParts(Mapping[str, Tensor]):
    """The parts of one layer. It notes which of them are read, so that the others can be told."""

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor] = {}
        self._keys: dict[str, str] = {}
        self._read: set[str] = set()

    def put(self, part: str, key: str, tensor: Tensor) -> None:
        """Add the part that the file calls `key`. A layer that is written twice counts once, by its first name."""
        if part not in self._tensors:
            self._tensors[part], self._keys[part] = tensor, key

    def settle(self, account: Account) -> None:
        """Enter what was read into the account of the file, and what this kind of adapter has no use for."""
        account.use(*(self._keys[part] for part in self._read))
        if "alpha" in self._keys and self._read - {"alpha"}:
            account.leave_out("this kind of adapter has no use for alpha", self._keys["alpha"])

    def __getitem__(self, part: str) -> Tensor:
        tensor = self._tensors[part]
        self._read.add(part)
        return tensor

    def __contains__(self, part: object) -> bool:
        return part in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each part."""
        return {part: tuple(tensor.shape) for part, tensor in self._tensors.items()}


def _sorted(tensors: StoredTensors, account: Account) -> tuple[dict[Place, LayerParts], dict[str, dict[str, Tensor]]]:
    """The parts of each layer, and the tensors of each embedding."""
    layers: dict[Place, LayerParts] = {}
    bundled: dict[str, dict[str, Tensor]] = {}
    for key in tensors.names():
        match read_key(key):
            case PartKey(place, part):
                tensor = tensors.read(key, counts=part in _COUNTS)
                layers.setdefault(place, LayerParts()).put(part, key, tensor)
            case BundledKey(embedding, part):
                bundled.setdefault(embedding, {})[part] = tensors.read(key, counts=True)
                account.use(key)
    return layers, bundled


def _change(file: str, place: Place, parts: LayerParts, scales: HeaderScales) -> Change | None:
    try:
        adapter = read_adapter(parts)
        scale = _scale(place, parts, adapter, scales)
    except UnusableFileError as error:
        raise UnusableFileError(f"{file}: layer {place.name}: {error}") from error
    bias = _either(parts, "diff_b", "b_norm")
    if adapter is None and bias is None:
        return None
    is_whole = adapter is None or isinstance(adapter, Full)
    magnitude = None if is_whole else _either(parts, "dora_scale", "magnitude")
    return Change(adapter, scale, parts.get("bias") if adapter is not None else None, magnitude, bias)


def _shapes(values: Iterable[object]) -> Iterator[Hashable]:
    for value in values:
        match value:
            case Tensor():
                yield tuple(value.shape)
            case tuple():
                yield tuple(_shapes(value))
            case LowRank():
                yield tuple(_shapes((value.up, value.down, value.mid)))
            case _:
                yield value is None


def _either(parts: LayerParts, one: str, other: str) -> Tensor | None:
    return parts[one] if one in parts else parts.get(other)


def _scale(place: Place, parts: LayerParts, adapter: Adapter | None, scales: HeaderScales) -> float:
    """`scale` where it is stored, else by alpha and the rank where the kind has one; LyCORIS' `scalar` is a factor."""
    factor = number_of(parts, "scalar") if "scalar" in parts else 1.0
    if "scale" in parts:
        return factor * number_of(parts, "scale")
    if adapter is None or adapter.dim is None:
        return factor
    alpha = number_of(parts, "alpha") if "alpha" in parts else None
    kernels = [shape[2:] for shape in parts.shapes().values() if len(shape) == 4]
    is_convolution = any(max(kernel) > 1 for kernel in kernels)
    return factor * scales.scale(place, alpha, adapter.dim, is_convolution=is_convolution)


def _rounded(weight: Tensor, adapter: Adapter) -> Tensor:
    """The weight in the number format that A1111 changes it in: fp16 files of some kinds round what they touch."""
    halves = weight.dtype == torch.float32 and adapter.stored == torch.float16
    return weight.half() if halves else weight


def _product_added(weight: Tensor, adapter: LowRank, factor: float) -> Tensor:
    """weight + factor (up @ down), in one go and in the memory layout of `weight`."""
    up, down = adapter.up.flatten(1).to(weight), adapter.down.flatten(1).to(weight)
    changed = torch.addmm(weight.flatten(1), up, down, alpha=factor).reshape(weight.shape)
    if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        return changed.contiguous(memory_format=torch.channels_last)
    return changed


def _is_by_output(magnitude: Tensor, weight: Tensor) -> bool:
    """Newer files store a norm for each output (out, 1) or (out,), the paper and A1111 one for each input (1, in)."""
    return magnitude.numel() == weight.shape[0] and (magnitude.ndim == 1 or magnitude.shape[0] == weight.shape[0])


def _magnitude(magnitude: Tensor, weight: Tensor) -> Tensor:
    shape = [1] * weight.ndim
    shape[0 if _is_by_output(magnitude, weight) else 1] = -1
    return magnitude.to(weight).reshape(shape)


def _norms(magnitude: Tensor, weight: Tensor) -> Tensor:
    kept = 0 if _is_by_output(magnitude, weight) else 1
    others = [dimension for dimension in range(weight.ndim) if dimension != kept]
    norms: Tensor = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    return norms
