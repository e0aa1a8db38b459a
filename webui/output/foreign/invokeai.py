"""InvokeAI: JSON in `invokeai_metadata` (from 3.0), in `sd-metadata` (1.x and 2.x), a command line in `Dream`."""

import re
import shlex
from typing import Any

from webui.output.foreign.entries import (
    Entries,
    Told,
    listed,
    lora_tag,
    number_of,
    part,
    size_of,
    stem_of,
    text_of,
    whole_of,
    with_tags,
)  # fmt: skip
from webui.output.foreign.sampler_names import sampler_label

NAME = "InvokeAI"
_READ = frozenset(
    {"positive_prompt", "negative_prompt", "seed", "steps", "cfg_scale", "width", "height", "scheduler", "model",
     "loras", "vae", "clip_skip", "cfg_rescale_multiplier", "rand_device", "strength", "seamless_x", "seamless_y",
     "generation_mode", "app_version", "positive_style_prompt", "negative_style_prompt"}
)  # fmt: skip
_NEGATIVE = re.compile(r"\[([^\[\]]*)\]")
_FLAGS = ("-s", "-S", "-W", "-H", "-C", "-A", "-f")
_MAX_LINE = 40_000


def read(entries: Entries) -> Told | None:
    """What a picture of InvokeAI tells."""
    for found in entries.objects("invokeai_metadata"):
        return _of_metadata(found)
    for found in entries.objects("sd-metadata"):
        return _of_old_metadata(found)
    line = entries.texts.get("Dream", "")
    return _of_command(line) if line else None


def _of_metadata(found: dict[str, Any]) -> Told:
    sampler, schedule = _sampler(found.get("scheduler"))
    tags = [_lora(one) for one in listed(found.get("loras"))]
    skip = whole_of(found.get("clip_skip"))
    is_img2img = "img2img" in text_of(found.get("generation_mode"))
    tiles = bool(found.get("seamless_x") and found.get("seamless_y"))
    return Told(
        NAME,
        with_tags(text_of(found.get("positive_prompt")), tags),
        text_of(found.get("negative_prompt")),
        {
            "Steps": whole_of(found.get("steps")),
            "Sampler": sampler,
            "Schedule type": schedule,
            "CFG scale": number_of(found.get("cfg_scale")),
            "Seed": whole_of(found.get("seed")),
            "Size": size_of(found.get("width"), found.get("height")),
            "Model": _model(found.get("model")),
            "VAE": _model(found.get("vae")),
            "Denoising strength": number_of(found.get("strength")) if is_img2img else None,
            "Clip skip": skip + 1 if skip else None,  # counted from 0 there
            "RNG": "CPU" if found.get("rand_device", "cpu") == "cpu" else "GPU",
            "Tiling": "True" if tiles else None,
            "CFG rescale": number_of(found.get("cfg_rescale_multiplier")) or None,
        },
        tuple(
            str(name)[:40] for name in list(found)[:60] if name not in _READ and found[name] not in (None, [], False)
        ),
    )


def _of_old_metadata(found: dict[str, Any]) -> Told:
    image = part(found, "image")
    prompts = image.get("prompt")
    texts = [text_of(one.get("prompt")) for one in listed(prompts) if isinstance(one, dict)] or [text_of(prompts)]
    prompt, negative = _split(" ".join(texts))
    sampler, schedule = _sampler(image.get("sampler"))
    return Told(
        NAME,
        prompt,
        negative,
        {
            "Steps": whole_of(image.get("steps")),
            "Sampler": sampler,
            "Schedule type": schedule,
            "CFG scale": number_of(image.get("cfg_scale")),
            "Seed": whole_of(image.get("seed")),
            "Size": size_of(image.get("width"), image.get("height")),
            "Model": stem_of(found.get("model_weights")),
            "Denoising strength": number_of(image.get("strength")) if image.get("type") == "img2img" else None,
        },
        tuple(name for name in ("variations", "postprocessing", "facetool", "upscale", "mask") if image.get(name)),
    )


def _of_command(line: str) -> Told | None:
    """`"a red fox [blurry]" -s 22 -S 1234 -W 832 -H 1216 -C 6.5 -A k_euler_a`."""
    if len(line) > _MAX_LINE:
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    prompt: list[str] = []
    said: dict[str, str] = {}
    left_out: list[str] = []
    for word in words:
        flag = next((flag for flag in _FLAGS if word.startswith(flag)), "")
        last = next(reversed(said), "")
        if last and not said[last]:
            said[last] = word
        elif flag:
            said[flag] = word.removeprefix(flag)
        elif word.startswith("-") or said:
            left_out.append(word[:40])
        else:
            prompt.append(word)
    text, negative = _split(" ".join(prompt))
    sampler, schedule = _sampler(said.get("-A"))
    values = {
        "Steps": whole_of(said.get("-s")),
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": number_of(said.get("-C")),
        "Seed": whole_of(said.get("-S")),
        "Size": size_of(said.get("-W"), said.get("-H")),
        "Denoising strength": number_of(said.get("-f")),
    }
    return Told(NAME, text, negative, values, tuple(left_out[:20]))


def _split(prompt: str) -> tuple[str, str]:
    """The prompt, and what stands in square brackets in it, which is the negative one there."""
    return " ".join(_NEGATIVE.sub("", prompt).split()), ", ".join(
        filter(None, map(str.strip, _NEGATIVE.findall(prompt)))
    )


def _sampler(name: Any) -> tuple[str, str]:
    """Without `_k` their solvers run on levels that are spread evenly over the timesteps."""
    sampler, schedule = sampler_label(text_of(name))
    return sampler, schedule or ("Uniform" if sampler else "")


def _model(value: Any) -> str:
    """The name of a model, which is an object there."""
    if isinstance(value, dict):
        value = value.get("name") or value.get("model_name") or part(value, "model").get("name")
    return stem_of(value)


def _lora(value: Any) -> str:
    one = value if isinstance(value, dict) else {}
    return lora_tag(_model(one.get("model") or one.get("lora")), one.get("weight", 0.75))
