"""Runs the networks of face restorers on one aligned face. The program itself reads and recognises their files."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from webui.extension_api import Models, NotFiniteError, UnusableFileError
from webui.extension_api.tensors import TensorFile, picture_network, restores_faces


class FaceNetwork:
    """One loaded network, in float32.

    Args:
        descriptor: as spandrel recognised it.
    """

    def __init__(self, descriptor: Any, name: str, device: torch.device) -> None:
        self._model = descriptor.model
        self._name = name
        self._device = device
        self.family = str(descriptor.architecture.id)

    @torch.inference_mode()
    def restore(self, pixels: NDArray[np.float32], weight: float = 0.5) -> NDArray[np.float32]:
        """(512, 512, 3) RGB in 0..1, the same size and range back. Inside, numbers are -1..1.

        Args:
            weight: CodeFormer's w (S. Zhou et al., 2022, section 3.3): 0 restores most, 1 stays closest.

        Raises:
            NotFiniteError: the network made NaN or infinity.
        """
        face = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(self._device) * 2 - 1
        made = self._model(face, **self._settings(weight))[0]
        if not torch.isfinite(made).all():
            raise NotFiniteError(f"{self._name} made a face that is not of finite numbers; take another file")
        rows: NDArray[np.float32] = ((made[0].float() + 1) / 2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        return rows

    def _settings(self, weight: float) -> dict[str, Any]:
        match self.family:
            case "CodeFormer":
                return {"weight": weight}
            case "GFPGAN":  # with the noise stored in the file, so that the result is always the same
                return {"return_rgb": False, "randomize_noise": False}
        return {}


def load(models: Models, path: Path, device: torch.device) -> FaceNetwork:
    """The network in a file, kept for the next picture.

    Raises:
        UnusableFileError: not a face restorer.
    """
    return models.load(path, functools.partial(_build, name=path.name, device=device))


def _build(tensors: TensorFile, name: str, device: torch.device) -> FaceNetwork:
    descriptor = picture_network(tensors, name, device)
    if not restores_faces(descriptor):
        raise UnusableFileError(f"{name}: a {descriptor.architecture.name} for {descriptor.purpose}, not for faces")
    return FaceNetwork(descriptor, name, device)
