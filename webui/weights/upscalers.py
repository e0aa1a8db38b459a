"""Loads upscaler networks and keeps the last one. `imaging/upscale.py` cuts pictures into tiles for them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from webui.domain.errors import UnusableFileError
from webui.library.cache import version
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.weights.convert import ensure_safetensors
from webui.weights.recognise import recognise
from webui.weights.recovery import give_memory_back
from webui.weights.residency import Residency
from webui.weights.resident import Resident
from webui.weights.tensors import TensorFile

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

PURPOSES = ("SR", "Restoration")
AVERAGING = ("SwinIR", "SCUNet")  # spandrel's ids of networks whose tiles A1111 averages where they overlap


class UpscalerModel:
    """One loaded network. Implements `imaging.upscale.TileModel`."""

    def __init__(self, descriptor: "ImageModelDescriptor[Any]", device: torch.device) -> None:
        self._descriptor = descriptor
        self._device = device
        self.resident = Resident("upscaler", descriptor.model)

    @property
    def scale(self) -> int:
        """Factor on both sides."""
        return int(self._descriptor.scale)

    @property
    def averages(self) -> bool:
        """Whether overlapping tiles are averaged."""
        return str(self._descriptor.architecture.id) in AVERAGING

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(h, w, 3) RGB in 0..1 -> (scale h, scale w, 3), clamped."""
        rows = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
        answer: Tensor = self.resident.run(
            lambda: self._descriptor(rows.to(self._device)),
            work=f"enlarging a tile of {pixels.shape[1]} x {pixels.shape[0]} pixels",
            lower="close other programs that use the same memory, or start with --vram low",
        )
        large: NDArray[np.float32] = answer[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        return large


class UpscalerCache:
    """Keeps the upscaler network that was used last, in float32. Its memory is released before another is loaded."""

    def __init__(self, library: ModelLibrary, device: torch.device, residency: Residency | None = None) -> None:
        self._library = library
        self._device = device
        self._residency = residency or Residency(device)
        self._key: tuple[Path, str] | None = None
        self._model: UpscalerModel | None = None

    def get(self, file: ModelFile, progress: Callable[[str], None] = lambda text: None) -> UpscalerModel:
        """The network in a file; a pickle is converted first.

        Raises:
            UnusableFileError: not an upscaler that is known, or for other pictures than RGB.
        """
        key = (file.path, version(file.path))
        if self._model is None or self._key != key:
            self.clear()
            progress(f"loading {file.name}")
            path = ensure_safetensors(self._library, file, progress)
            self._model = self._residency.rescued(
                lambda: load_upscaler(path, file.name, self._device),
                work=f"loading {file.name}",
                lower="close other programs that use the same memory, or start with --vram low",
            )
            self._residency.adopt(self._model, f"upscaler {file.name}")
            self._key = key
        return self._model

    def clear(self) -> None:
        """Forget the network."""
        if self._model is not None:
            self._key = self._model = None
            give_memory_back()


def load_upscaler(path: Path, name: str, device: torch.device) -> UpscalerModel:
    """Read a network from a safetensors file.

    Args:
        name: of the file, for error texts.

    Raises:
        UnusableFileError: as `UpscalerCache.get`.
    """
    with TensorFile(path) as source:
        descriptor = recognise(source, name, device)
    if descriptor.purpose not in PURPOSES:
        raise UnusableFileError(f"{name}: a {descriptor.architecture.name} for {descriptor.purpose}, not an upscaler")
    if (descriptor.input_channels, descriptor.output_channels) != (3, 3):
        raise UnusableFileError(f"{name}: works on {descriptor.input_channels} channels; pictures have 3")
    return UpscalerModel(descriptor, device)
