"""The places in diffusers' UNet where a skip connection joins, and where blocks of the encoder begin and end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Joint:
    """A place of the decoder where features from below and a skip connection come together.

    Attributes:
        residual: the block that gets both, one behind the other: (rows, width + channels of the skip, h, w).
        below: the module whose output comes from below.
        width: its channels.
        skip: the number of the skip connection, that of the input block which made it.
    """

    residual: nn.Module
    below: nn.Module
    width: int
    skip: int


@dataclass(frozen=True, slots=True)
class InputBlock:
    """A block of the encoder, counted as LDM counts them: 0 is the first convolution."""

    first: nn.Module
    last: nn.Module
    channels: int


def input_blocks(unet: Any) -> tuple[InputBlock, ...]:
    """The blocks of the encoder, shallow to deep."""
    return tuple(_encoder(unet))


def _encoder(unet: Any) -> Iterator[InputBlock]:
    yield InputBlock(unet.conv_in, unet.conv_in, unet.conv_in.out_channels)
    for level in unet.down_blocks:
        for residual, attention in _pairs(level):
            yield InputBlock(residual, attention or residual, residual.out_channels)
        for downsampler in level.downsamplers or ():
            yield InputBlock(downsampler, downsampler, downsampler.out_channels)


def joints(unet: Any) -> tuple[Joint, ...]:
    """Where skip connections join, deep to shallow."""
    skips = input_blocks(unet)
    found: list[Joint] = []
    below = unet.mid_block
    for level in unet.up_blocks:
        for residual, attention in _pairs(level):
            skip = len(skips) - 1 - len(found)
            found.append(Joint(residual, below, residual.in_channels - skips[skip].channels, skip))
            below = attention or residual
        for upsampler in level.upsamplers or ():
            below = upsampler
    return tuple(found)


def _pairs(level: Any) -> Iterator[tuple[Any, Any]]:
    """Residual blocks of a level, each with the transformer behind it or None."""
    attentions = getattr(level, "attentions", None) or [None] * len(level.resnets)
    return zip(level.resnets, attentions, strict=True)
