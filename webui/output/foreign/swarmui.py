"""SwarmUI: JSON with `sui_image_params` in the entry `parameters`, or in EXIF's UserComment."""

from typing import Any

from webui.output.foreign.entries import (
    Entries,
    Told,
    lora_tag,
    number_of,
    part,
    size_of,
    stem_of,
    text_of,
    whole_of,
    with_tags,
)  # fmt: skip
from webui.output.foreign.sampler_names import sampler_label, schedule_label

NAME = "SwarmUI"
_READ = frozenset(
    {"prompt", "negativeprompt", "model", "seed", "steps", "cfgscale", "width", "height", "sampler", "scheduler", "vae",
     "clipstopatlayer", "variationseed", "variationseedstrength", "loras", "loraweights", "seamlesstileable",
     "aspectratio", "images", "swarm_version", "automaticvae", "sidelength", "date", "generation_time"}
)  # fmt: skip


def read(entries: Entries) -> Told | None:
    """What a picture of SwarmUI tells."""
    found = next((one for one in entries.objects("parameters", "") if "sui_image_params" in one), None)
    if found is None:
        return None
    said = part(found, "sui_image_params")
    sampler, schedule = sampler_label(text_of(said.get("sampler")))
    skip = whole_of(said.get("clipstopatlayer"))
    varied = number_of(said.get("variationseedstrength"))
    names, weights = _list(said.get("loras")), _list(said.get("loraweights"))
    tags = [lora_tag(name, weights[at] if at < len(weights) else 1) for at, name in enumerate(names)]
    return Told(
        NAME,
        with_tags(text_of(said.get("prompt")), tags),
        text_of(said.get("negativeprompt")),
        {
            "Steps": whole_of(said.get("steps")),
            "Sampler": sampler,
            "Schedule type": schedule_label(text_of(said.get("scheduler"))) or schedule,
            "CFG scale": number_of(said.get("cfgscale")),
            "Seed": whole_of(said.get("seed")),
            "Size": size_of(said.get("width"), said.get("height")),
            "Model": stem_of(said.get("model")),
            "VAE": text_of(said.get("vae")) if said.get("vae") not in ("None", "Automatic") else None,
            "Variation seed": whole_of(said.get("variationseed")) if varied else None,
            "Variation seed strength": varied or None,
            "Clip skip": -skip if skip is not None and skip < -1 else None,
            "RNG": "CPU",
            "Tiling": "True" if said.get("seamlesstileable") in (True, "true") else None,
        },
        tuple(str(name)[:40] for name in list(said)[:60] if name not in _READ),
    )


def _list(value: Any) -> list[Any]:
    """A list as JSON has it, or as one text with commas."""
    return value[:50] if isinstance(value, list) else value.split(",")[:50] if isinstance(value, str) else []
