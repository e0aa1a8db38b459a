"""Reads LoRA files, with the names of kohya or of diffusers, and computes the changes that they describe.

Supported kinds: LoRA and LoCon (arXiv:2106.09685), with or without a Tucker core, LoHa (arXiv:2108.06098), LoKr, and
full differences. A change is scale x delta W with scale = alpha / rank.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import TensorFile

_DOWN, _UP, _MID = "lora_down.weight", "lora_up.weight", "lora_mid.weight"
_PARTS = (
    _DOWN, _UP, _MID, "lora_A.weight", "lora_B.weight", "alpha", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b",
    "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "diff",
    "diff_b", "scale", "dora_scale", "a1.weight", "a2.weight", "b1.weight", "b2.weight", "oft_blocks", "oft_diag",
    "weight", "on_input", "w_norm", "b_norm", "bias", "rescale",
)  # fmt: skip
_REFUSED = ("dora_scale", "a1.weight", "oft_blocks", "oft_diag", "on_input", "w_norm", "b_norm", "bias")
_KNOWN = frozenset({_UP, "hada_w1_b", "lokr_w1", "lokr_w1_b", "diff", "diff_b", *_REFUSED})
_TEXT = (("text_encoder_2.", "lora_te2_"), ("text_encoder.", "lora_te_"), ("unet.", "lora_unet_"))


@dataclass(frozen=True, slots=True)
class Factors:
    """delta W = up @ down, with `scale` to be multiplied.

    Attributes:
        up: (out, r) float32.
        down: (r, in, ...) float32; the dimensions of a convolution's kernel come last.
    """

    up: Tensor
    down: Tensor
    scale: float

    @property
    def delta(self) -> Tensor:
        """(out, in, ...) float32, scaled."""
        return self.scale * (self.up @ self.down.flatten(1)).reshape(len(self.up), *self.down.shape[1:])


class LoraModule:
    """One layer of a LoRA file."""

    def __init__(self, file_name: str, name: str, parts: Mapping[str, Tensor]) -> None:
        """Raises UnusableFileError where it is of a kind that cannot be merged, or lacks a part."""
        self.name = name
        self._file = file_name
        self._parts = parts
        refused = [part for part in _REFUSED if part in parts]
        if refused:
            raise UnusableFileError(
                f"{file_name}: layer {name} has {refused[0]}, a kind that depends on the weight it changes; it can be "
                "used in a prompt, not merged"
            )

    @property
    def factors(self) -> Factors | None:
        """Its two factors; None where it is not a plain LoRA."""
        if _UP not in self._parts or _DOWN not in self._parts or _MID in self._parts:
            return None
        up, down = self._parts[_UP].float(), self._parts[_DOWN].float()
        if up.flatten(1).shape[1] != len(down):
            raise UnusableFileError(
                f"{self._file}: {self.name} has {up.flatten(1).shape[1]} columns up and {len(down)} rows down; "
                "these must be the same number, its rank"
            )
        return Factors(up.flatten(1), down, self._scale(len(down)))

    @property
    def bias(self) -> Tensor | None:
        """The change of the layer's bias, (out,)."""
        found = self._parts.get("diff_b")
        return None if found is None else found.float()

    def delta(self) -> Tensor | None:
        """The change of the layer's weight, float32; kernels may be flattened. None where it has only a bias."""
        parts = self._parts
        if (factors := self.factors) is not None:
            return factors.delta
        if _MID in parts:
            up, down, mid = self._part(_UP).flatten(1), self._part(_DOWN).flatten(1), self._part(_MID)
            return self._scale(len(down)) * torch.einsum("on,nmhw,mi->oihw", up, mid, down)
        if "hada_w1_b" in parts:
            return self._scale(len(parts["hada_w1_b"])) * self._hada("1") * self._hada("2")
        if "lokr_w1" in parts or "lokr_w1_b" in parts:
            return self._kronecker()
        return parts["diff"].float() if "diff" in parts else None

    def _hada(self, which: str) -> Tensor:
        a, b, core = self._part(f"hada_w{which}_a"), self._part(f"hada_w{which}_b"), self._parts.get(f"hada_t{which}")
        if core is None:
            return a @ b
        return torch.einsum("nmhw,mi,no->oihw", core.float(), b, a)

    def _kronecker(self) -> Tensor:
        rank: int | None = None
        sides = []
        for which in ("1", "2"):
            if f"lokr_w{which}" in self._parts:
                sides.append(self._part(f"lokr_w{which}"))
                continue
            a, b, core = self._part(f"lokr_w{which}_a"), self._part(f"lokr_w{which}_b"), self._parts.get("lokr_t2")
            rank = len(b)
            if which == "2" and core is not None:
                sides.append(torch.einsum("nmhw,mi,no->oihw", core.float(), b, a))
            else:
                sides.append((a @ b.flatten(1)).reshape(len(a), *b.shape[1:]))
        first, second = sides
        first = first.reshape(*first.shape, *(1,) * (second.dim() - first.dim()))
        return self._scale(rank) * torch.kron(first, second)

    def _part(self, part: str) -> Tensor:
        if part not in self._parts:
            raise UnusableFileError(f"{self._file}: {self.name}.{part} is missing; the file is damaged")
        return self._parts[part].float()

    def _scale(self, rank: int | None) -> float:
        if "scale" in self._parts:
            return float(self._parts["scale"])
        if "alpha" not in self._parts or not rank:
            return 1.0
        return float(self._parts["alpha"]) / rank


class LoraFile:
    """The layers of an open LoRA file, read one at a time."""

    def __init__(self, tensors: TensorFile, file_name: str) -> None:
        """Raises UnusableFileError where it holds no LoRA."""
        self.name = file_name
        self._tensors = tensors
        self._parts: dict[str, dict[str, str]] = defaultdict(dict)
        for key in tensors.names():
            part = next((part for part in _PARTS if key.endswith(f".{part}")), None)
            if part is not None:
                layer = key.removesuffix(f".{part}")
                self._parts[_plain(layer)][_canonical_part(part)] = key
        if not any(_KNOWN & parts.keys() for parts in self._parts.values()):
            raise UnusableFileError(f"{file_name}: there is no LoRA in it")

    @property
    def layers(self) -> tuple[str, ...]:
        """Names as `lora_unet_...`, `lora_te_...`, sorted."""
        return tuple(sorted(self._parts))

    def __contains__(self, layer: object) -> bool:
        return layer in self._parts

    def has_bias(self, layer: str) -> bool:
        """Whether it changes the layer's bias too."""
        return "diff_b" in self._parts[layer]

    def module(self, layer: str) -> LoraModule:
        """Read one layer."""
        return LoraModule(self.name, layer, {part: self._tensors.read(key) for part, key in self._parts[layer].items()})

    def __iter__(self) -> Iterator[LoraModule]:
        return (self.module(layer) for layer in self.layers)


def _canonical_part(part: str) -> str:
    return {"lora_A.weight": _DOWN, "lora_B.weight": _UP}.get(part, part)


def _plain(layer: str) -> str:
    """The kohya name of a layer; diffusers writes `unet.down_blocks.0...`."""
    for prefix, plain in _TEXT:
        if layer.startswith(prefix):
            return plain + layer.removeprefix(prefix).replace(".", "_")
    return layer
