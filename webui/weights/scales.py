"""Scales that lie beside weights of few bits (float8): which tensor each belongs to. Reads no tensor data.

Two spellings: ComfyUI's `<layer>.scale_weight` with a marker `scaled_fp8`, and `<tensor>_scale` or `<tensor>_scale_inv`
(`<layer>.weight_scale`), as quantizing programs write. In all of them the weight is what is stored times the scale.
"""

import math
from collections.abc import Mapping

from webui.domain.errors import UnusableFileError
from webui.library.idle_tensors import idle_reason
from webui.library.shapes import Shapes

_ENDINGS = (
    (".scale_weight", ".weight"),
    ("weight_scale", "weight"),
    ("weight_scale_inv", "weight"),
)  # of a scale, and of the tensor that it belongs to


def scales_of(shapes: Shapes) -> Mapping[str, str]:
    """Name of a tensor -> name of the scale that it is multiplied by.

    Raises:
        UnusableFileError: a scale that belongs to no tensor, does not fit it, or is not the only one.
    """
    found: dict[str, str] = {}
    for scale in shapes:
        weight = _scaled(scale)
        if weight is None or idle_reason(scale):
            continue
        if weight not in shapes:
            raise UnusableFileError(
                f"the scale {scale} belongs to no tensor ({weight} is missing); the file is incomplete"
            )
        if weight in found:
            raise UnusableFileError(f"{weight} has two scales, {found[weight]} and {scale}; one is expected")
        if not _fits(shapes[scale], shapes[weight]):
            raise UnusableFileError(
                f"the scale {scale} of shape {shapes[scale]} does not fit its tensor of shape {shapes[weight]}; "
                "one number for the tensor, or one for each row, is supported"
            )
        found[weight] = scale
    return found


def _scaled(name: str) -> str | None:
    """The tensor that a name is the scale of; None where it is not a scale's."""
    for ending, weight in _ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending) + weight
    return None


def _fits(scale: tuple[int, ...], weight: tuple[int, ...]) -> bool:
    """One number, or as many as the weight has rows, along its first side."""
    if math.prod(scale) == 1:
        return True
    return bool(weight) and scale[0] == weight[0] and math.prod(scale) == weight[0]
