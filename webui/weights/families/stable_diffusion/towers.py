"""The text encoders of Stable Diffusion: where their tensors are in a file, and which layer they output."""

from collections.abc import Mapping
from typing import Any

import torch

from webui.library.family import Family
from webui.prompt.ports import TextStack
from webui.weights.text_encoders import ClipTower, Layers, TensorReader, TowerBuilder, found

PENULTIMATE = Layers(-2, normed=False, skips=False)


def build_towers(
    source: TensorReader, family: Family, sidecar: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> TextStack:
    """Build the text encoders of a checkpoint.

    Args:
        family: SD1, SD2, SDXL or its refiner.
        sidecar: the checkpoint's parsed yaml, {} if none; it may state the layer to output.

    Raises:
        UnusableFileError: a tensor is missing or has another shape than its neighbours imply.
        NotFiniteError: a weight is NaN or infinite.
    """
    build = TowerBuilder(source, sidecar, device, dtype, window=family.text.window)
    if family.name == "sd1":
        prefix = "cond_stage_model.transformer."
        towers: tuple[ClipTower, ...] = (build.clip(prefix, Layers(-1, normed=True, skips=True)),)
    elif family.name == "sd2":
        towers = (_sd2_tower(build, sidecar),)
    elif family.refines:
        towers = (build.open_clip("conditioner.embedders.0.model.", PENULTIMATE, pooled=True),)
    else:
        first = build.clip("conditioner.embedders.0.transformer.", _sdxl_clip_l_layers(sidecar))
        towers = (first, build.open_clip("conditioner.embedders.1.model.", PENULTIMATE, pooled=True))
    return TextStack(family.text, towers)


def _sd2_tower(build: TowerBuilder, sidecar: Mapping[str, Any]) -> ClipTower:
    layer = found(sidecar, "model", "params", "cond_stage_config", "params", "layer")
    index = -1 if layer == "last" else -2
    return build.open_clip("cond_stage_model.model.", Layers(index, normed=True, skips=False), pooled=False)


def _sdxl_clip_l_layers(sidecar: Mapping[str, Any]) -> Layers:
    params = found(sidecar, "model", "params", "conditioner_config", "params", "emb_models", 0, "params")
    index = found(params, "layer_idx") if found(params, "layer") == "hidden" else None
    return Layers(index if isinstance(index, int) else -2, normed=False, skips=True)
