"""The layers of a loaded model under the names that network files use. Changes nothing.

A layer of the UNet goes by its LDM name and by its diffusers name (`input_blocks_1_1_proj_in` and
`down_blocks_0_attentions_0_proj_in`), so sizes of any kind need no rules. A layer of a text encoder goes by its name in
transformers and by that in open_clip.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from torch import nn

from webui.extension_api.tensors import LoadedModel

from .keys import Component, Place

Layers = Mapping[Place, nn.Module]
CHANGEABLE = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
_CLASS, _ADDED = "class_embedding_", "add_embedding_"  # diffusers calls SDXL's vector embedding by the second
_OPEN_CLIP = (
    ("encoder_layers_", "resblocks_"),
    ("mlp_fc1", "mlp_c_fc"),
    ("mlp_fc2", "mlp_c_proj"),
    ("self_attn", "attn"),
)


def layers_of(model: LoadedModel) -> Layers:
    """Every layer that a network can change, by each of its names."""
    return MappingProxyType({**dict(_unet(model)), **dict(_text(model))})


def _unet(model: LoadedModel) -> Iterator[tuple[Place, nn.Module]]:
    layout = model.unet.shape.layout
    for name, module in model.unet.module.named_modules():
        if isinstance(module, CHANGEABLE):
            plain = name.replace(".", "_")
            yield Place("unet", plain), module
            if plain.startswith(_CLASS):
                yield Place("unet", _ADDED + plain.removeprefix(_CLASS)), module
            ldm = layout.to_ldm(name)
            if ldm is not None:
                yield Place("unet", ldm.replace(".", "_")), module


def _text(model: LoadedModel) -> Iterator[tuple[Place, nn.Module]]:
    encoders = model.text.encoders
    if not model.text.side.trained_networks:
        return  # A1111 finds no layers of such an encoder either
    components: tuple[Component, ...] = ("te1", "te2")
    for encoder, component in zip(encoders, components, strict=False):
        tower = getattr(encoder, "module", None)
        if not isinstance(tower, nn.Module):
            continue
        for name, module in tower.named_modules():
            if isinstance(module, CHANGEABLE):
                plain = name.replace(".", "_").removeprefix("text_model_")
                yield Place(component, f"text_model_{plain}"), module
                yield Place(component, f"transformer_{_in_open_clip(plain)}"), module


def block_names(model: LoadedModel) -> Mapping[int, str]:
    """A1111's name of each layer by the layer's `id`, by which blocks and elements are told: LDM's in the UNet."""
    layout = model.unet.shape.layout
    names = {}
    for name, module in model.unet.module.named_modules():
        if isinstance(module, CHANGEABLE):
            names[id(module)] = f"diffusion_model_{(layout.to_ldm(name) or name).replace('.', '_')}"
    for place, module in _text(model):
        names.setdefault(id(module), f"transformer_{place.name}")
    return MappingProxyType(names)


def _in_open_clip(name: str) -> str:
    for ours, theirs in _OPEN_CLIP:
        name = name.replace(ours, theirs)
    return name
