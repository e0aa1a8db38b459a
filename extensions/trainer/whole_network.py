"""Fine-tuning: the whole UNet is trained, and written as a checkpoint in the layout of the one that it was.

The file has the names of the base's (LDM, as A1111 reads it); text encoders, VAE and all else are taken over from it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from webui.extension_api import Models
from webui.extension_api.tensors import LoadedModel, TensorEntry, TensorFile

from .optimizers import Group
from .options import TrainOptions


class WholeNetwork:
    """The UNet of a checkpoint that belongs to the caller. `parameters` are what is trained."""

    trains_text = False

    def __init__(self, model: LoadedModel, options: TrainOptions) -> None:
        self._options = options
        unet = model.unet.module
        for value in unet.parameters():
            value.data = value.data.float()
        unet.requires_grad_(True)
        self.parameters: dict[str, nn.Parameter] = dict(unet.named_parameters())
        layout, keys = model.unet.shape.layout, model.spec.unet.keys
        self._keys = {keys[ldm]: name for name in self.parameters if (ldm := layout.to_ldm(name)) in keys and ldm}

    def groups(self) -> list[Group]:
        """What is trained, with its learning rate."""
        return [Group([*self.parameters.values()], self._options.rate)]

    def entries(self, base: TensorFile, dtype: torch.dtype) -> tuple[list[TensorEntry], Callable[[str], Tensor]]:
        """The tensors of the file, and what reads one of them."""

        def read(name: str) -> Tensor:
            if name not in self._keys:
                return base.read(name)
            return self.parameters[self._keys[name]].detach().to("cpu", dtype).reshape(base.shape(name))

        entries = [
            TensorEntry(name, dtype if name in self._keys else base.dtype(name), base.shape(name))
            for name in base.names()
        ]
        return entries, read


def opened_base(models: Models, name: str) -> TensorFile:
    """The file of a checkpoint. Raises as `Models.find`, and where it is damaged."""
    path = models.find("checkpoint", name)
    if path.suffix.lower() != ".safetensors":
        path = models.load(path, _path)
    return TensorFile(path)


def metadata_of(base: TensorFile) -> Mapping[str, str]:
    """What the base says of itself, without hashes that no longer hold."""
    return {key: value for key, value in base.header.metadata.items() if "hash" not in key}


def _path(tensors: TensorFile) -> Path:
    return tensors.path
