"""The sizes of the miniature: UNet, VAE and text encoder of the SD1 family, as diffusers and transformers build them.

Group normalisation has 32 groups and attention 8 heads, as in SD1, so every width is a multiple of 32. Level 0 of the
UNet (16x16 latents) has no attention: it costs the most there and what a word means is decided on 8x8 and 4x4.
"""

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

LATENT_SCALE = 0.18215  # of every SD1 checkpoint
LATENT_CHANNELS = 4
DOWNSCALE = 8
TEXT_WIDTH = 64  # one attention head; 49408 tokens of it are a third of the file
TOKENS = 77
VOCABULARY = 49408
END = 49407
UNET_WIDTHS = (96, 96, 96)
VAE_WIDTHS = (32, 32, 64, 64)


def new_unet(in_channels: int = LATENT_CHANNELS) -> UNet2DConditionModel:
    unet: UNet2DConditionModel = UNet2DConditionModel(
        in_channels=in_channels,
        out_channels=LATENT_CHANNELS,
        block_out_channels=UNET_WIDTHS,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,  # a count of heads, whatever diffusers calls it
    )
    return unet


def new_vae() -> AutoencoderKL:
    count = len(VAE_WIDTHS)
    vae: AutoencoderKL = AutoencoderKL(
        block_out_channels=VAE_WIDTHS,
        down_block_types=("DownEncoderBlock2D",) * count,
        up_block_types=("UpDecoderBlock2D",) * count,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=32,
    )
    return vae


def new_text_encoder() -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=1,
        max_position_embeddings=TOKENS,
        hidden_act="quick_gelu",
        bos_token_id=VOCABULARY - 2,
        eos_token_id=END,
        pad_token_id=END,
    )
    return CLIPTextModel(config)


def alphas_cumprod(steps: int = 1000) -> torch.Tensor:
    """SD's scaled-linear schedule: beta from 0.00085 to 0.012, linear in its square root. (steps,) float32."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, steps, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, dim=0).float()
