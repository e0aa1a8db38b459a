"""Makes the checkpoints that are measured, with random weights: Stable Diffusion 1.5 in its real size, and a tiny one.

Names are those of real files (LDM), shapes come from diffusers' and transformers' own modules on the meta device.
"""

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from benchmarks.children import answer
from webui.library.layout import Layout, unet_layout, vae_layout

SEED = 0
LEVELS = 4
REVISION = 1  # part of the files' names; raise it when what is written changes
GAIN = 0.7  # factor on sqrt(1 / inputs), with which activations neither vanish nor overflow


@dataclass(frozen=True, slots=True)
class Sizes:
    """The widths of a model in SD1's architecture."""

    name: str
    unet: tuple[int, ...]
    vae: tuple[int, ...]
    text_width: int
    text_layers: int
    text_heads: int


FULL = Sizes("sd15", (320, 640, 1280, 1280), (128, 256, 512, 512), 768, 12, 12)
TINY = Sizes("tiny", (32, 64, 96, 96), (32, 64, 96, 96), 64, 3, 1)


def unet(sizes: Sizes) -> UNet2DConditionModel:
    """The UNet without weights."""
    with torch.device("meta"):
        module: UNet2DConditionModel = UNet2DConditionModel(
            block_out_channels=sizes.unet, cross_attention_dim=sizes.text_width, attention_head_dim=8
        )
    return module


def vae(sizes: Sizes) -> AutoencoderKL:
    """The VAE without weights."""
    with torch.device("meta"):
        module: AutoencoderKL = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * LEVELS,
            up_block_types=("UpDecoderBlock2D",) * LEVELS,
            block_out_channels=sizes.vae,
            layers_per_block=2,
        )
    return module


def text(sizes: Sizes) -> CLIPTextModel:
    """The text encoder without weights."""
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=sizes.text_width,
        intermediate_size=4 * sizes.text_width,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=sizes.text_heads,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
    )
    with torch.device("meta"):
        return CLIPTextModel(config)


def models_dir(sizes: Sizes, cache: Path) -> Path:
    """The folder to hand to the program as its models folder; it holds this model alone."""
    return cache / sizes.name


def checkpoint(sizes: Sizes, cache: Path) -> Path:
    """The fp16 checkpoint, made now if it is not there."""
    path = models_dir(sizes, cache) / "Stable-diffusion" / f"{sizes.name}-random-{REVISION}.safetensors"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    partial = path.with_suffix(f".{os.getpid()}.part")
    save_file(dict(_tensors(sizes)), partial, metadata={"format": "pt"})
    partial.replace(path)
    return path


def diffusers_folder(sizes: Sizes, cache: Path) -> Path:
    """The configuration that `StableDiffusionPipeline.from_single_file(config=...)` asks for, without any download."""
    target = cache / f"{sizes.name}-config"
    if (target / "model_index.json").is_file():
        return target
    unet(sizes).save_config(target / "unet")
    vae(sizes).save_config(target / "vae")
    text(sizes).config.save_pretrained(target / "text_encoder")
    index = (
        '{"_class_name": "StableDiffusionPipeline", "requires_safety_checker": false,\n'
        ' "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],\n'
        ' "text_encoder": ["transformers", "CLIPTextModel"]}\n'
    )
    (target / "model_index.json").write_text(index, encoding="utf-8")
    return target


def _tensors(sizes: Sizes) -> Iterator[tuple[str, Tensor]]:
    blocks = [2] * LEVELS
    yield from _as_ldm(unet(sizes), unet_layout(blocks, [True, True, True, False]), "model.diffusion_model.")
    yield from _as_ldm(vae(sizes), vae_layout(blocks, [3] * LEVELS), "first_stage_model.")
    prefix = "cond_stage_model.transformer.text_model."
    for name, parameter in text(sizes).named_parameters():
        yield prefix + name.removeprefix("text_model."), _random(name, tuple(parameter.shape))
    yield f"{prefix}embeddings.position_ids", torch.arange(77)[None]


def _as_ldm(module: nn.Module, layout: Layout, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in module.named_parameters():
        ldm = layout.to_ldm(name)
        if ldm is None:
            raise ValueError(f"{name} has no name in checkpoints")
        tensor = _random(name, tuple(parameter.shape))
        is_vae_attention = ".mid.attn_1." in ldm and tensor.ndim == 2  # stored as 1x1 convolutions
        yield prefix + ldm, tensor[:, :, None, None].contiguous() if is_vae_attention else tensor


def _random(name: str, shape: tuple[int, ...]) -> Tensor:
    """Norms are 1, biases 0, all else is normal with a deviation that keeps the size of activations."""
    if len(shape) < 2:
        return torch.full(shape, 1.0 if name.endswith("weight") else 0.0, dtype=torch.float16)
    deviation = 0.02 if "embedding." in name else GAIN / math.sqrt(math.prod(shape[1:]))
    return (torch.randn(shape) * deviation).to(torch.float16)


def main(cache: Path) -> None:
    """Make everything, so that the measuring processes find it, and answer with where it is."""
    torch.set_num_threads(1)
    for sizes in (TINY, FULL):
        diffusers_folder(sizes, cache)
    answer({sizes.name: str(checkpoint(sizes, cache)) for sizes in (TINY, FULL)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
