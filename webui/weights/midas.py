"""Builds the depth network inside a depth checkpoint (MiDaS' DPT-hybrid) from its tensors."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from webui.domain.errors import UnusableFileError
from webui.library.midas import PATCH, MidasShape, place
from webui.weights.build import check_finite
from webui.weights.depth import DepthNetwork
from webui.weights.inputs import Input
from webui.weights.tensors import TensorSource

if TYPE_CHECKING:
    from transformers.models.dpt.modeling_dpt import DPTForDepthEstimation

HEAD_WIDTH = 64  # channels of an attention head
LAYER_NORM_EPS = 1e-6  # of timm's vision transformers
# MiDaS gives this network pictures whose sides are near 384, with their aspect, and with colours in -1..1.
SHOWN = Input(height=384, width=384, multiple=32, fit="least")


def empty_midas(shape: MidasShape) -> "DPTForDepthEstimation":
    """The network on the meta device, without weights.

    Raises:
        UnusableFileError: sizes that do not fit together.
    """
    from transformers.models.bit.configuration_bit import BitConfig  # these are slow, and seldom needed
    from transformers.models.dpt.configuration_dpt import DPTConfig
    from transformers.models.dpt.modeling_dpt import DPTForDepthEstimation

    if shape.width % HEAD_WIDTH:
        raise UnusableFileError(f"depth network: its width {shape.width} is not a multiple of {HEAD_WIDTH}")
    channels = [channels for channels, _ in shape.stages]
    backbone: dict[str, Any] = {
        "embedding_size": shape.stem, "hidden_sizes": channels, "depths": [blocks for _, blocks in shape.stages],
        "layer_type": "bottleneck", "global_padding": "same", "embedding_dynamic_padding": True,
        "out_features": [f"stage{number + 1}" for number in range(len(channels))],
    }  # fmt: skip
    config = DPTConfig(
        is_hybrid=True, backbone_config=BitConfig(**backbone),
        backbone_featmap_shape=[1, channels[-1], shape.grid, shape.grid],
        hidden_size=shape.width, intermediate_size=shape.inner, num_hidden_layers=shape.layers,
        num_attention_heads=shape.width // HEAD_WIDTH, layer_norm_eps=LAYER_NORM_EPS,
        image_size=shape.grid * PATCH, patch_size=PATCH, readout_type="project", reassemble_factors=[1, 1, 1, 0.5],
        neck_hidden_sizes=[*channels[:2], *shape.reassembled], fusion_hidden_size=shape.fused,
        # the first two are stages of the ResNet; then the transformer's block at three quarters, and its last one
        backbone_out_indices=[0, 1, max(0, shape.layers * 3 // 4 - 1), shape.layers - 1],
    )  # fmt: skip
    with torch.device("meta"):
        return DPTForDepthEstimation(config)


def build_midas(source: TensorSource, shape: MidasShape, device: torch.device) -> DepthNetwork:
    """The network with its weights in float32, because it runs only once a job and small differences in depth matter.

    Raises:
        UnusableFileError: a tensor is missing or has another shape than its neighbours imply.
        NotFiniteError: a tensor holds NaN or infinity.
    """
    module = empty_midas(shape)
    layout, names = shape.layout, frozenset(source.names())
    for name, parameter in list(module.named_parameters()):
        ldm = layout.to_ldm(name)
        if ldm is None:
            raise UnusableFileError(f"depth network: MiDaS has no place for {name}")
        tensor = _read(source, names, ldm)
        if tensor.shape != parameter.shape:
            raise UnusableFileError(
                f"depth network: tensor {place(ldm)[0]} has the shape {tuple(tensor.shape)}, "
                f"expected {tuple(parameter.shape)}"
            )
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, nn.Parameter(tensor.to(device), requires_grad=False))
    module.train(mode=False)
    return DepthNetwork(module, SHOWN, takes_any=True)


def _read(source: TensorSource, names: frozenset[str], ldm: str) -> Tensor:
    key, third = place(ldm)
    if key not in names:
        raise UnusableFileError(f"depth network: tensor {key} is missing; the file is incomplete")
    tensor = source.read_as(key, torch.float32)
    check_finite(key, tensor)
    return tensor if third is None else tensor.chunk(3)[third].clone()
