"""Tensors of a file as numbers, whatever they are stored in. Packed and scaled forms are undone here.

Files in float8 or int8 may hold a scale beside a tensor, one number or one for each row: the value is stored x scale.
Programs name it `<tensor>_scale`, `<layer>.scale_weight` or `<layer>.weight_scale`.
"""

from collections.abc import Iterable
from types import MappingProxyType

import torch
from torch import Tensor

from webui.extension_api import Account, UnusableFileError
from webui.extension_api.tensors import TensorFile, is_finite

MARKS = ("scaled_fp8",)  # ComfyUI's, a tensor without values
_ACTIVATIONS = (".scale_input", ".input_scale")
_NO_ACTIVATIONS = "scales of what goes into a layer; weights do not need them"
_ONLY_A_MARK = "it says that the file has scales, which are found by their names"
_EXACT_IN_BF16 = (torch.float8_e4m3fn, torch.float8_e5m2)


class StoredTensors:
    """The tensors of a network file. What is read, and with which scale, goes into the account."""

    def __init__(self, source: TensorFile, name: str, account: Account) -> None:
        """
        Args:
            name: of the file, for error texts.
        """
        self._source = source
        self._name = name
        self._account = account
        keys = list(source.names())
        there = frozenset(keys)
        scales = {key: scale for key in keys if (scale := _scale_of(key, there))}
        self._scales = MappingProxyType(scales)
        account.leave_out(_ONLY_A_MARK, *(key for key in keys if key in MARKS))
        account.leave_out(_NO_ACTIVATIONS, *(key for key in keys if key.endswith(_ACTIVATIONS)))
        apart = {*scales.values(), *MARKS}
        self._names = tuple(key for key in keys if key not in apart and not key.endswith(_ACTIVATIONS))

    def names(self) -> Iterable[str]:
        """Every tensor but the scales of others."""
        return self._names

    def read(self, key: str, *, counts: bool = False) -> Tensor:
        """The values of a tensor, on the CPU. Those of float8 come in a wider format, in which they are exact.

        Args:
            counts: it may hold whole numbers or truth values (`alpha`, `on_input`).

        Raises:
            UnusableFileError: naming the tensor: its format cannot be read, a value is not finite, or whole numbers
                stand where weights belong, without a scale.
        """
        tensor = self._source.read(key)
        scale = self._scales.get(key)
        if scale is not None:
            tensor = self._scaled(key, tensor, self._source.read(scale))
            self._account.use(scale)
        elif tensor.dtype in _EXACT_IN_BF16:
            tensor = tensor.to(torch.bfloat16)
        elif not tensor.is_floating_point() and not counts:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UnusableFileError(
                f"{self._name}: tensor {key} holds weights as {kind} without a scale, a packed form that is not read; "
                "use the file in float16 or float8"
            )
        if tensor.is_floating_point() and not is_finite(tensor):
            raise UnusableFileError(f"{self._name}: tensor {key} holds NaN or infinity; the file is damaged")
        return tensor

    def _scaled(self, key: str, tensor: Tensor, scale: Tensor) -> Tensor:
        rows = tensor.shape[0] if tensor.ndim else 1
        if scale.numel() == 1:
            shape = [1] * tensor.ndim
        elif scale.numel() == rows and (scale.ndim == 1 or scale.shape[0] == rows):
            shape = [rows, *[1] * (tensor.ndim - 1)]
        else:
            raise UnusableFileError(
                f"{self._name}: the scale of tensor {key} has the shape {tuple(scale.shape)}, expected one number, or "
                f"one for each of its {rows} rows"
            )
        return tensor.float() * scale.float().reshape(shape)


def _scale_of(key: str, there: frozenset[str]) -> str | None:
    """The name of the scale that lies beside a tensor."""
    layer = key.removesuffix(".weight")
    forms = (f"{key}_scale", f"{layer}.scale_weight", f"{layer}.weight_scale", f"{key}.scale", f"{key}_scale_inv")
    return next((form for form in forms if form in there), None)
