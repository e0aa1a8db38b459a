"""Networks that draw maps, filled from files of weights. Each is a function of weights by name and of pixels, and reads
its own sizes from the weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from webui.extension_api import Models, UnusableFileError
from webui.extension_api.tensors import TensorFile, check_finite

from .maps import Map

Weights = Mapping[str, Tensor]
Run = Callable[[Weights, Tensor], Tensor]  # (1, C, H, W) float32 to a map of the network's own
_WRAPPER = "module."  # of networks that were trained on several devices
_TRIED = 256  # pixels a side at which a file is tried, without computing


@dataclass(frozen=True, slots=True)
class Annotator:
    """A network with its weights on a device."""

    run: Run
    weights: Weights
    device: torch.device

    def __call__(self, pixels: Tensor) -> Tensor:
        """The network's answer for pixels (1, C, H, W), as float32 in main memory."""
        with torch.inference_mode():
            return self.run(self.weights, pixels.to(self.device)).float().cpu()


def annotator(
    models: Models, path: Path, run: Run, device: torch.device, *, channels: int = 3, below: str = ""
) -> Annotator:
    """The network in a file, kept in memory for further maps.

    Args:
        channels: of the pixels that it sees.
        below: where its weights lie in the file, such as `model.`.

    Raises:
        UnusableFileError: its tensors are not those of this network.
        NotFiniteError: one holds NaN or infinity.
    """
    return models.load(path, partial(_build, name=path.name, run=run, device=device, channels=channels, below=below))


def pixels_of_map(picture: Map) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) float32 in 0..255."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()


def _build(source: TensorFile, name: str, run: Run, device: torch.device, channels: int, below: str) -> Annotator:
    keys = {key.removeprefix(below).removeprefix(_WRAPPER): key for key in source.names() if key.startswith(below)}
    empty = {own: torch.empty(source.shape(key), device="meta") for own, key in keys.items()}
    try:
        run(empty, torch.empty(1, channels, _TRIED, _TRIED, device="meta"))
    except KeyError as error:
        raise UnusableFileError(
            f"{name}: the tensor {error.args[0]} is missing; this is another network, or incomplete"
        ) from error
    except (RuntimeError, ValueError, IndexError) as error:
        raise UnusableFileError(
            f"{name}: its tensors do not fit together as this network needs them ({error})"
        ) from error
    weights = {}
    for own, key in keys.items():
        tensor = source.read_as(key, torch.float32)
        check_finite(key, tensor)
        weights[own] = tensor.to(device)
    return Annotator(run, weights, device)
