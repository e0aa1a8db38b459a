"""Name-and-shape tables of full-size models, made from diffusers' modules on the meta device. No weights anywhere.

A module is made once; nobody may change it.
"""

import functools
from collections.abc import Mapping, Sequence

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from tests.narrowing import untyped
from webui.library.layout import Layout, unet_layout, vae_layout

Shapes = dict[str, tuple[int, ...]]


@functools.cache
def unet(**config: object) -> torch.nn.Module:
    with torch.device("meta"):
        made: torch.nn.Module = untyped(UNet2DConditionModel)(**config)
    return made


def sd1_unet(in_channels: int = 4) -> torch.nn.Module:
    return unet(in_channels=in_channels, cross_attention_dim=768, attention_head_dim=8)


def sd2_unet() -> torch.nn.Module:
    return unet(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True)


def sdxl_unet(in_channels: int = 4, depths: tuple[object, ...] = (1, 2, 10), **more: object) -> torch.nn.Module:
    return unet(
        in_channels=in_channels, cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True,
        block_out_channels=(320, 640, 1280), transformer_layers_per_block=depths,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        class_embed_type="projection", projection_class_embeddings_input_dim=2816, **more,
    )  # fmt: skip


def refiner_unet() -> torch.nn.Module:
    return unet(
        cross_attention_dim=1280, attention_head_dim=(6, 12, 24, 24), use_linear_projection=True,
        block_out_channels=(384, 768, 1536, 1536), transformer_layers_per_block=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        class_embed_type="projection", projection_class_embeddings_input_dim=2560,
    )  # fmt: skip


def ssd1b_unet() -> torch.nn.Module:
    """SDXL's distilled relative: depths differ between encoder and decoder, the middle is one residual block."""
    return sdxl_unet(
        depths=((1, 1), (2, 2), (4, 4)),
        reverse_transformer_layers_per_block=((4, 4, 10), (2, 1, 1), (1, 1, 1)),
        mid_block_type="UNetMidBlock2D",
    )


@functools.cache
def vae() -> torch.nn.Module:
    with torch.device("meta"):
        made: torch.nn.Module = untyped(AutoencoderKL)(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
        )
    return made


def shapes_of(module: torch.nn.Module) -> Shapes:
    return {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}


def as_ldm(shapes: Mapping[str, tuple[int, ...]], layout: Layout, prefix: str) -> Shapes:
    renamed = {}
    for name, shape in shapes.items():
        ldm = layout.to_ldm(name)
        assert ldm is not None, name
        is_vae_attention = ".mid.attn_1." in ldm and ldm.endswith(".weight") and ".norm." not in ldm
        renamed[prefix + ldm] = (*shape, 1, 1) if is_vae_attention else shape
    return renamed


def checkpoint(unet: torch.nn.Module, attends: Sequence[bool], text: Mapping[str, tuple[int, ...]]) -> Shapes:
    """A whole LDM checkpoint: UNet, VAE, the given text encoder tensors, and what real files hold besides."""
    return {
        **as_ldm(shapes_of(unet), unet_layout([2] * len(attends), attends), "model.diffusion_model."),
        **as_ldm(shapes_of(vae()), vae_layout([2] * 4, [3] * 4), "first_stage_model."),
        **text,
        "alphas_cumprod": (1000,),
        "model_ema.decay": (),
        "first_stage_model.loss.logvar": (),
    }
