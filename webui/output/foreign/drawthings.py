"""Draw Things: JSON as the UserComment of EXIF or of XMP (`exif:UserComment`), with the prompts under `c` and `uc`."""

import html
import re

from webui.output.foreign.entries import (
    Entries,
    Told,
    as_object,
    listed,
    lora_tag,
    number_of,
    size_in,
    stem_of,
    text_of,
    whole_of,
    with_tags,
)  # fmt: skip
from webui.output.foreign.sampler_names import sampler_label

NAME = "Draw Things"
XMP = "XML:com.adobe.xmp"
_TAG = re.compile(r"<[^<>]*>")
_READ = frozenset({"c", "uc", "model", "sampler", "seed", "scale", "size", "steps", "strength", "lora", "v2", "profile",
                   "seed_mode", "clip_skip"})  # fmt: skip


def read(entries: Entries) -> Told | None:
    """What a picture of Draw Things tells."""
    for found in [*entries.objects(""), as_object(_comment_of_xmp(entries.texts.get(XMP, "")))]:
        if found is None or not ("c" in found and "steps" in found and "sampler" in found):
            continue
        sampler, schedule = sampler_label(text_of(found.get("sampler")))
        strength = number_of(found.get("strength"))
        loras = [one for one in listed(found.get("lora")) if isinstance(one, dict)]
        skip = whole_of(found.get("clip_skip"))
        return Told(
            NAME,
            with_tags(text_of(found.get("c")), [lora_tag(one.get("model"), one.get("weight", 1)) for one in loras]),
            text_of(found.get("uc")),
            {
                "Steps": whole_of(found.get("steps")),
                "Sampler": sampler,
                "Schedule type": schedule,
                "CFG scale": number_of(found.get("scale")),
                "Seed": whole_of(found.get("seed")),
                "Size": size_in(found.get("size")),
                "Model": stem_of(found.get("model")),
                "Denoising strength": strength if strength is not None and strength < 1 else None,
                "Clip skip": skip if skip and skip > 1 else None,
            },
            tuple(
                str(name)[:40]
                for name in list(found)[:60]
                if name not in _READ and found[name] not in (None, [], 0, "")
            ),
        )
    return None


def _comment_of_xmp(xmp: str) -> str:
    """The text of `exif:UserComment`, as an element with alternatives or as an attribute. No entity is looked up."""
    start, end = xmp.find("<exif:UserComment"), xmp.find("</exif:UserComment>")
    if 0 <= start < end:
        return html.unescape(_TAG.sub("", xmp[start:end])).strip()
    _, found, rest = xmp.partition('exif:UserComment="')
    return html.unescape(rest.partition('"')[0]) if found else ""
