"""Builds diffusers' UNet and VAE from the shapes found in a file, and fills them tensor by tensor.

Modules are made on the meta device, so memory never holds more than the model and one further tensor.
"""

from collections.abc import Mapping, Sequence

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2DCrossAttn
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional

from webui.domain.errors import NotFiniteError, UnusableFileError
from webui.library.layout import Layout
from webui.library.shapes import UnetShape, VaeShape
from webui.weights.tensors import TensorSource
from webui.weights.unfilled import unfilled

GROUPS = 32  # number of groups of every GroupNorm in these networks
UNET_EPS = 1e-5  # GroupNorm in residual blocks; in transformer blocks diffusers already uses LDM's 1e-6
VAE_ACTIVATION = "silu"


class FittedUpsample(nn.Module):
    """LDM's decoder upsampling: double, convolve, and only then fit the size of the skip connection.

    diffusers fits before the convolution, which differs where a latent side is odd at some level.
    """

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, hidden: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(B, C, h, w) -> (B, C, 2h, 2w), or to `output_size` by nearest neighbour."""
        hidden = self.conv(functional.interpolate(hidden, scale_factor=2.0, mode="nearest"))
        if output_size is not None and tuple(hidden.shape[-2:]) != tuple(output_size):
            hidden = functional.interpolate(hidden, size=tuple(output_size), mode="nearest")
        return hidden


def empty_unet(shape: UnetShape, heads: Sequence[int]) -> UNet2DConditionModel:
    """A UNet of this shape on the meta device, without weights.

    Args:
        heads: attention heads of each level.
    """
    levels = shape.levels
    middle = shape.middle_depth
    depths = [level.encoder if level.attends else (1,) * len(level.encoder) for level in levels]
    with unfilled():
        unet: UNet2DConditionModel = UNet2DConditionModel(
            in_channels=shape.in_channels,
            out_channels=shape.out_channels,
            down_block_types=tuple("CrossAttnDownBlock2D" if level.attends else "DownBlock2D" for level in levels),
            up_block_types=tuple("CrossAttnUpBlock2D" if level.attends else "UpBlock2D" for level in reversed(levels)),
            mid_block_type=None if middle is None else "UNetMidBlock2D",
            block_out_channels=tuple(level.channels for level in levels),
            layers_per_block=tuple(len(level.encoder) for level in levels),
            transformer_layers_per_block=tuple(depths),
            reverse_transformer_layers_per_block=tuple(
                level.decoder if level.attends else (1,) * len(level.decoder) for level in reversed(levels)
            ),
            cross_attention_dim=shape.context_width,
            attention_head_dim=tuple(heads),  # diffusers takes this for the number of heads, despite the name
            use_linear_projection=shape.linear,
            class_embed_type=None if shape.vector_width is None else "projection",
            projection_class_embeddings_input_dim=shape.vector_width,
            norm_num_groups=GROUPS,
            norm_eps=UNET_EPS,
            time_cond_proj_dim=shape.guidance_width,
        )
        if middle:
            unet.mid_block = UNetMidBlock2DCrossAttn(
                in_channels=levels[-1].channels,
                temb_channels=levels[0].channels * 4,
                transformer_layers_per_block=middle,
                num_attention_heads=heads[-1],
                cross_attention_dim=shape.context_width,
                use_linear_projection=shape.linear,
                resnet_eps=UNET_EPS,
                resnet_groups=GROUPS,
            )
    for name, module in list(unet.named_modules()):
        if isinstance(module, Upsample2D):
            unet.set_submodule(name, FittedUpsample(module.get_submodule("conv")))
    return unet


def empty_vae(shape: VaeShape) -> AutoencoderKL:
    """A VAE of this shape on the meta device, without weights. Latents are scaled outside of it."""
    count = len(shape.levels)
    with unfilled():
        vae: AutoencoderKL = AutoencoderKL(
            in_channels=shape.image_channels,
            out_channels=shape.image_channels,
            down_block_types=("DownEncoderBlock2D",) * count,
            up_block_types=("UpDecoderBlock2D",) * count,
            block_out_channels=tuple(channels for channels, _, _ in shape.levels),
            layers_per_block=shape.levels[0][1],
            latent_channels=shape.latent_channels,
            norm_num_groups=GROUPS,
            act_fn=VAE_ACTIVATION,
            use_quant_conv=shape.has_quant_conv,
            use_post_quant_conv=shape.has_quant_conv,
        )
    return vae


def build_unet(
    source: TensorSource, shape: UnetShape, heads: Sequence[int], device: torch.device, dtype: torch.dtype
) -> UNet2DConditionModel:
    """The UNet with its weights, in evaluation mode. Raises as `fill`."""
    unet: UNet2DConditionModel = empty_unet(shape, heads)
    fill(unet, source, shape.layout, shape.keys, device, dtype)
    unet.eval()
    return unet


def build_vae(source: TensorSource, shape: VaeShape, device: torch.device, dtype: torch.dtype) -> AutoencoderKL:
    """The VAE with its weights, in evaluation mode. Raises as `fill`."""
    vae = empty_vae(shape)
    fill(vae, source, shape.layout, shape.keys, device, dtype)
    vae.eval()
    return vae


def fill(
    module: nn.Module,
    source: TensorSource,
    layout: Layout,
    keys: Mapping[str, str],
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Give every parameter of `module` (on the meta device) its tensor, cast to `dtype` on `device`.

    Args:
        keys: canonical LDM name -> name in `source`.

    Raises:
        UnusableFileError: a tensor is missing or has another shape than the module needs.
        NotFiniteError: a tensor holds NaN or infinity, also when only `dtype` cannot hold its values.
    """
    owners = dict(module.named_modules())
    for name, parameter in list(module.named_parameters()):
        ldm = layout.to_ldm(name)
        key = keys.get(ldm) if ldm is not None else None
        if key is None:
            raise UnusableFileError(f"tensor {ldm or name} is missing; the file is incomplete")
        tensor = _shaped(key, source.read_as(key, dtype), parameter.shape)
        check_finite(key, tensor)
        owner_name, _, leaf = name.rpartition(".")
        setattr(owners[owner_name], leaf, nn.Parameter(tensor.to(device), requires_grad=False))


def _shaped(key: str, tensor: Tensor, wanted: torch.Size) -> Tensor:
    """Accept 1x1 convolutions for linear layers and back; refuse any other difference."""
    if tensor.shape == wanted:
        return tensor
    if tuple(s for s in tensor.shape if s != 1) == tuple(s for s in wanted if s != 1):
        return tensor.reshape(wanted)
    raise UnusableFileError(f"tensor {key} has the shape {tuple(tensor.shape)}, expected {tuple(wanted)}")


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite.

    A finite sum says so, many times faster than `isfinite`, since neither is ever lost in a sum. A sum that is not
    finite may only have overflowed; then the extremes tell.
    """
    if tensor.numel() == 0 or bool(torch.isfinite(tensor.sum())):
        return True
    return all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(tensor))


def check_finite(key: str, tensor: Tensor) -> None:
    """Raise NotFiniteError when a weight is NaN or infinite."""
    if not is_finite(tensor):
        raise NotFiniteError(
            f"tensor {key} holds NaN or infinity as {str(tensor.dtype).removeprefix('torch.')}; "
            "the model is damaged, or needs the precision fp32"
        )
