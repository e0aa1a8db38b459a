"""A models folder with tiny checkpoints of random numbers, the same at every run: what tests generate with.

Their pictures are noise, but every part of the program takes part in making them. A1111's own pictures are compared
with checkpoints of A1111's (tests/reference.py); the miniature that ships can paint (tests/miniature).
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.library.small import small_checkpoint, small_vae

V_PREDICTION = "model:\n  params:\n    parameterization: v\n    unet_config:\n      params: {num_heads: 8}\n"
ATTENTION = "down_blocks_0_attentions_0_transformer_blocks_0_attn"
RANK = 2
LATENT_CHANNELS = 4
CONTRAST = 2.5
ATTENTION_GAIN = 2.5


def build(folder: Path) -> None:
    """Write four checkpoints (one for v-prediction, one for inpainting), a LoRA and a VAE into their folders."""
    for name in ("Stable-diffusion", "Lora", "VAE"):
        (folder / name).mkdir(parents=True)
    checkpoints = folder / "Stable-diffusion"

    def checkpoint(name: str, seed: int, in_channels: int = 4) -> None:
        tensors = attentive(small_checkpoint(seed, in_channels=in_channels, complete=True))
        save_file(steady(tensors, "first_stage_model."), checkpoints / f"{name}.safetensors")

    checkpoint("tiny-sd1", 1)
    checkpoint("tiny-sd1-b", 2)
    checkpoint("tiny-vpred", 3)
    (checkpoints / "tiny-vpred.yaml").write_text(V_PREDICTION)
    checkpoint("tiny-inpaint", 4, in_channels=9)
    torch.manual_seed(5)
    save_file(low_rank(), folder / "Lora" / "tiny-lora.safetensors")
    save_file(steady(small_vae(4)), folder / "VAE" / "tiny-vae.safetensors")


def steady(tensors: dict[str, Tensor], vae: str = "") -> dict[str, Tensor]:
    """The tensors with a VAE whose encoder hardly draws, as a trained one, and whose pictures have some contrast."""
    spread = slice(LATENT_CHANNELS, None)  # the upper half of the encoder's answer is the logarithm of a variance
    tensors[f"{vae}quant_conv.weight"][spread] = 0
    tensors[f"{vae}quant_conv.bias"][spread] = -18
    tensors[f"{vae}decoder.conv_out.weight"] *= CONTRAST
    return tensors


def attentive(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with a UNet that listens to the prompt, and a text encoder that tells words apart."""
    for name, tensor in tensors.items():
        if "layer_norm" in name and name.endswith("weight"):
            tensor.fill_(1)
        elif ".attn2.to_v." in name or ".attn2.to_out.0.weight" in name or name.endswith("proj_out.weight"):
            tensor *= ATTENTION_GAIN
    return tensors


def low_rank() -> dict[str, Tensor]:
    """A LoRA in kohya's naming that changes the UNet's attention and the text encoder."""

    def pair(key: str, rows: int, columns: int) -> dict[str, Tensor]:
        up, down = torch.randn(rows, RANK), torch.randn(RANK, columns)
        return {f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down, f"{key}.alpha": torch.tensor(1.0)}

    tensors = pair(f"lora_unet_{ATTENTION}1_to_q", 32, 32) | pair(f"lora_unet_{ATTENTION}2_to_k", 32, 64)
    return tensors | pair("lora_te_text_model_encoder_layers_0_mlp_fc1", 128, 64)
