"""A checkpoint in memory, ready to be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from webui.domain.errors import UnusableFileError
from webui.library.family import LatentFormat, ModelSpec
from webui.library.files import ModelFile
from webui.prompt.ports import TextStack
from webui.sampling.attending import AttentionLayer
from webui.sampling.steps import ModelCall, Residuals
from webui.weights.depth import DepthNetwork
from webui.weights.unet import UnetWrapper
from webui.weights.vae import VaeWrapper


class NetworkWrapper(Protocol):
    """The network that denoises, wrapped so that it takes and returns the tensors of `webui.sampling.steps.Network`.

    Attributes:
        module: the network; patches act on it.
        layers: the attention layers in which extensions can take part, by their names.
    """

    @property
    def module(self) -> nn.Module | Any: ...
    @property
    def layers(self) -> Mapping[str, AttentionLayer]: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...
    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """One checkpoint with the VAE chosen for it.

    Attributes:
        spec: as detected from the file; the prediction type may come from a test of the weights.
        vae_file: None when the VAE is the one inside the checkpoint.
        network: the network that denoises.
        device, dtype: of the network and the text encoders.
        depth: the depth network of a depth checkpoint; None in all others.
    """

    file: ModelFile
    spec: ModelSpec
    vae_file: ModelFile | None
    network: NetworkWrapper
    vae: VaeWrapper
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
    def unet(self) -> UnetWrapper:
        """The network, where it is a UNet. Raises UnusableFileError where it is another kind."""
        if not isinstance(self.network, UnetWrapper):
            raise UnusableFileError(
                f"{self.file.name}: a checkpoint of the family {self.spec.family.name} has no UNet to act on"
            )
        return self.network
