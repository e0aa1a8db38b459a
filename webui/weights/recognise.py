"""Builds networks that turn pictures into pictures (upscalers, face restorers). Spandrel recognises them by the names
of their tensors.
"""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from webui.domain.errors import UnusableFileError
from webui.weights.tensors import TensorFile

if TYPE_CHECKING:
    from spandrel import ArchRegistry, ImageModelDescriptor

FACES = "FaceSR"  # what spandrel calls the purpose of face restorers
WRAPPINGS = ("params_ema.", "params-ema.", "params.")  # prefixes of training programs, the best weights first
TORCHVISION = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


def recognise(source: TensorFile, name: str, device: torch.device) -> "ImageModelDescriptor[Any]":
    """The network whose tensors a file has, in float32, ready to be used.

    Args:
        name: of the file, for error texts.

    Raises:
        UnusableFileError: the network is unknown, or does not turn a picture into a picture.
    """
    state = unwrapped({key: source.read_as(key, _wide(source.dtype(key))) for key in source.names()})
    with without_torchvision():
        from spandrel import ImageModelDescriptor, ModelLoader
    try:
        descriptor = ModelLoader(device, _registry()).load_from_state_dict(state)
    except Exception as error:  # wrong shapes may fail anywhere inside spandrel
        reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"[:200] if str(error) else type(error).__name__
        raise UnusableFileError(f"{name}: not a network of a known kind ({reason})") from error
    if not isinstance(descriptor, ImageModelDescriptor):
        raise UnusableFileError(f"{name}: a {descriptor.architecture.name}, which needs more than a picture")
    descriptor.model.requires_grad_(requires_grad=False)
    return descriptor.float().eval()


def _registry() -> "ArchRegistry":
    """spandrel's own networks, and CodeFormer, which is in a package of its own for its licence (non-commercial)."""
    from spandrel import MAIN_REGISTRY, ArchSupport

    try:
        from spandrel_extra_arches.architectures.CodeFormer import CodeFormerArch
    except ModuleNotFoundError:
        return MAIN_REGISTRY
    registry = MAIN_REGISTRY.copy()
    registry.add(ArchSupport.from_architecture(CodeFormerArch()))
    return registry


def unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the prefix that a training program put before their names."""
    for prefix in WRAPPINGS:
        inside = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
        if inside and all(key.startswith(WRAPPINGS) for key in state):
            return inside
    return state


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype.is_floating_point else dtype


@contextmanager
def without_torchvision() -> Iterator[None]:
    """Names of torchvision while spandrel is imported.

    Two of its networks import functions from it by name, which nothing here calls. torchvision itself is not needed,
    and where its compiled part does not fit torch, importing it fails.
    """
    if "torchvision" in sys.modules or "spandrel" in sys.modules:
        yield
        return
    stubs = {name: types.ModuleType(name) for name in TORCHVISION}
    functional = stubs[TORCHVISION[-1]]
    for function in ("normalize", "rotate", "InterpolationMode"):
        setattr(functional, function, None)
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name in TORCHVISION:
            sys.modules.pop(name, None)
