"""MiDaS' DPT-hybrid as depth checkpoints carry it: how its tensors are named and what their shapes tell. No tensors.

The network is DPT (arXiv:2103.13413) on the first stages of a ResNet (BiT, arXiv:1912.11370), named as in the MiDaS
code and in timm. transformers' `DPTForDepthEstimation` holds the same layers under other names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from math import isqrt
from types import MappingProxyType

from webui.domain.errors import UnusableFileError
from webui.library.layout import Layout, Pair

PREFIX = "depth_model.model."
PATCH = 16  # pixels a token and side
STAGES = 3  # of the ResNet; the first two are read by the decoder directly, the third is cut into tokens
_PARTS = ("q", "k", "v")
_BLOCK: Mapping[str, str] = MappingProxyType({
    "norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
    "attn.q": "attention.attention.query", "attn.k": "attention.attention.key", "attn.v": "attention.attention.value",
})  # fmt: skip

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class MidasShape:
    """Everything about the network that its tensors tell.

    Attributes:
        stem: channels after the first convolution.
        stages: (channels, blocks) of each stage of the ResNet.
        width, inner, layers: of the transformer: channels, channels inside its MLPs, blocks.
        grid: tokens a side that the position embeddings are for.
        reassembled: channels of the two maps made of tokens.
        fused: channels of the decoder.
    """

    stem: int
    stages: tuple[tuple[int, int], ...]
    width: int
    inner: int
    layers: int
    grid: int
    reassembled: tuple[int, int]
    fused: int

    @property
    def layout(self) -> Layout:
        """Names here (without `PREFIX`) and in transformers. Query, key and value count as three: see `place`."""
        return Layout.of(_pairs(self))


def midas_shape(shapes: Shapes) -> MidasShape | None:
    """Find the network among the tensors of a checkpoint; None where there is nothing of it.

    Raises:
        UnusableFileError: it is there but incomplete, or of another kind.
    """
    if not any(name.startswith(PREFIX) for name in shapes):
        return None
    vit, resnet = "pretrained.model", "pretrained.model.patch_embed.backbone"
    stages = tuple(
        (
            _shape(shapes, f"{resnet}.stages.{stage}.blocks.0.conv3.weight", 4)[0],
            _numbered(shapes, f"{resnet}.stages.{stage}.blocks.{{}}.conv3.weight"),
        )
        for stage in range(STAGES)
    )
    positions = _shape(shapes, f"{vit}.pos_embed", 3)[1]
    grid = isqrt(max(0, positions - 1))
    if grid == 0 or grid * grid + 1 != positions:
        raise UnusableFileError(f"depth network: {PREFIX}{vit}.pos_embed has {positions} positions, not a square and 1")
    return MidasShape(
        stem=_shape(shapes, f"{resnet}.stem.conv.weight", 4)[0],
        stages=stages,
        width=_shape(shapes, f"{vit}.cls_token", 3)[2],
        inner=_shape(shapes, f"{vit}.blocks.0.mlp.fc1.weight", 2)[0],
        layers=_numbered(shapes, f"{vit}.blocks.{{}}.mlp.fc1.weight"),
        grid=grid,
        reassembled=(
            _shape(shapes, "pretrained.act_postprocess3.3.weight", 4)[0],
            _shape(shapes, "pretrained.act_postprocess4.3.weight", 4)[0],
        ),
        fused=_shape(shapes, "scratch.layer1_rn.weight", 4)[0],
    )


def place(name: str) -> tuple[str, int | None]:
    """Where a tensor of `MidasShape.layout` lies in the file: the full name there, and which third of it is meant.

    timm keeps query, key and value in one tensor, `attn.qkv`, one under the other.
    """
    for third, part in enumerate(_PARTS):
        if f".attn.{part}." in name:
            return PREFIX + name.replace(f".attn.{part}.", ".attn.qkv."), third
    return PREFIX + name, None


def _pairs(shape: MidasShape) -> Iterator[Pair]:
    vit, ours = "pretrained.model", "dpt.embeddings"
    yield f"{vit}.cls_token", f"{ours}.cls_token"
    yield f"{vit}.pos_embed", f"{ours}.position_embeddings"
    yield f"{vit}.patch_embed.proj", f"{ours}.projection"
    yield f"{vit}.patch_embed.backbone.stem.conv", f"{ours}.backbone.bit.embedder.convolution"
    yield f"{vit}.patch_embed.backbone.stem.norm", f"{ours}.backbone.bit.embedder.norm"
    for stage, (_, blocks) in enumerate(shape.stages):
        for block in range(blocks):
            there = f"{ours}.backbone.bit.encoder.stages.{stage}.layers.{block}"
            yield f"{vit}.patch_embed.backbone.stages.{stage}.blocks.{block}", there
    for layer in range(shape.layers):
        for here, there in _BLOCK.items():
            yield f"{vit}.blocks.{layer}.{here}", f"dpt.encoder.layer.{layer}.{there}"
    yield f"{vit}.norm", "dpt.layernorm"
    for number in (3, 4):
        reassemble = "neck.reassemble_stage"
        yield f"pretrained.act_postprocess{number}.0.project.0", f"{reassemble}.readout_projects.{number - 1}.0"
        yield f"pretrained.act_postprocess{number}.3", f"{reassemble}.layers.{number - 1}.projection"
        yield f"pretrained.act_postprocess{number}.4", f"{reassemble}.layers.{number - 1}.resize"
    for number in range(1, 5):  # MiDaS counts from the finest map, transformers from the one fused first
        yield f"scratch.layer{number}_rn", f"neck.convs.{number - 1}"
        fusion = f"neck.fusion_stage.layers.{4 - number}"
        yield f"scratch.refinenet{number}.out_conv", f"{fusion}.projection"
        for unit in (1, 2):
            for conv in (1, 2):
                here = f"scratch.refinenet{number}.resConfUnit{unit}.conv{conv}"
                yield here, f"{fusion}.residual_layer{unit}.convolution{conv}"
    for number in (0, 2, 4):
        yield f"scratch.output_conv.{number}", f"head.head.{number}"


def _shape(shapes: Shapes, name: str, dimensions: int) -> tuple[int, ...]:
    shape = shapes.get(PREFIX + name)
    if shape is None:
        raise UnusableFileError(f"depth network: tensor {PREFIX}{name} is missing; the file is incomplete")
    if len(shape) != dimensions or not all(shape):
        raise UnusableFileError(f"depth network: tensor {PREFIX}{name} has the unexpected shape {shape}")
    return shape


def _numbered(shapes: Shapes, pattern: str) -> int:
    return next(number for number in count() if PREFIX + pattern.format(number) not in shapes)
