"""How the tensors of a UNet and a VAE are named: in LDM checkpoints and in diffusers' modules. Names only, no tensors.

LDM names follow CompVis' `openaimodel.UNetModel` and `AutoencoderKL` (arXiv:2112.10752): a flat list of
`input_blocks`, a `middle_block`, a flat list of `output_blocks`. diffusers nests the same layers in levels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

_RESNET = MappingProxyType(
    {
        "in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.0": "norm2",
        "out_layers.3": "conv2", "skip_connection": "conv_shortcut",
    }
)  # fmt: skip
_VAE_RESNET = MappingProxyType(
    {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "nin_shortcut": "conv_shortcut"}
)
_VAE_ATTENTION = MappingProxyType({"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"})

Pair = tuple[str, str]  # (LDM prefix, diffusers prefix)


@dataclass(frozen=True, slots=True)
class Layout:
    """A two-way table of module prefixes; what follows a prefix (`.weight`, layers of a transformer) is the same."""

    ldm_to_diffusers: Mapping[str, str]
    diffusers_to_ldm: Mapping[str, str]

    @classmethod
    def of(cls, pairs: Iterator[Pair]) -> "Layout":
        forward = dict(pairs)
        return cls(MappingProxyType(forward), MappingProxyType({there: here for here, there in forward.items()}))

    def to_diffusers(self, name: str) -> str | None:
        """The diffusers name of an LDM name (of a module or of a tensor); None when there is no such layer."""
        return _translate(self.ldm_to_diffusers, name)

    def to_ldm(self, name: str) -> str | None:
        """The LDM name of a diffusers name; None when there is no such layer."""
        return _translate(self.diffusers_to_ldm, name)


def _translate(table: Mapping[str, str], name: str) -> str | None:
    cut = len(name)
    while cut > 0:
        found = table.get(name[:cut])
        if found is not None:
            return found + name[cut:]
        cut = name.rfind(".", 0, cut)
    return None


def unet_layout(blocks: Sequence[int], decoder_attends: Sequence[bool]) -> Layout:
    """Names of a UNet.

    Args:
        blocks: residual blocks of each encoder level, shallow to deep; the decoder has one more a level.
        decoder_attends: whether the last decoder block of each level holds a transformer (it shifts the upsampler).
    """
    return Layout.of(_unet_pairs(blocks, decoder_attends))


def _unet_pairs(blocks: Sequence[int], decoder_attends: Sequence[bool]) -> Iterator[Pair]:
    yield "time_embed.0", "time_embedding.linear_1"
    yield "time_embed.2", "time_embedding.linear_2"
    yield "time_embed.cond_proj", "time_embedding.cond_proj"
    yield "label_emb.0.0", "class_embedding.linear_1"
    yield "label_emb.0.2", "class_embedding.linear_2"
    yield "input_blocks.0.0", "conv_in"
    yield "out.0", "conv_norm_out"
    yield "out.2", "conv_out"
    last = len(blocks) - 1
    at = 1
    for level, count in enumerate(blocks):
        for block in range(count):
            yield from _resnet(f"input_blocks.{at}.0", f"down_blocks.{level}.resnets.{block}")
            yield f"input_blocks.{at}.1", f"down_blocks.{level}.attentions.{block}"
            at += 1
        if level < last:
            yield f"input_blocks.{at}.0.op", f"down_blocks.{level}.downsamplers.0.conv"
            at += 1
    yield from _resnet("middle_block.0", "mid_block.resnets.0")
    yield "middle_block.1", "mid_block.attentions.0"
    yield from _resnet("middle_block.2", "mid_block.resnets.1")
    at = 0
    for up, level in enumerate(reversed(range(len(blocks)))):
        for block in range(blocks[level] + 1):
            yield from _resnet(f"output_blocks.{at}.0", f"up_blocks.{up}.resnets.{block}")
            is_upsampled = block == blocks[level] and level > 0
            if decoder_attends[level] or not is_upsampled:
                yield f"output_blocks.{at}.1", f"up_blocks.{up}.attentions.{block}"
            if is_upsampled:
                place = 2 if decoder_attends[level] else 1
                yield f"output_blocks.{at}.{place}.conv", f"up_blocks.{up}.upsamplers.0.conv"
            at += 1


def _resnet(ldm: str, diffusers: str) -> Iterator[Pair]:
    for here, there in _RESNET.items():
        yield f"{ldm}.{here}", f"{diffusers}.{there}"


def vae_layout(encoder_blocks: Sequence[int], decoder_blocks: Sequence[int]) -> Layout:
    """Names of a VAE. Both arguments count residual blocks a level, from full size to smallest."""
    return Layout.of(_vae_pairs(encoder_blocks, decoder_blocks))


def _vae_pairs(encoder_blocks: Sequence[int], decoder_blocks: Sequence[int]) -> Iterator[Pair]:
    yield "quant_conv", "quant_conv"
    yield "post_quant_conv", "post_quant_conv"
    for half in ("encoder", "decoder"):
        yield f"{half}.conv_in", f"{half}.conv_in"
        yield f"{half}.norm_out", f"{half}.conv_norm_out"
        yield f"{half}.conv_out", f"{half}.conv_out"
        for number in (1, 2):
            yield from _vae_resnet(f"{half}.mid.block_{number}", f"{half}.mid_block.resnets.{number - 1}")
        for here, there in _VAE_ATTENTION.items():
            yield f"{half}.mid.attn_1.{here}", f"{half}.mid_block.attentions.0.{there}"
    for level, count in enumerate(encoder_blocks):
        for block in range(count):
            yield from _vae_resnet(
                f"encoder.down.{level}.block.{block}", f"encoder.down_blocks.{level}.resnets.{block}"
            )
        yield f"encoder.down.{level}.downsample.conv", f"encoder.down_blocks.{level}.downsamplers.0.conv"
    for level, count in enumerate(decoder_blocks):
        up = len(decoder_blocks) - 1 - level  # LDM numbers the decoder by resolution, diffusers by order of use
        for block in range(count):
            yield from _vae_resnet(f"decoder.up.{level}.block.{block}", f"decoder.up_blocks.{up}.resnets.{block}")
        yield f"decoder.up.{level}.upsample.conv", f"decoder.up_blocks.{up}.upsamplers.0.conv"


def _vae_resnet(ldm: str, diffusers: str) -> Iterator[Pair]:
    for here, there in _VAE_RESNET.items():
        yield f"{ldm}.{here}", f"{diffusers}.{there}"
