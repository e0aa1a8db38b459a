"""NovelAI: `Software: NovelAI`, and JSON in the entry `Comment` (all versions; in version 4 prompts are objects)."""

from typing import Any

from webui.output.foreign.entries import Entries, Told, listed, number_of, part, size_of, text_of, whole_of
from webui.output.foreign.sampler_names import sampler_label, schedule_label

NAME = "NovelAI"
_OPTIONS = ("sm", "sm_dyn", "dynamic_thresholding", "skip_cfg_above_sigma", "reference_information_extracted",
            "reference_information_extracted_multiple", "reference_strength", "reference_strength_multiple",
            "controlnet_model", "controlnet_strength", "lora_unet_weights", "lora_clip_weights", "noise")  # fmt: skip


def read(entries: Entries) -> Told | None:
    """What a picture of NovelAI tells."""
    comment = next(entries.objects("Comment"), None)
    if comment is None or (entries.texts.get("Software") != NAME and "signed_hash" not in comment):
        return None
    prompt, people = _texts(comment, "v4_prompt")
    negative, others = _texts(comment, "v4_negative_prompt")
    sampler, schedule = sampler_label(text_of(comment.get("sampler")))
    schedule = schedule_label(text_of(comment.get("noise_schedule"))) or schedule
    is_from_picture = comment.get("request_type") == "Img2ImgRequest"
    left_out = [name for name in _OPTIONS if comment.get(name)]
    if number_of(comment.get("uncond_scale")) not in (None, 0, 1):
        left_out.append("uncond_scale")
    left_out += ["the prompts of characters"] if people or others else []
    source = text_of(entries.texts.get("Source", ""))
    return Told(
        NAME,
        prompt or text_of(entries.texts.get("Description", "")) or text_of(comment.get("prompt")),
        negative or text_of(comment.get("uc")),
        {
            "Steps": whole_of(comment.get("steps")),
            "Sampler": sampler,
            "Schedule type": schedule,
            "CFG scale": number_of(comment.get("scale")),
            "Seed": whole_of(comment.get("seed")),
            "Size": size_of(comment.get("width"), comment.get("height")) or size_of(*entries.size),
            "Denoising strength": number_of(comment.get("strength")) if is_from_picture else None,
            "Clip skip": 2,
            "ENSD": 31337,
            "CFG rescale": number_of(comment.get("cfg_rescale")) or None,
        },
        (*left_out, *([f"the model {source[:60]}"] if source else [])),
    )


def _texts(comment: dict[str, Any], name: str) -> tuple[str, list[str]]:
    """The text of version 4 for the whole picture, and those for its characters."""
    caption = part(part(comment, name), "caption")
    characters = [
        text_of(one.get("char_caption")) for one in listed(caption.get("char_captions")) if isinstance(one, dict)
    ]
    return text_of(caption.get("base_caption")), [one for one in characters if one]
