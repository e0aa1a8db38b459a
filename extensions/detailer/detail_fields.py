"""The keys of ADetailer in infotexts, written and read, and its names in A1111's API."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from webui.extension_api import Dialect, Word

from .options import (
    MAX_PASSES,
    NONE,
    SAME_CHECKPOINT,
    SAME_VAE,
    DetailPass,
)

VERSION = "25.3.0"  # of ADetailer, whose options and keys these are
PREFIX = "ADetailer"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a pass.

    Attributes:
        option: of the pass.
        name: the key, without prefix and suffix.
        absent: the value with which it is left out; none where it is always written.
        switch: an option without which it is left out.
        none: a word of ADetailer that stands for no value; it is not written.
    """

    option: str
    name: str
    codec: Literal["text", "integer", "number", "boolean"]
    absent: tuple[Any, ...] = ()
    switch: str = ""
    none: str = ""


KEYS = (
    Key("model", "model", "text"),
    Key("model_classes", "model classes", "text", ("",)),
    Key("prompt", "prompt", "text", ("",)),
    Key("negative_prompt", "negative prompt", "text", ("",)),
    Key("confidence", "confidence", "number"),
    Key("mask_filter_method", "method to decide top k masks", "text", (), "mask_k"),
    Key("mask_k", "mask only top k", "integer", (0,)),
    Key("mask_min_ratio", "mask min ratio", "number", (0,)),
    Key("mask_max_ratio", "mask max ratio", "number", (1,)),
    Key("x_offset", "x offset", "integer", (0,)),
    Key("y_offset", "y offset", "integer", (0,)),
    Key("dilate_erode", "dilate erode", "integer"),
    Key("mask_merge_invert", "mask merge invert", "text", (NONE,)),
    Key("mask_blur", "mask blur", "integer"),
    Key("denoising_strength", "denoising strength", "number"),
    Key("inpaint_only_masked", "inpaint only masked", "boolean", (False,)),
    Key("inpaint_only_masked_padding", "inpaint padding", "integer", (), "inpaint_only_masked"),
    Key("use_inpaint_width_height", "use inpaint width height", "boolean", (False,)),
    Key("inpaint_width", "inpaint width", "integer", (), "use_inpaint_width_height"),
    Key("inpaint_height", "inpaint height", "integer", (), "use_inpaint_width_height"),
    Key("use_steps", "use separate steps", "boolean", (False,)),
    Key("steps", "steps", "integer", (), "use_steps"),
    Key("use_cfg_scale", "use separate CFG scale", "boolean", (False,)),
    Key("cfg_scale", "CFG scale", "number", (), "use_cfg_scale"),
    Key("use_checkpoint", "use separate checkpoint", "boolean", (False,)),
    Key("checkpoint", "checkpoint", "text", (), "use_checkpoint", SAME_CHECKPOINT),
    Key("use_vae", "use separate VAE", "boolean", (False,)),
    Key("vae", "VAE", "text", (), "use_vae", SAME_VAE),
    Key("use_sampler", "use separate sampler", "boolean", (False,)),
    Key("sampler", "sampler", "text", (), "use_sampler"),
    Key("scheduler", "scheduler", "text", (), "use_sampler"),
    Key("use_noise_multiplier", "use separate noise multiplier", "boolean", (False,)),
    Key("noise_multiplier", "noise multiplier", "number", (), "use_noise_multiplier"),
    Key("use_clip_skip", "use separate CLIP skip", "boolean", (False,)),
    Key("clip_skip", "CLIP skip", "integer", (), "use_clip_skip"),
    Key("restore_face", "restore face", "boolean", (False,)),
    Key("controlnet_model", "ControlNet model", "text", (NONE,)),
    Key("controlnet_module", "ControlNet module", "text", (NONE,), "controlnet_model"),
    Key("controlnet_weight", "ControlNet weight", "number", (1,), "controlnet_model"),
    Key("controlnet_guidance_start", "ControlNet guidance start", "number", (0,), "controlnet_model"),
    Key("controlnet_guidance_end", "ControlNet guidance end", "number", (1,), "controlnet_model"),
)


def suffix(number: int) -> str:
    """What stands behind the keys of the pass of that number, from 0."""
    return "" if number == 0 else f" {number + 1}{ {1: 'nd', 2: 'rd'}.get(number, 'th') }"


def fields_of(passes: Sequence[DetailPass]) -> dict[str, str]:
    """The infotext's fields of the passes that a picture went through."""
    told = {
        f"{PREFIX} {key.name}{suffix(number)}": _text(key, getattr(one, key.option))
        for number, one in enumerate(passes)
        for key in _told(one)
    }
    return told | ({f"{PREFIX} version": VERSION} if told else {})


def dialect_of_passes() -> Dialect:
    """Keys of infotexts, settings of A1111's API, and the name of the script."""
    return Dialect(
        generation=(
            Word(name="ad_bbox_sortby", setting=True, option="sort_by", default="None"),
            Word(name="ad_same_seed_for_each_tab", setting=True, option="same_seed", default=False),
            Word(name="ad_same_seed_for_each_tap", setting=True, option="same_seed"),
            Word(name="ad_dynamic_denoise_power", setting=True, option="dynamic_denoise_power", default=0),
            Word(name="ad_match_inpaint_bbox_size", setting=True, option="match_size", default="Off"),
        ),
        infotext=tuple(
            Word(
                name=f"{PREFIX} {key.name}{suffix(number)}",
                asks=key.option == "model",
                option=f"units.{number}.{key.option}",
                codec=key.codec,
                none=key.none,
            )
            for number in range(MAX_PASSES)
            for key in KEYS
        ),
        script_names=(PREFIX,),
        script_args=("enabled", "skip_img2img"),
    )


def _told(one: DetailPass) -> Iterable[Key]:
    for key in KEYS:
        value = getattr(one, key.option)
        on = getattr(one, key.switch) if key.switch else True
        if on and on != NONE and value not in key.absent and (value not in ("", key.none) or not key.none):
            yield key


def _text(key: Key, value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
