"""Recognises files in models/ControlNet by the names and shapes of their tensors, and fills networks from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import TensorFile, check_finite, unet_layout

from .control_union import AT as UNION_AT
from .control_union import PARTS as UNION_PARTS

Shapes = Mapping[str, tuple[int, ...]]
Kind = Literal["controlnet", "difference", "control_lora", "t2i_adapter", "lllite"]

_PREFIX = "control_model."
_HINT = "input_hint_block.0.weight"
_DIFFUSERS_HINT = "controlnet_cond_embedding."
# Kinds of files that users keep in this folder too, but that this extension does not support.
_STRANGERS = (
    ("ip_adapter.1.to_k_ip.weight", "an IP-Adapter (choose a preprocessor whose name begins with ip-adapter)"),
    ("image_proj.latents", "an IP-Adapter (choose a preprocessor whose name begins with ip-adapter)"),
    ("image_proj.proj.weight", "an IP-Adapter (choose a preprocessor whose name begins with ip-adapter)"),
    ("transformer_layers.0.linear_1.weight", "a T2I style adapter"),
    ("transformer_layes.0.attn.in_proj_weight", "a T2I style adapter"),
    ("down_blocks.0.motion_modules.0.proj_in.weight", "a SparseCtrl model"),
    ("controlnet_x_embedder.weight", "a ControlNet for Flux"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A recognised file.

    Attributes:
        keys: canonical name (LDM's, or that of the adapter's original code) -> name in the file.
        shapes: by canonical name.
    """

    kind: Kind
    keys: Mapping[str, str]
    shapes: Shapes


def recognise(shapes: Shapes, name: str) -> Found:
    """Recognise a file.

    Args:
        name: of the file, for error texts.

    Raises:
        UnusableFileError: the file is of no supported kind; the text says of which kind, where that is known.
    """
    for key, what in _STRANGERS:
        if key in shapes and "task_embedding" not in shapes:  # a union has tensors of a style adapter too
            raise UnusableFileError(
                f"{name}: {what}, which is not supported here; ControlNet, control-LoRA, T2I-Adapter and LLLite are"
            )
    if any(key.startswith("lllite_") for key in shapes):
        return _found("lllite", {key: key for key in shapes}, shapes)
    if _PREFIX + _HINT in shapes:
        keys = {key.removeprefix(_PREFIX): key for key in shapes if key.startswith(_PREFIX)}
        return _found("difference" if "difference" in shapes else "controlnet", keys, shapes)
    if _HINT in shapes:
        is_lora = any(key.endswith(".up") for key in shapes)
        return _found("control_lora" if is_lora else "controlnet", {key: key for key in shapes}, shapes)
    if _DIFFUSERS_HINT + "conv_in.weight" in shapes:
        return _found("controlnet", _from_diffusers(shapes), shapes)
    keys = _adapter_keys(shapes)
    if "conv_in.weight" in keys or "body.0.in_conv.weight" in keys:
        return _found("t2i_adapter", keys, shapes)
    raise UnusableFileError(f"{name}: no control network of a known layout among its tensors")


def fill(
    module: nn.Module, source: TensorFile, keys: Mapping[str, str], device: torch.device, dtype: torch.dtype
) -> None:
    """Give every parameter of `module` (on the meta device) its tensor, one at a time.

    Raises:
        UnusableFileError: one is missing or has another shape.
        NotFiniteError: one holds NaN or infinity.
    """
    for name, parameter in list(module.named_parameters()):
        key = keys.get(name)
        if key is None:
            raise UnusableFileError(f"{source.path.name}: tensor {name} is missing; the file is incomplete")
        tensor = source.read_as(key, dtype)
        if tensor.shape != parameter.shape:
            if tensor.squeeze().shape != parameter.squeeze().shape:
                wanted = tuple(parameter.shape)
                raise UnusableFileError(f"{source.path.name}: {key} has the shape {tuple(tensor.shape)}, not {wanted}")
            tensor = tensor.reshape(parameter.shape)
        check_finite(key, tensor)
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, nn.Parameter(tensor.to(device), requires_grad=False))
    module.eval()


def _found(kind: Kind, keys: Mapping[str, str], shapes: Shapes) -> Found:
    return Found(kind, keys, {name: shapes[key] for name, key in keys.items()})


def _from_diffusers(shapes: Shapes) -> dict[str, str]:
    """LDM's names for a control network in diffusers' naming."""
    levels = _count(shapes, "down_blocks.{}.resnets.0.conv1.weight")
    blocks = [_count(shapes, f"down_blocks.{level}.resnets.{{}}.conv1.weight") for level in range(levels)]
    layout = unet_layout(blocks, [True] * levels)
    inner = _count(shapes, _DIFFUSERS_HINT + "blocks.{}.weight")
    keys: dict[str, str] = {}
    for key in shapes:
        if key.startswith(UNION_PARTS):
            keys[UNION_AT + key] = key
        elif key.startswith(_DIFFUSERS_HINT):
            part, _, leaf = key.removeprefix(_DIFFUSERS_HINT).rpartition(".")
            place = 0 if part == "conv_in" else inner + 1 if part == "conv_out" else int(part.split(".")[1]) + 1
            keys[f"input_hint_block.{place * 2}.{leaf}"] = key
        elif key.startswith("controlnet_down_blocks."):
            _, number, leaf = key.split(".")
            keys[f"zero_convs.{number}.0.{leaf}"] = key
        elif key.startswith("controlnet_mid_block."):
            keys[f"middle_block_out.0.{key.rpartition('.')[2]}"] = key
        else:
            ldm = layout.to_ldm(key.replace("add_embedding.", "class_embedding."))
            if ldm is not None:
                keys[ldm] = key
    return keys


def _adapter_keys(shapes: Shapes) -> dict[str, str]:
    """T2I-Adapter under the names of its original code: `body` is one flat list of residual blocks."""
    if "adapter.body.0.resnets.0.block1.weight" not in shapes:
        return {key.removeprefix("adapter."): key for key in shapes}
    each = _count(shapes, "adapter.body.0.resnets.{}.block1.weight")
    keys: dict[str, str] = {}
    for key in shapes:
        name = key.removeprefix("adapter.")
        parts = name.split(".")
        if parts[0] == "body" and "adapter.conv_in.weight" in shapes:
            level, layer = int(parts[1]), parts[2:]
            if layer[0] == "resnets":
                name = ".".join(["body", str(level * each + int(layer[1])), *layer[2:]])
            else:
                name = ".".join(["body", str(level * each), *layer])
        keys[name.replace(".resnets.", ".body.")] = key
    return keys


def _count(shapes: Shapes, pattern: str) -> int:
    number = 0
    while pattern.format(number) in shapes:
        number += 1
    return number
