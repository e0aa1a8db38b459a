"""Finds the image encoder that an adapter was trained with: by names first, and then by sizes."""

import json
from functools import partial
from pathlib import Path

import torch

from webui.extension_api import Models, UnusableFileError

from .adapter_files import AdapterShape
from .vision_tower import VisionTower, build_tower

KIND = "clip_vision"
FOLDER = "models/clip_vision"
MAX_CONFIG = 1 << 16  # bytes
# what names of files hold, for the two encoders that adapters are trained with
WORDS = (("bigg", "clip_g", "vit-g", "vit_g"), ("vit-h", "vit_h", "clip_h"))
_BIG_PROJECTION = 1280  # what ViT-bigG makes of a picture; ViT-H makes 1024
EXAMPLES = ("CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors", "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors")


def encoder_for(
    shape: AdapterShape, wanted: str, adapter: str, models: Models, device: torch.device, dtype: torch.dtype
) -> VisionTower:
    """The image encoder for an adapter.

    Args:
        wanted: the name of its file, or `clip_h` or `clip_g` where one whose name says so is preferred; "": any.
        adapter: the name of the adapter's file, for errors.

    Raises:
        UnusableFileError: there is none that fits, or the one that is named does not; says what belongs where.
    """
    names = models.names(KIND)
    kinds = {"clip_g": WORDS[0], "clip_h": WORDS[1]}
    if wanted and wanted not in kinds:
        tower = load(models.find(KIND, wanted), models, device, dtype)
        if not _fits(tower, shape):
            raise UnusableFileError(f"{wanted} is not the image encoder of {adapter}, which {_needs(shape)}")
        return tower
    preferred = kinds.get(wanted) or WORDS[0 if shape.kind == "standard" and shape.sees == _BIG_PROJECTION else 1]
    told = ""
    for name in sorted(names, key=lambda name: not any(word in name.lower() for word in preferred)):
        try:
            tower = load(models.find(KIND, name), models, device, dtype)
        except UnusableFileError as error:
            told = f"; {error}"
            continue
        if _fits(tower, shape):
            return tower
    is_big = shape.kind == "standard" and shape.sees == _BIG_PROJECTION
    example, short = (EXAMPLES[0], "clip_g.pth") if is_big else (EXAMPLES[1], "clip_h.pth")
    there = f"those that are there do not fit: {', '.join(names)}{told}" if names else "there is none"
    raise UnusableFileError(f"{adapter} {_needs(shape)}; {there}. Put {example} (or {short}) in {FOLDER}")


def load(path: Path, models: Models, device: torch.device, dtype: torch.dtype) -> VisionTower:
    """The encoder in a file, kept in memory for further jobs. Raises UnusableFileError, NotFiniteError."""
    build = partial(build_tower, name=path.name, heads=_heads(path), device=device, dtype=dtype)
    return models.load(path, build)


def _fits(tower: VisionTower, shape: AdapterShape) -> bool:
    return shape.sees == (tower.shape.projection if shape.kind == "standard" else tower.shape.width)


def _needs(shape: AdapterShape) -> str:
    what = "a projection" if shape.kind == "standard" else "a hidden width"
    return f"needs an image encoder with {what} of {shape.sees} channels"


def _heads(path: Path) -> int:
    """What a configuration beside the file says (`config.json`, or of the file's own name); 0 where none does."""
    for beside in (path.with_suffix(".json"), path.with_name("config.json")):
        try:
            with beside.open("rb") as file:
                told = json.loads(file.read(MAX_CONFIG))
        except (OSError, ValueError, RecursionError):
            continue
        told = told.get("vision_config", told) if isinstance(told, dict) else {}
        heads = told.get("num_attention_heads") if isinstance(told, dict) else None
        if isinstance(heads, int) and 0 < heads <= 256:
            return heads
    return 0
