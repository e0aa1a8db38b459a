"""Gives networks that were built empty the tensors of a file."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import check_finite


def fill(module: nn.Module, file: str, read: Callable[[str], Tensor | None], device: torch.device) -> None:
    """Give every parameter of `module`, which is on the meta device, its tensor.

    Args:
        file: its name, for errors.
        read: the tensor of a parameter by its name; None: the file has none.

    Raises:
        UnusableFileError: one is missing or has another shape. NotFiniteError: one holds NaN or infinity.
    """
    for name, parameter in list(module.named_parameters()):
        tensor = read(name)
        if tensor is None:
            raise UnusableFileError(f"{file}: tensor {name} is missing; the file is incomplete")
        if tensor.shape != parameter.shape:
            raise UnusableFileError(f"{file}: {name} has the shape {tuple(tensor.shape)}, not {tuple(parameter.shape)}")
        check_finite(name, tensor)
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, nn.Parameter(tensor.to(device), requires_grad=False))
