"""Derives the configuration of a UNet and a VAE from the names and shapes of their tensors, for any size.

What shapes cannot tell (head counts, prediction type) is decided in `detect.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

from webui.domain.errors import UnusableFileError
from webui.library.layout import Layout, unet_layout, vae_layout

Shapes = Mapping[str, tuple[int, ...]]
Naming = Literal["ldm", "diffusers"]
MAX_LEVELS = 8
_GUIDANCE = "time_embed.cond_proj.weight"

# Attention names of VAE files from before diffusers 0.15, and the text-size embedding of its SDXL UNets.
_DIFFUSERS_ALIASES = (
    (".attentions.0.query.", ".attentions.0.to_q."),
    (".attentions.0.key.", ".attentions.0.to_k."),
    (".attentions.0.value.", ".attentions.0.to_v."),
    (".attentions.0.proj_attn.", ".attentions.0.to_out.0."),
    ("add_embedding.", "class_embedding."),
)


@dataclass(frozen=True, slots=True)
class UnetLevel:
    """One resolution. `encoder` and `decoder` hold the transformer depth of each residual block; 0: no transformer."""

    channels: int
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]

    @property
    def attends(self) -> bool:
        return any(self.encoder) or any(self.decoder)


@dataclass(frozen=True, slots=True)
class UnetShape:
    """Everything about a UNet that its tensors tell.

    Attributes:
        levels: from full size to smallest.
        middle_depth: transformer depth of the middle block; 0: one residual block only; None: no middle block.
        context_width: channels of the text conditioning.
        linear: the transformers' projections are linear layers (SD2, SDXL), not 1x1 convolutions (SD1).
        vector_width: channels of the extra conditioning vector (`y`, ADM), or None.
        keys: canonical LDM name (`input_blocks.0.0.weight`) -> name in the file.
        guidance_width: numbers that the guidance scale is embedded in, of networks that are told it (LCM,
            arXiv:2310.04378); None in all others.
    """

    in_channels: int
    out_channels: int
    levels: tuple[UnetLevel, ...]
    middle_depth: int | None
    context_width: int
    linear: bool
    vector_width: int | None
    naming: Naming
    keys: Mapping[str, str]
    guidance_width: int | None = None

    @property
    def skips(self) -> int:
        """Skip connections from encoder to decoder: the first convolution, every residual block and downsampler."""
        return sum(len(level.encoder) + 1 for level in self.levels)

    @property
    def layout(self) -> Layout:
        return unet_layout([len(v.encoder) for v in self.levels], [bool(v.decoder[-1]) for v in self.levels])


@dataclass(frozen=True, slots=True)
class VaeShape:
    """Everything about a VAE that its tensors tell; `levels` lists (channels, encoder blocks, decoder blocks)."""

    image_channels: int
    latent_channels: int
    levels: tuple[tuple[int, int, int], ...]
    has_quant_conv: bool
    naming: Naming
    keys: Mapping[str, str]

    @property
    def layout(self) -> Layout:
        return vae_layout([v[1] for v in self.levels], [v[2] for v in self.levels])

    @property
    def downscale(self) -> int:
        """Pixels per latent cell and side."""
        return 1 << (len(self.levels) - 1)


class _Tensors:
    """Shapes by canonical LDM name; a missing one is an error that names it."""

    def __init__(self, what: str, shapes: Shapes, keys: Mapping[str, str]) -> None:
        self._what = what
        self._shapes = shapes
        self.keys = keys

    def __contains__(self, name: str) -> bool:
        return name in self.keys

    def shape(self, name: str, dimensions: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a tensor that must exist and have one of these numbers of dimensions."""
        if name not in self.keys:
            raise UnusableFileError(f"{self._what}: tensor {name} is missing; the file is incomplete")
        shape = self._shapes[self.keys[name]]
        if len(shape) not in dimensions or not all(shape):
            raise UnusableFileError(f"{self._what}: tensor {name} has the unexpected shape {shape}")
        return shape

    def depth(self, block: str) -> int:
        """Transformer layers in `block`."""
        return _numbered(self.keys, f"{block}.transformer_blocks.{{}}.norm1.weight")


def has_unet(shapes: Shapes) -> bool:
    """Whether there is a UNet among the tensors of a file, complete or not."""
    return _found_unet(shapes) is not None


