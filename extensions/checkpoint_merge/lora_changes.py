"""LoRA merged into a checkpoint: W + weight x scale x delta W, as functions of a tensor. It writes no files."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from webui.extension_api import BadRequestError, UnusableFileError

from .layers import Target, targets
from .loras import LoraFile
from .sources import Source

_NAMED = 3  # layers in an error text


@dataclass(frozen=True, slots=True)
class _Part:
    """One layer of one file, and how it changes one tensor."""

    file: LoraFile
    layer: str
    target: Target
    weight: float
    is_bias: bool


class LoraChange:
    """The change of one tensor by all LoRAs together. It reads their layers when it is called."""

    def __init__(self, tensor: str, parts: Sequence[_Part]) -> None:
        self._tensor = tensor
        self._parts = parts

    def __call__(self, weight: Tensor) -> Tensor:
        """(out, in, ...) float32 -> the same shape.

        Raises:
            UnusableFileError: a layer does not fit; names file, layer and tensor.
        """
        result = weight.clone()
        for part in self._parts:
            module = part.file.module(part.layer)
            delta = module.bias if part.is_bias else module.delta()
            if delta is None:
                continue
            third = part.target.third
            place = result if third is None else result.chunk(3)[third]
            if delta.numel() != place.numel() or len(delta) != len(place):
                raise UnusableFileError(
                    f"{part.file.name}: layer {part.layer} has the shape {tuple(delta.shape)}, {self._tensor} of the "
                    f"checkpoint needs {tuple(place.shape)}; the LoRA was made for another model"
                )
            place += part.weight * delta.reshape(place.shape)
        return result


def changes_of(source: Source, files: Sequence[tuple[LoraFile, float]]) -> Mapping[str, Callable[[Tensor], Tensor]]:
    """The changes that LoRAs make to a checkpoint, by tensor.

    Layers that the checkpoint does not have are ignored, as in prompts, unless that is all of them.

    Args:
        files: open LoRAs with their weights.

    Raises:
        BadRequestError: none of a LoRA's layers is in the checkpoint; names both files.
    """
    if not files:
        return {}
    places = targets(source.spec, source.tensors.names())
    parts: dict[str, list[_Part]] = defaultdict(list)
    for file, weight in files:
        known = [layer for layer in file.layers if layer in places]
        if not known:
            raise BadRequestError(
                "loras",
                f"{file.name} fits no layer of {source.name} ({source.spec.family.name}); it has "
                f"{', '.join(file.layers[:_NAMED])}: the LoRA was made for another family",
            )
        for layer in known:
            target = places[layer]
            parts[target.tensor].append(_Part(file, layer, target, weight, is_bias=False))
            if target.bias in source.tensors and file.has_bias(layer):
                parts[target.bias].append(_Part(file, layer, target, weight, is_bias=True))
    return {tensor: LoraChange(tensor, these) for tensor, these in parts.items()}
