"""A network file in memory: the changes it makes, layer by layer, and the embeddings it carries. Knows no model."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import Embedding, TensorFile, embedding_of, is_finite

from .adapters import Adapter, read_adapter
from .keys import BundledKey, PartKey, Place, read_key
from .low_rank_kinds import LowRank
from .whole_kinds import Full


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
        return self.adapter is None or self.adapter.fits(shape)

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
    """

    name: str
    changes: Mapping[Place, Change]
    embeddings: tuple[Embedding, ...] = ()


def read_network(source: TensorFile, name: str) -> Network:
    """Read a network of any of the kinds in `adapters.py`. Tensors that belong to none are passed over, as in A1111.

    Raises:
        UnusableFileError: no adapter in it; or naming the tensor, damaged, not finite, or parts that do not fit.
    """
    layers: dict[Place, dict[str, Tensor]] = {}
    bundled: dict[str, dict[str, Tensor]] = {}
    for key in source.names():
        found = read_key(key)
        if found is None:
            continue
        tensor = source.read(key)
        if tensor.is_floating_point() and not is_finite(tensor):
            raise UnusableFileError(f"{name}: tensor {key} holds NaN or infinity; the file is damaged")
        match found:
            case PartKey(place, part):
                layers.setdefault(place, {})[part] = tensor
            case BundledKey(embedding, part):
                bundled.setdefault(embedding, {})[part] = tensor
    changes = {place: change for place, parts in layers.items() if (change := _change(name, place, parts)) is not None}
    if not changes and not bundled:
        raise UnusableFileError(f"{name}: no LoRA or LyCORIS network of a known kind in it")
    embeddings = tuple(embedding_of(title, parts, origin=name) for title, parts in bundled.items())
    return Network(name, MappingProxyType(changes), embeddings)


def _change(file: str, place: Place, parts: Mapping[str, Tensor]) -> Change | None:
    try:
        adapter = read_adapter(parts)
    except UnusableFileError as error:
        raise UnusableFileError(f"{file}: layer {place.name}: {error}") from error
    bias = parts.get("diff_b", parts.get("b_norm"))
    if adapter is None and bias is None:
        return None
    is_whole = adapter is None or isinstance(adapter, Full)
    magnitude = None if is_whole else parts.get("dora_scale", parts.get("magnitude"))
    return Change(adapter, _scale(parts, adapter), parts.get("bias"), magnitude, bias)


def _scale(parts: Mapping[str, Tensor], adapter: Adapter | None) -> float:
    """`scale` where it is stored, else alpha / rank where both are known, else 1."""
    if "scale" in parts:
        return float(parts["scale"])
    if adapter is None or adapter.dim is None or "alpha" not in parts:
        return 1.0
    return float(parts["alpha"]) / adapter.dim


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
