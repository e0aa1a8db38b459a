"""Writes trained networks in the formats users know: fp16 safetensors, a checkpoint in the LDM layout of SD1.

Names of UNet and VAE tensors come from the program's own table (`webui.library.layout`), which reads them too.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.models.clip.modeling_clip import CLIPTextModel

from tools.train_mini.networks import TOKENS, UNET_WIDTHS, VAE_WIDTHS, new_text_encoder, new_unet
from tools.train_mini.unet import Painter
from webui.library.layout import Layout, unet_layout, vae_layout

TEXT_PREFIX = "cond_stage_model.transformer.text_model."
UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."

UNET_LAYOUT = unet_layout([1] * len(UNET_WIDTHS), [level > 0 for level in range(len(UNET_WIDTHS))])
VAE_LAYOUT = vae_layout([1] * len(VAE_WIDTHS), [2] * len(VAE_WIDTHS))


def checkpoint(text: CLIPTextModel, unet: UNet2DConditionModel, vae: AutoencoderKL) -> dict[str, Tensor]:
    """All tensors of an SD1 checkpoint, by their LDM names."""
    tensors = {TEXT_PREFIX + name: value for name, value in text.state_dict().items()}
    tensors[TEXT_PREFIX + "embeddings.position_ids"] = torch.arange(TOKENS)[None]
    tensors |= ldm_named(unet.state_dict(), UNET_LAYOUT, UNET_PREFIX)
    return tensors | _convolved(ldm_named(vae.state_dict(), VAE_LAYOUT, VAE_PREFIX))


def read_painter(path: Path) -> Painter:
    """Text encoder and UNet of a finished checkpoint."""
    tensors = load_file(path)
    painter = Painter(new_text_encoder(), new_unet())
    text = {name: tensors[TEXT_PREFIX + name].float() for name in painter.text.state_dict()}
    unet = {name: tensors[f"{UNET_PREFIX}{UNET_LAYOUT.to_ldm(name)}"].float() for name in painter.unet.state_dict()}
    painter.text.load_state_dict(text)
    painter.unet.load_state_dict(unet)
    return painter


def ldm_named(state: Mapping[str, Tensor], layout: Layout, prefix: str) -> dict[str, Tensor]:
    """The tensors of a diffusers module under their LDM names."""
    named: dict[str, Tensor] = {}
    for name, value in state.items():
        ldm = layout.to_ldm(name)
        if ldm is None:
            raise ValueError(f"{name} has no name in the LDM layout")
        named[prefix + ldm] = value
    return named


def _convolved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """LDM's VAE attends with 1x1 convolutions where diffusers has linear layers."""
    return {
        name: value[:, :, None, None] if ".attn_1." in name and value.ndim == 2 else value
        for name, value in tensors.items()
    }


def write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Save in fp16 (whole numbers as they are), complete or not at all.

    Raises:
        ValueError: a weight does not fit fp16.
    """
    halves: dict[str, Tensor] = {}
    for name, value in tensors.items():
        half = value.detach().half() if value.is_floating_point() else value.detach()
        if not torch.isfinite(half.float()).all():
            raise ValueError(f"{path.name}: {name} does not fit 16 bits")
        halves[name] = half.contiguous().clone()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file(halves, temporary, metadata={"format": "pt", **about})
    temporary.replace(path)
