"""Says what a checkpoint is from the names and shapes of its tensors. Reads no tensor data and runs no code from it.

What marks a family, and what else is read from a file of it, stands in the family's own folder; here they are asked in
turn.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from webui.domain.errors import UnusableFileError
from webui.library.family import Family, ModelSpec
from webui.library.headers import Header
from webui.library.shapes import Shapes, unet_shape, vae_shape

# Key that gives a file away -> what it is. For files that look like a model but are none this program can run.
_STRANGERS = (
    ("model.diffusion_model.x_embedder.proj.weight", "a Stable Diffusion 3 model"),
    ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "a Stable Diffusion 3 model"),
    ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "a Flux model"),
    ("double_blocks.0.img_attn.qkv.weight", "a Flux model"),
    ("cond_stage_model.roberta.embeddings.word_embeddings.weight", "an AltDiffusion model"),
)
_LORA_PARTS = ("lora_up", "lora_down", "lora_A", "lora_B", "hada_w1_a", "lokr_w1", "oft_blocks")


def detect(name: str, header: Header, sidecar: Mapping[str, Any], families: Sequence[Family]) -> ModelSpec:
    """Recognise a checkpoint: the first of `families` whose marks are there reads it.

    Args:
        name: of the file, for error texts.

    Raises:
        UnusableFileError: another kind of file, or a model that this program cannot run; says which.
    """
    shapes = header.shapes
    for family in families:
        if family.marks(shapes):
            return family.read(family, name, header, sidecar)
    raise UnusableFileError(f"{name}: {_refusal(name, shapes, families)}")


def _refusal(name: str, shapes: Shapes, families: Sequence[Family]) -> str:
    """Why a file of no known family is no checkpoint. Raises UnusableFileError where its UNet or VAE is damaged."""
    try:
        unet, _ = unet_shape(shapes), vae_shape(shapes)
    except UnusableFileError as error:
        raise UnusableFileError(f"{name}: {error}") from error
    if unet is None:
        return f"{describe(shapes)}, not a checkpoint"
    for key, what in _STRANGERS:
        if key in shapes:
            *labels, last = dict.fromkeys(family.label for family in families)
            supported = f"{', '.join(labels)} and {last}" if labels else last
            return f"{what}; only {supported} models are supported"
    return f"only a UNet ({unet.naming} naming), without text encoder; a checkpoint file holds both"


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
