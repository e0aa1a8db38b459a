"""Fooocus: JSON, or an infotext with keys of its own, in `parameters` or UserComment; `fooocus_scheme` says which."""

import ast
import re
from collections.abc import Mapping
from typing import Any

from webui.output.foreign.entries import (
    Entries,
    Told,
    listed,
    lora_tag,
    number_of,
    size_in,
    stem_of,
    text_of,
    whole_of,
    with_tags,
)  # fmt: skip
from webui.output.foreign.sampler_names import sampler_label, schedule_label
from webui.output.parse import parse

NAME = "Fooocus"
_LEFT_OUT = ("styles", "performance", "sharpness", "adm_guidance", "adaptive_cfg", "refiner_swap_method", "freeu",
             "prompt_expansion", "inpaint_mode", "overwrite_switch", "Styles", "Performance", "Sharpness",
             "ADM Guidance", "Adaptive CFG", "Refiner Swap Method", "FreeU", "Inpaint mode")  # fmt: skip
_NONE = ("", "None", "False", "[]", "Default (model)")


def read(entries: Entries) -> Told | None:
    """What a picture of Fooocus tells."""
    for found in entries.objects("parameters", ""):
        if found.get("metadata_scheme") == "fooocus" or entries.texts.get("fooocus_scheme") == "fooocus":
            return _of_json(found)
    text = entries.texts.get("parameters", "") or entries.comment
    fields = parse(text) if "Fooocus" in text or "fooocus_scheme" in entries.texts else {}
    if "Steps" in fields and (fields.get("Version", "").startswith(NAME) or "fooocus_scheme" in entries.texts):
        return _of_infotext(text, fields)
    return None


def _of_json(found: dict[str, Any]) -> Told:
    sampler, schedule = sampler_label(text_of(found.get("sampler")))
    tags = [
        lora_tag(one[0], one[1])
        for one in listed(_python(found.get("loras")))
        if isinstance(one, list | tuple) and len(one) > 1
    ]
    for name in sorted(name for name in found if re.fullmatch(r"lora_combined_\d{1,2}", name)):
        stem, _, weight = text_of(found[name]).rpartition(" : ")
        tags.append(lora_tag(stem, weight))
    vae, refiner = text_of(found.get("vae")), stem_of(found.get("refiner_model"))
    has_refiner = refiner not in _NONE
    skip = whole_of(found.get("clip_skip"))
    return Told(
        NAME,
        with_tags(text_of(found.get("prompt")), tags),
        text_of(found.get("negative_prompt")),
        {
            "Steps": whole_of(found.get("steps")),
            "Sampler": sampler,
            "Schedule type": schedule_label(text_of(found.get("scheduler"))) or schedule,
            "CFG scale": number_of(found.get("guidance_scale")),
            "Seed": whole_of(found.get("seed")),
            "Size": size_in(found.get("resolution")),
            "Model hash": text_of(found.get("base_model_hash")),
            "Model": stem_of(found.get("base_model")),
            "VAE": vae if vae not in _NONE else None,
            "Clip skip": skip if skip and skip > 1 else None,
            "RNG": "CPU",
            "Refiner": refiner if has_refiner else None,
            "Refiner switch at": number_of(found.get("refiner_switch")) if has_refiner else None,
        },
        _rest(found),
    )


def _of_infotext(text: str, fields: dict[str, str]) -> Told:
    """The scheme `a1111`: prompts with their styles, the schedule under a key of its own, LoRAs by hash and weight."""
    values = {key: value for key, value in fields.items() if key not in ("Prompt", "Negative prompt", "Scheduler")}
    sampler, schedule = sampler_label(values.get("Sampler", ""))
    values |= {"Sampler": sampler, "Schedule type": schedule_label(fields.get("Scheduler", "")) or schedule}
    tags = [lora_tag(*one.rpartition(": ")[::2]) for one in values.pop("Lora weights", "").split(", ") if ": " in one]
    if values.get("Refiner") in _NONE:
        values.pop("Refiner", None)
    if values.get("VAE") in _NONE:
        values.pop("VAE", None)
    known = {key: value for key, value in values.items() if key not in _LEFT_OUT}
    prompt = with_tags(fields["Prompt"], tags)
    return Told(NAME, prompt, fields["Negative prompt"], {"RNG": "CPU", **known}, _rest(fields), text=text)


def _rest(found: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in _LEFT_OUT if str(found.get(name, ""))[:20] not in _NONE)


def _python(value: Any) -> Any:
    """A list that is written as Python prints it."""
    if not isinstance(value, str) or len(value) > 10_000:
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
