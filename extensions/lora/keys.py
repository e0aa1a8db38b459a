"""Names inside network files: which part of which layer a tensor is. Texts only; no tensors, no models.

Read are the names of kohya (`lora_unet_down_blocks_...lora_up.weight`), of LyCORIS, of diffusers
(`unet.down_blocks....to_q.lora.up.weight`, `...processor.to_q_lora.up.weight`), of peft (`...to_q.lora_A.weight`), of
ComfyUI (`diffusion_model.`, `text_encoders.clip_l.transformer.`) and of OneTrainer (`clip_l.`). They differ in how they
begin and in whether `.` or `_` stands between words, so both are read alike.
"""

import re
from types import MappingProxyType
from typing import Literal, NamedTuple

Component = Literal["unet", "te1", "te2"]
"""Where a layer stands: in the UNet, in the first or only text encoder, or in SDXL's second (CLIP-G)."""


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
_JOINTS = r"(?:\.lora_linear_layer\.|\.lora_|\.lora\.|_lora\.)"
_PART = re.compile(
    r"(?P<module>.+?)(?:"
    rf"{_JOINTS}(?P<side>up|down|mid|A|B)(?:(?:\.\w+)??\.weight)?"
    r"|\.(?P<magnitude>lora_magnitude_vector|magnitude)(?:\.\w+)??(?:\.weight)?"
    r"|\.(?P<glora>a1|a2|b1|b2|bm)\.weight"
    rf"|{_JOINTS}(?P<alpha>alpha)"
    r"|\.(?P<part>alpha|scale|scalar|dora_scale|bias|weight|on_input|diff|diff_b|w_norm|b_norm|rescale"
    r"|oft_blocks|oft_diag|hada_w[12]_[ab]|hada_t[12]|lokr_w[12](?:_[ab])?|lokr_t2)"
    r")"
)
_WRAPPER = "base_model_model_"  # of peft; it may also stand behind the component
_PREFIXES: tuple[tuple[str, Component], ...] = (  # a longer one before what it begins with
    ("lora_unet_", "unet"),
    ("lycoris_unet_", "unet"),
    ("lora_te1_", "te1"),
    ("lora_te2_", "te2"),
    ("lora_te_", "te1"),
    ("lycoris_te1_", "te1"),
    ("lycoris_te2_", "te2"),
    ("lycoris_te_", "te1"),
    ("lora_clip_l_", "te1"),
    ("lora_clip_g_", "te2"),
    ("lora_text_encoder_1_", "te1"),
    ("lora_text_encoder_2_", "te2"),
    ("lora_text_encoder_", "te1"),
    ("lycoris_text_encoder_2_", "te2"),
    ("lycoris_text_encoder_", "te1"),
    ("text_encoders_clip_l_", "te1"),
    ("text_encoders_clip_g_", "te2"),
    ("text_encoders_clip_h_", "te1"),
    ("text_encoder_1_", "te1"),
    ("text_encoder_2_", "te2"),
    ("text_encoder_", "te1"),
    ("clip_l_", "te1"),
    ("clip_g_", "te2"),
    ("clip_h_", "te1"),
    ("te1_", "te1"),
    ("te2_", "te2"),
    ("te_", "te1"),
    ("conditioner_embedders_0_", "te1"),
    ("conditioner_embedders_1_", "te2"),
    ("cond_stage_model_", "te1"),
    ("unet_", "unet"),
    ("model_diffusion_model_", "unet"),
    ("diffusion_model_", "unet"),
    ("lycoris_", "unet"),
)
_TOWERS = ("text_model_", "transformer_text_model_", "transformer_resblocks_")  # a text encoder without a component
_AROUND = re.compile(r"^(?:base_model_model_|(?:transformer|model)_(?=text_model_|transformer_|encoder_layers_))+")
_TEXT_NAMES = (
    (re.compile(r"^(?=encoder_layers_|embeddings_|final_layer_norm)"), "text_model_"),
    (re.compile(r"^(?=resblocks_)"), "transformer_"),
    (re.compile(r"_to_([qkv])$"), r"_\1_proj"),
    (re.compile(r"_to_out(?:_0)?$"), "_out_proj"),
)


def read_key(key: str) -> PartKey | BundledKey | None:
    """What a tensor of a network file is; None where the name has no known form."""
    if key.startswith(BUNDLE):
        name, _, part = key.removeprefix(BUNDLE).partition(".")
        return BundledKey(name, part) if name and part else None
    found = _PART.fullmatch(key)
    if found is None:
        return None
    side = found["side"]
    part = _SIDES.get(side, "") if side else "magnitude" if found["magnitude"] else ""
    return PartKey(_place(found["module"]), part or found["glora"] or found["alpha"] or found["part"])


def component_of(prefix: str) -> Component | None:
    """The component that a header means by `unet`, `text_encoder` or `text_encoder_2`; None where it means none."""
    return dict(_PREFIXES).get(f"{prefix.replace('.', '_')}_")


def _place(module: str) -> Place:
    """The layer that a file's module name means; names without a known beginning are taken as the UNet's."""
    name = module.replace(".", "_").removeprefix(_WRAPPER)
    for prefix, component in _PREFIXES:
        if name.startswith(prefix):
            return Place(component, _plain(name.removeprefix(prefix), component))
    if name.startswith(_TOWERS):
        return Place("te1", _plain(name, "te1"))
    return Place("unet", _plain(name, "unet"))


def _plain(name: str, component: Component) -> str:
    name = name.removeprefix(_WRAPPER).replace("_processor_", "_")
    if component == "unet":
        return f"{name}_0" if name.endswith("_to_out") else name
    name = _AROUND.sub("", name)
    for pattern, other in _TEXT_NAMES:
        name = pattern.sub(other, name)
    return name
