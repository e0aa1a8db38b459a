"""A checkpoint of a few hundred kilobytes with the SD1 layout, made of random numbers; for tests that need a file."""

import torch
from torch import Tensor

from tests.narrowing import untyped
from webui.library.layout import unet_layout, vae_layout

CHANNELS = 32
CONTEXT = 64  # the width of the text encoder
TEXT = "cond_stage_model.transformer.text_model."


def small_checkpoint(
    seed: int, *, in_channels: int = 4, dtype: torch.dtype = torch.float16, complete: bool = False
) -> dict[str, Tensor]:
    """Tensors of a whole SD1 checkpoint: two UNet levels, two VAE levels, a CLIP with one layer.

    Args:
        complete: with a VAE that shrinks by 8 and CLIP's whole vocabulary, so that pictures can be made with it.
    """
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    unet = untyped(UNet2DConditionModel)(
        in_channels=in_channels, block_out_channels=(CHANNELS, 2 * CHANNELS), layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=CONTEXT, attention_head_dim=8,
    )  # fmt: skip
    layout = unet_layout([2, 2], [True, False])
    tensors = {f"model.diffusion_model.{layout.to_ldm(name)}": value for name, value in unet.state_dict().items()}
    tensors |= {f"first_stage_model.{name}": value for name, value in small_vae(4 if complete else 2).items()}
    tensors |= text_tensors(49408 if complete else 100)
    return {name: value.to(dtype).contiguous() for name, value in tensors.items()}


def small_vae(levels: int = 2, latent_channels: int = 4) -> dict[str, Tensor]:
    """Tensors of a bare VAE file in LDM naming."""
    from diffusers import AutoencoderKL

    vae = untyped(AutoencoderKL)(
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=(CHANNELS,) * levels, layers_per_block=2, latent_channels=latent_channels,
    )  # fmt: skip
    layout = vae_layout([2] * levels, [3] * levels)
    tensors = {}
    for name, value in vae.state_dict().items():
        ldm = layout.to_ldm(name)
        assert ldm is not None
        is_attention = ".attn_1." in ldm and value.dim() == 2
        tensors[ldm] = (value[..., None, None] if is_attention else value).contiguous()
    return tensors


def text_tensors(vocabulary: int = 100) -> dict[str, Tensor]:
    def layer(name: str, *shape: int) -> dict[str, Tensor]:
        return {f"{TEXT}{name}.weight": torch.randn(shape) * 0.05, f"{TEXT}{name}.bias": torch.zeros(shape[0])}

    width = 64
    tensors = {
        f"{TEXT}embeddings.token_embedding.weight": torch.randn(vocabulary, width) * 0.05,
        f"{TEXT}embeddings.position_embedding.weight": torch.randn(77, width) * 0.05,
    }
    block = "encoder.layers.0."
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        tensors |= layer(f"{block}self_attn.{name}", width, width)
    tensors |= layer(f"{block}mlp.fc1", 2 * width, width) | layer(f"{block}mlp.fc2", width, 2 * width)
    for name in (f"{block}layer_norm1", f"{block}layer_norm2", "final_layer_norm"):
        tensors |= layer(name, width)
    return tensors


def small_open_clip(seed: int = 0, layers: int = 2, vocabulary: int = 100, width: int = 64) -> dict[str, Tensor]:
    """Tensors of a text encoder as open_clip names them: SD2's, 64 wide."""
    torch.manual_seed(seed)

    def layer(name: str, rows: int, columns: int) -> dict[str, Tensor]:
        return {f"{name}weight": torch.randn(rows, columns) * 0.05, f"{name}bias": torch.zeros(rows)}

    tensors = {
        "token_embedding.weight": torch.randn(vocabulary, width) * 0.05,
        "positional_embedding": torch.randn(77, width) * 0.05,
        "ln_final.weight": torch.ones(width),
        "ln_final.bias": torch.zeros(width),
    }
    for number in range(layers):
        block = f"transformer.resblocks.{number}."
        for norm in ("ln_1", "ln_2"):
            tensors |= {f"{block}{norm}.weight": torch.ones(width), f"{block}{norm}.bias": torch.zeros(width)}
        tensors |= layer(f"{block}attn.in_proj_", 3 * width, width) | layer(f"{block}attn.out_proj.", width, width)
        tensors |= layer(f"{block}mlp.c_fc.", 4 * width, width) | layer(f"{block}mlp.c_proj.", width, 4 * width)
    return tensors
