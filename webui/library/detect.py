"""Says what a checkpoint is from the names and shapes of its tensors. Reads no tensor data and runs no code from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from webui.domain.errors import UnusableFileError
from webui.library import sidecar as yaml
from webui.library.headers import Header
from webui.library.midas import PREFIX as DEPTH_PREFIX
from webui.library.midas import MidasShape, midas_shape
from webui.library.shapes import UnetShape, VaeShape, unet_shape, vae_shape

Family = Literal["sd1", "sd2", "sdxl", "sdxl_refiner"]
Prediction = Literal["epsilon", "v"]
PredictionSource = Literal["metadata", "sidecar", "marker", "default"]

LATENT_CHANNELS = 4
DEPTH_CHANNELS = 5  # latent 4 | depth 1
INPAINT_CHANNELS = 9  # latent 4 | mask 1 | masked image 4
PIX2PIX_CHANNELS = 8  # latent 4 | image 4

# Key that gives a file away -> what it is. For files that look like a model but are none this program can run.
_STRANGERS = (
    ("model.diffusion_model.x_embedder.proj.weight", "a Stable Diffusion 3 model"),
    ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "a Stable Diffusion 3 model"),
    ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "a Flux model"),
    ("double_blocks.0.img_attn.qkv.weight", "a Flux model"),
    ("cond_stage_model.roberta.embeddings.word_embeddings.weight", "an AltDiffusion model"),
)
_LORA_PARTS = ("lora_up", "lora_down", "lora_A", "lora_B", "hada_w1_a", "lokr_w1", "oft_blocks")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a checkpoint is.

    Attributes:
        prediction: what the UNet answers (arXiv:2202.00512 for v).
        prediction_source: where that was read; "default" is a guess by family.
        latent_scale: encoder output x latent_scale = latents as the UNet knows them.
        heads: attention heads of each UNet level.
        vae: None when the checkpoint has no VAE of its own.
        depth: the depth network inside a depth checkpoint; None in all others.
        sidecar: the parsed yaml beside the file; empty if none.
    """

    family: Family
    in_channels: int
    prediction: Prediction
    prediction_source: PredictionSource
    zero_terminal_snr: bool
    latent_scale: float
    unet: UnetShape
    heads: tuple[int, ...]
    vae: VaeShape | None
    sidecar: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    depth: MidasShape | None = None

    @property
    def inpaints(self) -> bool:
        """It takes a mask and the masked image beside the latents."""
        return self.in_channels == INPAINT_CHANNELS

    @property
    def edits(self) -> bool:
        """instruct-pix2pix (arXiv:2211.09800): it takes an image beside the latents."""
        return self.in_channels == PIX2PIX_CHANNELS


def detect(name: str, header: Header, sidecar: Mapping[str, Any]) -> ModelSpec:
    """Recognise a checkpoint.

    Args:
        name: of the file, for error texts.

    Raises:
        UnusableFileError: another kind of file, or a model that this program cannot run; says which.
    """
    shapes = header.shapes
    try:
        unet = unet_shape(shapes)
        vae = vae_shape(shapes)
    except UnusableFileError as error:
        raise UnusableFileError(f"{name}: {error}") from error
    if unet is None:
        raise UnusableFileError(f"{name}: {describe(shapes)}, not a checkpoint")
    for key, what in _STRANGERS:
        if key in shapes:
            raise UnusableFileError(f"{name}: {what}; only SD1, SD2 and SDXL models are supported")
    family = _family(name, shapes, unet)
    if unet.in_channels not in (LATENT_CHANNELS, DEPTH_CHANNELS, PIX2PIX_CHANNELS, INPAINT_CHANNELS):
        raise UnusableFileError(f"{name}: its UNet takes {unet.in_channels} channels; 4, 5, 8 and 9 are supported")
    prediction, source = _prediction(header, sidecar, family, unet)
    is_xl = family in ("sdxl", "sdxl_refiner")
    return ModelSpec(
        family=family,
        in_channels=unet.in_channels,
        prediction=prediction,
        prediction_source=source,
        zero_terminal_snr="ztsnr" in shapes or _is_true(header.metadata.get("ss_zero_terminal_snr")),
        latent_scale=yaml.scale_factor(sidecar) or (0.13025 if is_xl else 0.18215),
        unet=unet,
        heads=_heads(name, unet, sidecar),
        vae=vae,
        sidecar=sidecar,
        depth=_depth(name, shapes, unet),
    )


