"""A checkpoint in memory, ready to be used."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from webui.domain.errors import UnusableFileError
from webui.library.family import LatentFormat, ModelSpec
from webui.library.files import ModelFile
from webui.prompt.ports import TextStack
from webui.sampling.steps import ModelCall, Residuals
from webui.weights.depth import DepthNetwork
from webui.weights.unet import UnetDoor
from webui.weights.vae import VaeDoor


class NetworkDoor(Protocol):
    """The network that denoises, at its door; implements `webui.sampling.steps.Network`.

    Attributes:
        module: the network; patches act on it.
    """

    @property
    def module(self) -> nn.Module | Any: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...
    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """One checkpoint with the VAE chosen for it.

    Attributes:
        spec: as detected; the prediction type may have been settled by a probe of the weights.
        vae_file: None when the VAE is the one inside the checkpoint.
        network: what denoises.
        device, dtype: of the network and the text encoders.
        depth: what a depth checkpoint estimates depth with; None in all others.
    """

    file: ModelFile
    spec: ModelSpec
    vae_file: ModelFile | None
    network: NetworkDoor
    vae: VaeDoor
    text: TextStack
    device: torch.device
    dtype: torch.dtype
    depth: DepthNetwork | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know of its files, in sentences."""
        return (*self.spec.notices, self.vae.told) if self.vae.told else self.spec.notices

    @property
    def latents(self) -> LatentFormat:
        """How its latents look, with the colours that its VAE gives them."""
        return self.vae.seen(self.spec.latents)

    @property
    def unet(self) -> UnetDoor:
        """The network where it is a UNet. Raises UnusableFileError where it is none."""
        if not isinstance(self.network, UnetDoor):
            raise UnusableFileError(
                f"{self.file.name}: a checkpoint of the family {self.spec.family.name} has no UNet to act on"
            )
        return self.network
