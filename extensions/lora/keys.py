"""Names inside network files: which part of which layer a tensor is. Texts only; no tensors, no models.

Read are the names of kohya (`lora_unet_down_blocks_...lora_up.weight`), of LyCORIS, of diffusers
(`unet.down_blocks....to_q.lora.up.weight`, `...processor.to_q_lora.up.weight`) and of peft (`...to_q.lora_A.weight`).
"""

import re
from types import MappingProxyType
from typing import Literal, NamedTuple

Component = Literal["unet", "te", "te1", "te2", "first"]
"""Where a layer stands: in the UNet, in the only text encoder, in SDXL's first (CLIP-L) or second (CLIP-G); diffusers
calls the only one and the first of two alike."""


class Place(NamedTuple):
    """A layer as files name it: its component, and its path in it with `_` for `.`."""

    component: Component
    name: str


class PartKey(NamedTuple):
    """One tensor of a network file: the layer it belongs to, and which part of the adapter it is."""

    place: Place
    part: str


class BundledKey(NamedTuple):
    """One tensor of a textual inversion that lies inside a network file: `bundle_emb.<name>.<part>`."""

    name: str
    part: str


BUNDLE = "bundle_emb."
_SIDES = MappingProxyType({"up": "up", "down": "down", "mid": "mid", "A": "down", "B": "up"})
_PART = re.compile(
    r"(?P<module>.+?)(?:"
    r"(?:\.lora_|\.lora\.|_lora\.|\.lora_linear_layer\.)(?P<side>up|down|mid|A|B)(?:\.\w+)?\.weight"
    r"|\.(?P<magnitude>lora_magnitude_vector)(?:\.\w+)?(?:\.weight)?"
    r"|\.(?P<glora>a1|a2|b1|b2)\.weight"
    r"|\.(?P<part>alpha|scale|dora_scale|bias|weight|on_input|diff|diff_b|w_norm|b_norm|rescale|oft_blocks|oft_diag"
    r"|hada_w[12]_[ab]|hada_t[12]|lokr_w[12](?:_[ab])?|lokr_t2)"
    r")"
)
_PREFIXES: tuple[tuple[str, Component], ...] = (  # a longer one before what it begins with
    ("lora_unet_", "unet"),
    ("lycoris_unet_", "unet"),
    ("lora_te1_", "te1"),
    ("lora_te2_", "te2"),
    ("lora_te_", "te"),
    ("text_encoder_2.", "te2"),
    ("text_encoder.", "first"),
    ("unet.", "unet"),
    ("model.diffusion_model.", "unet"),
    ("diffusion_model.", "unet"),
    ("lycoris_", "unet"),
)
_PEFT = "base_model.model."
_TEXT_NAMES = ((re.compile(r"_to_([qkv])$"), r"_\1_proj"), (re.compile(r"_to_out(?:_0)?$"), "_out_proj"))


def read_key(key: str) -> PartKey | BundledKey | None:
    """What a tensor of a network file is; None where the name has no known form."""
    if key.startswith(BUNDLE):
        name, _, part = key.removeprefix(BUNDLE).partition(".")
        return BundledKey(name, part) if name and part else None
    found = _PART.fullmatch(key)
    if found is None:
        return None
    side = found["side"]
    part = _SIDES.get(side, "") if side else "magnitude" if found["magnitude"] else found["glora"] or found["part"]
    return PartKey(_place(found["module"]), part)


def _place(module: str) -> Place:
    """The layer that a file's module name means; names without a known beginning are taken as the UNet's."""
    module = module.removeprefix(_PEFT)
    for prefix, component in _PREFIXES:
        if module.startswith(prefix):
            return Place(component, _plain(module.removeprefix(prefix).removeprefix(_PEFT), component))
    return Place("unet", _plain(module, "unet"))


def _plain(name: str, component: Component) -> str:
    name = name.replace(".", "_").replace("_processor_", "_")
    if component == "unet":
        return f"{name}_0" if name.endswith("_to_out") else name
    for pattern, other in _TEXT_NAMES:
        name = pattern.sub(other, name)
    return name
