"""Finds the tensor of a checkpoint that a layer of a LoRA changes, from the checkpoint's tensor names."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from webui.extension_api.tensors import Layout, ModelSpec

from .blocks import UNET

_OPEN_CLIP = (
    ("attn.out_proj", "self_attn_out_proj"),
    ("mlp.c_fc", "mlp_fc1"),
    ("mlp.c_proj", "mlp_fc2"),
)
_TOWERS = (  # (prefix in the checkpoint, its names in LoRA files)
    ("cond_stage_model.transformer.text_model.", ("lora_te_text_model_",)),
    ("conditioner.embedders.0.transformer.text_model.", ("lora_te1_text_model_", "lora_te_text_model_")),
)
_OPEN_TOWERS = (
    ("cond_stage_model.model.transformer.", ("lora_te_text_model_",)),
    ("conditioner.embedders.0.model.transformer.", ("lora_te_text_model_", "lora_te2_text_model_")),
    ("conditioner.embedders.1.model.transformer.", ("lora_te2_text_model_",)),
)


class Target(NamedTuple):
    """The place of a layer's weights in a checkpoint.

    Attributes:
        tensor: name of its weight.
        third: 0, 1, 2 for query, key, value stacked in one tensor; None: the whole.
    """

    tensor: str
    third: int | None = None

    @property
    def bias(self) -> str:
        """Name of its bias."""
        return re.sub(r"weight$", "bias", self.tensor)


def targets(spec: ModelSpec, names: Iterable[str]) -> Mapping[str, Target]:
    """The layers of a checkpoint by every name that LoRA files give them, the usual one first."""
    found: dict[str, Target] = {}
    layout = spec.unet.layout  # a property that computes it each time
    for name in names:
        for layer, target in _aliases(layout, name, ldm_first=spec.family.ldm_names_first):
            found.setdefault(layer, target)
    return found


def _aliases(layout: Layout, name: str, *, ldm_first: bool) -> Iterator[tuple[str, Target]]:
    if name.endswith("in_proj_weight"):
        yield from _stacked(name)
        return
    if not name.endswith(".weight"):
        return
    module = name.removesuffix(".weight")
    if module.startswith(UNET):
        ldm = module.removeprefix(UNET)
        diffusers = layout.to_diffusers(ldm)
        for one in (ldm, diffusers) if ldm_first else (diffusers, ldm):
            if one is not None:
                yield f"lora_unet_{one.replace('.', '_')}", Target(name)
        return
    for prefix, towers in _TOWERS:
        if module.startswith(prefix):
            for tower in towers:
                yield tower + module.removeprefix(prefix).replace(".", "_"), Target(name)
    for prefix, towers in _OPEN_TOWERS:
        if module.startswith(prefix):
            rest = module.removeprefix(prefix)
            for theirs, ours in _OPEN_CLIP:
                if rest.endswith(theirs):
                    number = rest.split(".")[1]
                    for tower in towers:
                        yield f"{tower}encoder_layers_{number}_{ours}", Target(name)


def _stacked(name: str) -> Iterator[tuple[str, Target]]:
    """Query, key and value of an open_clip layer."""
    for prefix, towers in _OPEN_TOWERS:
        if name.startswith(prefix):
            number = name.removeprefix(prefix).split(".")[1]
            for tower in towers:
                for third, letter in enumerate("qkv"):
                    yield f"{tower}encoder_layers_{number}_self_attn_{letter}_proj", Target(name, third)
