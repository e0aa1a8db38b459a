"""The parts of a UNet, read from its modules: what they are, where they lie, how many numbers were trained in them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import nn

PartKind = Literal["embedding", "conv", "resnet", "transformer", "down", "up"]
Side = Literal["in", "down", "middle", "up", "out"]
_OUT = ("conv_norm_out", "conv_out")


@dataclass(frozen=True, slots=True)
class NetworkPart:
    """One part, in the order of execution.

    Attributes:
        name: of its module, as diffusers names it; the last part is named by its convolution, `conv_out`.
        level: how often the latents were halved before it.
        enters, leaves: channels; of the embedding the width of its input and output.
        parameters: trained numbers.
        depth: of a transformer: how many layers it has, else 0.
        heads: of a transformer's attention, else 0.
        context: width of the text that a transformer asks, else 0.
    """

    name: str
    kind: PartKind
    side: Side
    level: int
    enters: int
    leaves: int
    parameters: int
    depth: int = 0
    heads: int = 0
    context: int = 0


def parts_of(unet: Any) -> tuple[NetworkPart, ...]:
    """The parts of diffusers' `UNet2DConditionModel`; together they have all its parameters."""
    return tuple(_parts(unet))


def as_rows(parts: Sequence[NetworkPart]) -> list[dict[str, Any]]:
    """Parts as plain data."""
    return [asdict(part) for part in parts]


def _parts(unet: Any) -> Iterator[NetworkPart]:
    time = unet.time_embedding
    yield NetworkPart(
        "time_embedding", "embedding", "in", 0, time.linear_1.in_features, time.linear_2.out_features, _count(time)
    )
    for name in ("class_embedding", "add_embedding"):  # of the pooled text and the sizes, in SDXL
        if (added := getattr(unet, name, None)) is not None:
            enters, leaves = added.linear_1.in_features, added.linear_2.out_features
            yield NetworkPart(name, "embedding", "in", 0, enters, leaves, _count(added))
    yield _conv(unet, "conv_in", "in", 0)
    deepest = len(unet.down_blocks) - 1
    for level, block in enumerate(unet.down_blocks):
        prefix = f"down_blocks.{level}"
        yield from _block(block, prefix, "down", level)
        for at, sampler in enumerate(block.downsamplers or ()):
            yield _sampler(sampler, f"{prefix}.downsamplers.{at}", "down", level)
    if unet.mid_block is not None:
        yield from _block(unet.mid_block, "mid_block", "middle", deepest)
    for at, block in enumerate(unet.up_blocks):
        prefix, level = f"up_blocks.{at}", deepest - at
        yield from _block(block, prefix, "up", level)
        for number, sampler in enumerate(block.upsamplers or ()):
            yield _sampler(sampler, f"{prefix}.upsamplers.{number}", "up", level)
    last = _conv(unet, "conv_out", "out", 0)
    parameters = sum(_count(getattr(unet, name)) for name in _OUT if getattr(unet, name) is not None)
    yield NetworkPart(last.name, "conv", "out", 0, last.enters, last.leaves, parameters)


def _block(block: Any, prefix: str, side: Side, level: int) -> Iterator[NetworkPart]:
    """Residual blocks with the transformers after them; the middle has one transformer between two."""
    transformers = list(getattr(block, "attentions", None) or ())
    for at, resnet in enumerate(block.resnets):
        follows = at if side != "middle" else at - 1
        if side == "middle" and follows >= 0 and follows < len(transformers):
            yield _transformer(transformers[follows], f"{prefix}.attentions.{follows}", side, level)
        enters, leaves = resnet.conv1.in_channels, resnet.conv2.out_channels
        yield NetworkPart(f"{prefix}.resnets.{at}", "resnet", side, level, enters, leaves, _count(resnet))
        if side != "middle" and at < len(transformers):
            yield _transformer(transformers[at], f"{prefix}.attentions.{at}", side, level)


def _transformer(module: Any, name: str, side: Side, level: int) -> NetworkPart:
    layers = module.transformer_blocks
    attention = layers[0].attn2
    width = module.in_channels
    return NetworkPart(
        name, "transformer", side, level, width, width, _count(module), len(layers), attention.heads,
        attention.to_k.in_features,
    )  # fmt: skip


def _conv(unet: Any, name: str, side: Side, level: int) -> NetworkPart:
    conv = getattr(unet, name)
    return NetworkPart(name, "conv", side, level, conv.in_channels, conv.out_channels, _count(conv))


def _sampler(module: Any, name: str, side: Side, level: int) -> NetworkPart:
    kind: PartKind = "down" if side == "down" else "up"
    conv = module.conv
    return NetworkPart(name, kind, side, level, conv.in_channels, conv.out_channels, _count(module))


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