def describe(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """One phrase about a file that is no checkpoint."""
    for key, what in _STRANGERS:
        if key in shapes:
            return what
    if any(part in name for name in shapes for part in _LORA_PARTS):
        return "a LoRA (its place is models/Lora)"
    if any(name.startswith(("control_model.", "controlnet_", "lllite_")) for name in shapes):
        return "a ControlNet (its place is models/ControlNet)"
    if "emb_params" in shapes or {"clip_l", "clip_g"} & set(shapes):
        return "an embedding (its place is models/embeddings)"
    if any(name.endswith("decoder.conv_in.weight") for name in shapes):
        return "a VAE (its place is models/VAE)"
    return "no UNet of a known layout among its tensors"


def _family(name: str, shapes: Mapping[str, tuple[int, ...]], unet: UnetShape) -> Family:
    """The text encoders decide, as in A1111; a UNet without any is no checkpoint."""
    if _has(shapes, "conditioner.embedders.1."):
        return "sdxl"
    if _has(shapes, "conditioner.embedders.0.model."):
        return "sdxl_refiner" if unet.vector_width else "sd2"  # SD-Turbo names its only encoder in sgm's way
    if _has(shapes, "cond_stage_model.model."):
        return "sd2"
    if _has(shapes, "cond_stage_model."):
        return "sd1"
    raise UnusableFileError(
        f"{name}: only a UNet ({unet.naming} naming), without text encoder; a checkpoint file holds both"
    )


def _depth(name: str, shapes: Mapping[str, tuple[int, ...]], unet: UnetShape) -> MidasShape | None:
    """The network that estimates depth for a UNet which wants to be shown some (SD2 depth-to-image)."""
    if unet.in_channels != DEPTH_CHANNELS:
        return None
    try:
        found = midas_shape(shapes)
    except UnusableFileError as error:
        raise UnusableFileError(f"{name}: {error}") from error
    if found is None:
        raise UnusableFileError(
            f"{name}: its UNet takes 5 channels, the fifth is depth, but the tensors of its depth network "
            f"({DEPTH_PREFIX}pretrained.*, {DEPTH_PREFIX}scratch.*) are missing; take the whole checkpoint"
        )
    return found


def _has(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in shapes)


def _prediction(
    header: Header, sidecar: Mapping[str, Any], family: Family, unet: UnetShape
) -> tuple[Prediction, PredictionSource]:
    """Metadata, then the yaml, then marker keys, then the family's default."""
    stated = _metadata_prediction(header.metadata)
    if stated is not None:
        return stated, "metadata"
    word = yaml.prediction(sidecar)
    if word is not None:
        return ("v" if word == "v" else "epsilon"), "sidecar"
    if {"v_pred", "ztsnr"} & set(header.tensors):
        return "v", "marker"
    is_unclip = family == "sd2" and unet.vector_width is not None
    return ("v" if is_unclip else "epsilon"), "default"


def _metadata_prediction(metadata: Mapping[str, str]) -> Prediction | None:
    """`modelspec.prediction_type` (Stability ModelSpec 1.0), or kohya's `ss_v_parameterization`."""
    word = metadata.get("modelspec.prediction_type", metadata.get("prediction_type", "")).strip().lower()
    if word in ("v", "v_prediction", "v-prediction", "vpred"):
        return "v"
    if word in ("epsilon", "eps"):
        return "epsilon"
    return "v" if _is_true(metadata.get("ss_v_parameterization")) else None


def _is_true(word: str | None) -> bool:
    return word is not None and word.strip().lower() in ("true", "1")


def _heads(name: str, unet: UnetShape, sidecar: Mapping[str, Any]) -> tuple[int, ...]:
    """Attention heads a level: the yaml's num_heads or num_head_channels, else 8 heads (SD1) or 64 channels a head."""
    params = yaml.unet_params(sidecar)
    heads = yaml.positive_int(yaml.at(params, "num_heads"))
    width = yaml.positive_int(yaml.at(params, "num_head_channels"))
    if heads is None and width is None:
        heads, width = (None, 64) if unet.linear else (8, None)
    found = []
    for number, level in enumerate(unet.levels):
        is_used = level.attends or (number == len(unet.levels) - 1 and bool(unet.middle_depth))
        channels = level.channels
        if is_used and channels % (width or heads or 1):
            raise UnusableFileError(
                f"{name}: UNet level {number} has {channels} channels, which do not divide into "
                f"{f'heads of {width}' if width else f'{heads} heads'}; state num_heads or num_head_channels in a yaml"
            )
        found.append(max(1, channels // width) if width else heads or 1)
    return tuple(found)
