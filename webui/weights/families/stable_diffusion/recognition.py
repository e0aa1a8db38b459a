"""Recognises checkpoints of Stable Diffusion by the names and shapes of their tensors, and reads what they are. It
needs no torch.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from webui.domain.errors import UnusableFileError
from webui.library import sidecar as yaml
from webui.library.family import Family, ModelSpec, PredictionSource
from webui.library.headers import Header
from webui.library.midas import PREFIX as DEPTH_PREFIX
from webui.library.midas import MidasShape, midas_shape
from webui.library.shapes import Shapes, UnetShape, has_unet, unet_shape, vae_shape

DEPTH_CHANNELS = 5  # latent 4 | depth 1
CHANNELS = (4, DEPTH_CHANNELS, 8, 9)  # latent 4 | image 4; latent 4 | mask 1 | masked image 4
HEADS, HEAD_WIDTH = 8, 64  # heads of SD1; channels of each head in the others
_VECTOR = ("label_emb.0.0.weight", "class_embedding.linear_1.weight", "add_embedding.linear_1.weight")
_SGM = "conditioner.embedders."  # sgm (SDXL's code) keeps text encoders here, LDM in cond_stage_model


def is_sdxl(shapes: Shapes) -> bool:
    """Whether it has the two text encoders of SDXL, which decide that in A1111 too."""
    return has_unet(shapes) and _has(shapes, f"{_SGM}1.")


def is_sdxl_refiner(shapes: Shapes) -> bool:
    """Whether it has one of SDXL's text encoders, and a UNet that takes a vector."""
    return has_unet(shapes) and _in_sgm(shapes) and _takes_vector(shapes)


def is_sd2(shapes: Shapes) -> bool:
    """Whether it has an open_clip text encoder. SD-Turbo names it as sgm does."""
    in_ldm = _has(shapes, "cond_stage_model.model.") and not _has(shapes, _SGM)
    return has_unet(shapes) and (in_ldm or (_in_sgm(shapes) and not _takes_vector(shapes)))


def is_sd1(shapes: Shapes) -> bool:
    """Whether it has a text encoder in LDM's place that is neither that of SD2 nor the multilingual one of
    AltDiffusion.
    """
    others = (_SGM, "cond_stage_model.model.", "cond_stage_model.roberta.")
    return has_unet(shapes) and _has(shapes, "cond_stage_model.") and not any(_has(shapes, other) for other in others)


def read(
    family: Family, name: str, header: Header, sidecar: Mapping[str, Any], *, v_with_vector: bool = False
) -> ModelSpec:
    """Everything about a checkpoint of a family.

    Args:
        name: of the file, for error texts.
        v_with_vector: whether a UNet that takes a vector counts as a v model where nothing states it (SD2 unCLIP).

    Raises:
        UnusableFileError: the file is incomplete, or of a kind that cannot be run.
    """
    shapes = header.shapes
    try:
        unet, vae = unet_shape(shapes), vae_shape(shapes)
    except UnusableFileError as error:
        raise UnusableFileError(f"{name}: {error}") from error
    if unet is None:
        raise UnusableFileError(f"{name}: there is no UNet in it")
    if unet.in_channels not in CHANNELS:
        *some, last = CHANNELS
        supported = f"{', '.join(map(str, some))} and {last}"
        raise UnusableFileError(f"{name}: its UNet takes {unet.in_channels} channels; {supported} are supported")
    guess = "v" if v_with_vector and unet.vector_width is not None else "epsilon"
    prediction, source = _prediction(header, sidecar, guess)
    return ModelSpec(
        family=family,
        in_channels=unet.in_channels,
        prediction=prediction,
        prediction_source=source,
        zero_terminal_snr="ztsnr" in shapes or _is_true(header.metadata.get("ss_zero_terminal_snr")),
        latents=replace(family.latents, scale=yaml.scale_factor(sidecar) or family.latents.scale),
        network=unet,
        heads=_heads(name, unet, sidecar),
        vae=vae,
        sidecar=sidecar,
        depth=_depth(name, shapes, unet),
    )


def _has(shapes: Shapes, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in shapes)


def _in_sgm(shapes: Shapes) -> bool:
    """Whether the only text encoder is an open_clip in sgm's place."""
    return _has(shapes, f"{_SGM}0.model.") and not _has(shapes, f"{_SGM}1.")


def _takes_vector(shapes: Shapes) -> bool:
    return any(name.endswith(_VECTOR) for name in shapes)


def _depth(name: str, shapes: Shapes, unet: UnetShape) -> MidasShape | None:
    """The shape of the depth network, for a UNet that takes depth (SD2 depth-to-image); None for others."""
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


def _prediction(header: Header, sidecar: Mapping[str, Any], guess: str) -> tuple[str, PredictionSource]:
    """The prediction type from the metadata, else the yaml, else marker keys, else the guess."""
    stated = _metadata_prediction(header.metadata)
    if stated is not None:
        return stated, "metadata"
    word = yaml.prediction(sidecar)
    if word is not None:
        return ("v" if word == "v" else "epsilon"), "sidecar"
    if {"v_pred", "ztsnr"} & set(header.tensors):
        return "v", "marker"
    return guess, "default"


def _metadata_prediction(metadata: Mapping[str, str]) -> str | None:
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
    """Attention heads of each level: the yaml's num_heads or num_head_channels, else 8 heads (SD1) or 64 channels a
    head.
    """
    params = yaml.unet_params(sidecar)
    heads = yaml.positive_int(yaml.at(params, "num_heads"))
    width = yaml.positive_int(yaml.at(params, "num_head_channels"))
    if heads is None and width is None:
        heads, width = (None, HEAD_WIDTH) if unet.linear else (HEADS, None)
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