def unet_shape(shapes: Shapes) -> UnetShape | None:
    """Find a UNet among the tensors of a file, in LDM or diffusers naming.

    Returns:
        None when there is none.

    Raises:
        UnusableFileError: it is there but incomplete, or of a kind that this program cannot run.
    """
    found = _found_unet(shapes)
    if found is None:
        return None
    prefix, naming = found
    keys = _with_prefix(shapes, prefix)
    return _unet(shapes, keys if naming == "ldm" else _unet_from_diffusers(keys), naming)


def _found_unet(shapes: Shapes) -> tuple[str, Naming] | None:
    """What the names of a UNet's tensors begin with, and how they go on; None where there is none."""
    for prefix in ("model.diffusion_model.", "diffusion_model.", ""):
        if prefix + "input_blocks.0.0.weight" in shapes and prefix + "time_embed.0.weight" in shapes:
            return prefix, "ldm"
    for prefix in ("", "unet."):
        if prefix + "conv_in.weight" in shapes and prefix + "time_embedding.linear_1.weight" in shapes:
            return prefix, "diffusers"
    return None


def vae_shape(shapes: Shapes) -> VaeShape | None:
    """Find a VAE among the tensors of a file. Returns and raises as `unet_shape`."""
    for prefix in ("first_stage_model.", "", "vae."):
        if prefix + "decoder.conv_in.weight" not in shapes or prefix + "encoder.conv_in.weight" not in shapes:
            continue
        keys = _with_prefix(shapes, prefix)
        if "decoder.mid.block_1.conv1.weight" in keys:
            return _vae(shapes, keys, "ldm")
        if "decoder.mid_block.resnets.0.conv1.weight" in keys:
            return _vae(shapes, _vae_from_diffusers(keys), "diffusers")
    return None


def require_vae(shapes: Shapes) -> VaeShape:
    """As `vae_shape`, but UnusableFileError where there is none."""
    shape = vae_shape(shapes)
    if shape is None:
        raise UnusableFileError("there is no VAE in it")
    return shape


def _with_prefix(shapes: Shapes, prefix: str) -> dict[str, str]:
    return {name[len(prefix) :]: name for name in shapes if name.startswith(prefix)}


def _canonical(keys: Mapping[str, str]) -> dict[str, str]:
    renamed = {}
    for name, key in keys.items():
        modern = name
        for old, new in _DIFFUSERS_ALIASES:
            modern = modern.replace(old, new)
        renamed[modern] = key
    return renamed


def _numbered(keys: Mapping[str, str], pattern: str) -> int:
    """How many of pattern.format(0), pattern.format(1), ... exist without a gap."""
    number = 0
    while pattern.format(number) in keys:
        number += 1
    return number


def _to_ldm(layout: Layout, keys: Mapping[str, str]) -> dict[str, str]:
    return {ldm: key for name, key in keys.items() if (ldm := layout.to_ldm(name)) is not None}


def _unet_from_diffusers(keys: Mapping[str, str]) -> dict[str, str]:
    keys = _canonical(keys)
    levels = _numbered(keys, "down_blocks.{}.resnets.0.conv1.weight")
    blocks = [_numbered(keys, f"down_blocks.{v}.resnets.{{}}.conv1.weight") for v in range(levels)]
    attends = [
        f"up_blocks.{levels - 1 - v}.attentions.{blocks[v]}.proj_in.weight" in keys for v in range(levels)
    ]  # fmt: skip
    return _to_ldm(unet_layout(blocks, attends), keys)


def _vae_from_diffusers(keys: Mapping[str, str]) -> dict[str, str]:
    keys = _canonical(keys)
    levels = _numbered(keys, "encoder.down_blocks.{}.resnets.0.conv1.weight")
    encoder = [_numbered(keys, f"encoder.down_blocks.{v}.resnets.{{}}.conv1.weight") for v in range(levels)]
    decoder = [_numbered(keys, f"decoder.up_blocks.{levels - 1 - v}.resnets.{{}}.conv1.weight") for v in range(levels)]
    return _to_ldm(vae_layout(encoder, decoder), keys)


