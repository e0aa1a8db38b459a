"""A checkpoint in memory, ready to be used."""

from dataclasses import dataclass

import torch

from webui.library.detect import ModelSpec
from webui.library.files import ModelFile
from webui.prompt.ports import TextStack
from webui.weights.depth import DepthNetwork
from webui.weights.unet import UnetDoor
from webui.weights.vae import VaeDoor


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """One checkpoint with the VAE chosen for it.

    Attributes:
        spec: as detected; the prediction type may have been settled by a probe of the weights.
        vae_file: None when the VAE is the one inside the checkpoint.
        device, dtype: of the UNet and the text encoders.
        depth: what a depth checkpoint estimates depth with; None in all others.
    """

    file: ModelFile
    spec: ModelSpec
    vae_file: ModelFile | None
    unet: UnetDoor
    vae: VaeDoor
    text: TextStack
    device: torch.device
    dtype: torch.dtype
    depth: DepthNetwork | None = None
