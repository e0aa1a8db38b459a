"""ControlNet (arXiv:2302.05543): a copy of the UNet's encoder that reads a hint and answers with residuals.

This file has the network and its shape; `control_files.py` finds the tensors for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor, nn

from webui.extension_api import UnusableFileError

from .blocks import (
    Attention,
    Downsample,
    HintEmbedding,
    LayerSequence,
    ResidualBlock,
    SpatialTransformer,
    Stem,
    Unchanged,
    timestep_embedding,
)
from .control_union import UnionParts, union_types

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class BlockShape:
    """One numbered block of the encoder.

    Attributes:
        channels, out_channels: those of its first layer.
        kind: `down` halves the size, `stem` is the first convolution.
        depth: transformer blocks; None: no transformer at all.
    """

    kind: str
    channels: int
    out_channels: int
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class ControlShape:
    """The sizes of a control network, as its tensors tell them.

    Attributes:
        hint: channels of the hint embedding, from the hint (3) to the encoder.
        middle_depth: transformer blocks in the middle; None: no transformer there.
        vector_width: channels of SDXL's vector, or None.
        types: kinds of map that a union tells apart, the numbers of its embedding for each, and its transformer
            blocks; None: it is no union.
    """

    blocks: tuple[BlockShape, ...]
    hint: tuple[int, ...]
    middle_depth: int | None
    context_width: int
    linear: bool
    vector_width: int | None
    types: tuple[int, int, int] | None = None

    @property
    def embedding(self) -> int:
        """Channels of the embedded time."""
        return self.blocks[0].out_channels * 4

    @property
    def levels(self) -> int:
        return 1 + sum(block.kind == "down" for block in self.blocks)


def control_shape(shapes: Shapes) -> ControlShape:
    """Read the shape of a control network.

    Args:
        shapes: by LDM name without a prefix (`input_blocks.0.0.weight`).

    Raises:
        UnusableFileError: a tensor is missing.
    """
    stem = _need(shapes, "input_blocks.0.0.weight")
    blocks = [BlockShape("stem", stem[1], stem[0])]
    for number in count(1):
        name = f"input_blocks.{number}"
        if f"{name}.0.op.weight" in shapes:
            channels = shapes[f"{name}.0.op.weight"][0]
            blocks.append(BlockShape("down", channels, channels))
        elif f"{name}.0.in_layers.2.weight" in shapes:
            out, channels = shapes[f"{name}.0.in_layers.2.weight"][:2]
            blocks.append(BlockShape("residual", channels, out, _depth(shapes, f"{name}.1")))
        else:
            break
    attention = next((key for key in shapes if key.endswith("transformer_blocks.0.attn2.to_k.weight")), None)
    projection = next((key for key in shapes if key.endswith(".1.proj_in.weight")), None)
    vector = shapes.get("label_emb.0.0.weight")
    return ControlShape(
        tuple(blocks),
        _hint_widths(shapes),
        _depth(shapes, "middle_block.1"),
        context_width=shapes[attention][1] if attention else 0,
        linear=projection is not None and len(shapes[projection]) == 2,
        vector_width=vector[1] if vector else None,
        types=union_types(shapes),
    )


class ControlNet(nn.Module):
    """The network. Its modules have LDM's names, so that tensors need no renaming."""

    def __init__(self, shape: ControlShape) -> None:
        super().__init__()
        self.shape = shape
        width, time = shape.blocks[0].out_channels, shape.embedding
        self.time_embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        if shape.vector_width is not None:
            inner = nn.Sequential(nn.Linear(shape.vector_width, time), nn.SiLU(), nn.Linear(time, time))
            self.label_emb = nn.Sequential(inner)
        self.input_hint_block = HintEmbedding(shape.hint)
        if shape.types is not None:
            self.union = UnionParts(width, time, *shape.types)
        self.input_blocks = nn.ModuleList(LayerSequence(_layers(block, shape)) for block in shape.blocks)
        self.zero_convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(block.out_channels, block.out_channels, 1)) for block in shape.blocks
        )
        deepest = shape.blocks[-1].out_channels
        middle: nn.Module = Unchanged()
        if shape.middle_depth is not None:
            middle = SpatialTransformer(deepest, shape.context_width, shape.middle_depth, linear=shape.linear)
        ends = [ResidualBlock(deepest, deepest, time) for _ in range(2)]
        self.middle_block = LayerSequence([ends[0], middle, ends[1]])
        self.middle_block_out = nn.Sequential(nn.Conv2d(deepest, deepest, 1))

    def set_heads(self, heads: Sequence[int]) -> None:
        """Set the number of attention heads of each level to that of the checkpoint, because tensors do not tell it."""
        level = 0
        for block, shape in zip(self.input_blocks, self.shape.blocks, strict=True):
            level += shape.kind == "down"
            _set_heads(block, heads[min(level, len(heads) - 1)])
        _set_heads(self.middle_block, heads[-1])

    def embed_hint(self, hint: Tensor, kind: int | None = None) -> Tensor:
        """(1, 3, H, W) in 0..1 -> (1, C, H / 8, W / 8); the same in every call of a run.

        Args:
            kind: the kind of map that the hint of a union is; None: not known.
        """
        embedded: Tensor = self.input_hint_block(hint)
        return embedded if self.shape.types is None else self.union.marked(embedded, kind)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        vector: Tensor | None,
        embedded_hint: Tensor,
        kind: int | None = None,
    ) -> tuple[Tensor, ...]:
        """Residuals for the skip connections in the encoder's order, and for the middle block as the last.

        Args:
            sample: (rows, C, h, w) as the UNet gets it.
            timestep: (rows,) float.
            context: (rows, T, D) text.
            vector: (rows, D_y) of SDXL, or None.
            embedded_hint: from `embed_hint`.
            kind: as there.
        """
        dtype = sample.dtype
        time = self.time_embed(timestep_embedding(timestep, self.shape.blocks[0].out_channels).to(dtype))
        if self.shape.vector_width is not None:
            if vector is None:
                vector = sample.new_zeros(len(sample), self.shape.vector_width)
            time = time + self.label_emb(vector)
        if self.shape.types is not None:
            time = time + self.union.added_time(kind, time)
        hidden = sample
        residuals = []
        for number, (block, zero_conv) in enumerate(zip(self.input_blocks, self.zero_convs, strict=True)):
            hidden = block(hidden, time, context)
            if number == 0:
                hidden = hidden + embedded_hint
            residuals.append(zero_conv(hidden))
        return (*residuals, self.middle_block_out(self.middle_block(hidden, time, context)))