def _unet(shapes: Shapes, keys: Mapping[str, str], naming: Naming) -> UnetShape:
    tensors = _Tensors("UNet", shapes, keys)
    encoder = list(_encoder_levels(tensors))
    if len(encoder) > MAX_LEVELS:
        raise UnusableFileError(f"UNet: {len(encoder)} levels; at most {MAX_LEVELS} are supported")
    decoder = _decoder_levels(tensors, [len(depths) for _, depths in encoder])
    levels = tuple(UnetLevel(channels, depths, up) for (channels, depths), up in zip(encoder, decoder, strict=True))
    for number, level in enumerate(levels):
        if level.attends and not (all(level.encoder) and all(level.decoder)):
            raise UnusableFileError(f"UNet: level {number} has transformers in some blocks only; this is not supported")
    middle = None if "middle_block.0.in_layers.2.weight" not in tensors else tensors.depth("middle_block.1")
    context, linear = _attention(tensors)
    return UnetShape(
        in_channels=tensors.shape("input_blocks.0.0.weight", (4,))[1],
        out_channels=tensors.shape("out.2.weight", (4,))[0],
        levels=levels,
        middle_depth=middle,
        context_width=context,
        linear=linear,
        vector_width=tensors.shape("label_emb.0.0.weight", (2,))[1] if "label_emb.0.0.weight" in tensors else None,
        naming=naming,
        keys=keys,
        guidance_width=tensors.shape(_GUIDANCE, (2,))[1] if _GUIDANCE in tensors else None,
    )


def _encoder_levels(tensors: _Tensors) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(channels, transformer depth of each residual block) of each level, full size first."""
    depths: list[int] = []
    channels = 0
    for number in count(1):
        block = f"input_blocks.{number}"
        if f"{block}.0.in_layers.2.weight" in tensors:
            channels = tensors.shape(f"{block}.0.in_layers.2.weight", (4,))[0]
            depths.append(tensors.depth(f"{block}.1"))
            continue
        yield channels, tuple(depths)
        if not depths:
            raise UnusableFileError(f"UNet: no residual block at {block}; only SD1, SD2 and SDXL layouts are supported")
        if f"{block}.0.op.weight" not in tensors:
            return
        depths = []


def _decoder_levels(tensors: _Tensors, blocks: list[int]) -> list[tuple[int, ...]]:
    """Transformer depth of each decoder block, by level, full size first; in a level in order of use."""
    at = 0
    found: list[tuple[int, ...]] = []
    for encoder_blocks in reversed(blocks):
        level = range(at, at + encoder_blocks + 1)
        for number in level:
            tensors.shape(f"output_blocks.{number}.0.in_layers.2.weight", (4,))
        found.append(tuple(tensors.depth(f"output_blocks.{number}.1") for number in level))
        at = level.stop
    if f"output_blocks.{at}.0.in_layers.2.weight" in tensors:
        raise UnusableFileError(f"UNet: output_blocks.{at} is one more than the encoder's blocks allow")
    return found[::-1]


def _attention(tensors: _Tensors) -> tuple[int, bool]:
    """(context width, linear projections), from the first cross-attention."""
    tail = ".transformer_blocks.0.attn2.to_k.weight"
    first = next((name for name in tensors.keys if name.endswith(tail)), None)
    if first is None:
        raise UnusableFileError("UNet: it has no cross-attention, so it cannot follow a prompt")
    proj_in = tensors.shape(first.removesuffix(tail) + ".proj_in.weight", (2, 4))
    return tensors.shape(first, (2,))[1], len(proj_in) == 2


def _vae(shapes: Shapes, keys: Mapping[str, str], naming: Naming) -> VaeShape:
    tensors = _Tensors("VAE", shapes, keys)
    levels = _numbered(keys, "encoder.down.{}.block.0.conv1.weight")
    if not 0 < levels <= MAX_LEVELS:
        raise UnusableFileError(f"VAE: {levels} encoder levels; 1 to {MAX_LEVELS} are supported")
    for name in keys:
        if ".attn." in name and name.startswith(("encoder.down.", "decoder.up.")):
            raise UnusableFileError(f"VAE: attention outside the middle block ({name}) is not supported")
    found = []
    for level in range(levels):
        encoder = _numbered(keys, f"encoder.down.{level}.block.{{}}.conv1.weight")
        decoder = _numbered(keys, f"decoder.up.{level}.block.{{}}.conv1.weight")
        found.append((tensors.shape(f"encoder.down.{level}.block.0.conv1.weight", (4,))[0], encoder, decoder))
    if len({encoder for _, encoder, _ in found}) != 1 or any(decoder != encoder + 1 for _, encoder, decoder in found):
        raise UnusableFileError("VAE: its levels differ in residual blocks; only the AutoencoderKL layout is supported")
    return VaeShape(
        image_channels=tensors.shape("encoder.conv_in.weight", (4,))[1],
        latent_channels=tensors.shape("decoder.conv_in.weight", (4,))[1],
        levels=tuple(found),
        has_quant_conv="quant_conv.weight" in tensors,
        naming=naming,
        keys=keys,
    )