def empty_network(shape: ControlShape) -> ControlNet:
    """The network on the meta device, without weights."""
    with torch.device("meta"):
        return ControlNet(shape)


def _layers(block: BlockShape, shape: ControlShape) -> list[nn.Module]:
    if block.kind == "stem":
        return [Stem(block.channels, block.out_channels)]
    if block.kind == "down":
        return [Downsample(block.channels)]
    layers: list[nn.Module] = [ResidualBlock(block.channels, block.out_channels, shape.embedding)]
    if block.depth is not None:
        layers.append(SpatialTransformer(block.out_channels, shape.context_width, block.depth, linear=shape.linear))
    return layers


def _set_heads(block: nn.Module, heads: int) -> None:
    for module in block.modules():
        if isinstance(module, Attention):
            module.heads = heads


def _need(shapes: Shapes, name: str) -> tuple[int, ...]:
    if name not in shapes:
        raise UnusableFileError(f"control network: tensor {name} is missing; the file is incomplete")
    return shapes[name]


def _depth(shapes: Shapes, block: str) -> int | None:
    if f"{block}.proj_in.weight" not in shapes:
        return None
    depth = 0
    while f"{block}.transformer_blocks.{depth}.norm1.weight" in shapes:
        depth += 1
    return depth


def _hint_widths(shapes: Shapes) -> tuple[int, ...]:
    first = _need(shapes, "input_hint_block.0.weight")
    widths, number = [first[1], first[0]], 2
    while f"input_hint_block.{number}.weight" in shapes:
        widths.append(shapes[f"input_hint_block.{number}.weight"][0])
        number += 2
    return tuple(widths)
