"""Hires fix in A1111's terms: the fields of a txt2img body, and what an infotext says for them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.options import HIRES_REFINER_PASS
from webui.domain.catalog import split_combined
from webui.domain.request import GenerationRequest, Txt2Img
from webui.output.hires import SAME

HIRES_PATH = "task.hires."
STRENGTH = 0.7  # A1111's page; its API has none and fails
EXTRA_NOISE = "img2img_extra_noise"  # A1111 adds it in every pass that starts from a picture

_FIELDS: Mapping[str, str] = MappingProxyType(  # field of the body, field of `task.hires`
    {
        "hr_scale": "scale",
        "hr_second_pass_steps": "steps",
        "hr_resize_x": "resize_width",
        "hr_resize_y": "resize_height",
        "hr_prompt": "prompt",
        "hr_negative_prompt": "negative_prompt",
        "hr_cfg": "cfg_scale",
        "hr_upscaler": "upscaler",
        "hr_checkpoint_name": "checkpoint",
        "hr_scheduler": "scheduler",
        "denoising_strength": "denoising_strength",
    }
)
_FROM_TEXT: Mapping[str, str] = MappingProxyType(  # key of an infotext, field of the body
    {
        "Denoising strength": "denoising_strength",
        "Hires checkpoint": "hr_checkpoint_name",
        "Hires sampler": "hr_sampler_name",
        "Hires schedule type": "hr_scheduler",
        "Hires prompt": "hr_prompt",
        "Hires negative prompt": "hr_negative_prompt",
        "Hires upscale": "hr_scale",
        "Hires resize-1": "hr_resize_x",
        "Hires resize-2": "hr_resize_y",
        "Hires steps": "hr_second_pass_steps",
        "Hires upscaler": "hr_upscaler",
        "Hires CFG Scale": "hr_cfg",
    }
)


def hires_values(body: Txt2ImgBody) -> dict[str, tuple[str, Any]]:
    """For each field of the body that counts: the path in a request and the value there.

    Fields that are null, or say "as in the first pass", are left out.
    """
    values: dict[str, tuple[str, Any]] = {"enable_hr": (f"{HIRES_PATH}enabled", True)}
    for name, field in _FIELDS.items():
        value = getattr(body, name)
        if value is not None and value not in SAME:
            values[name] = (HIRES_PATH + field, value)
    if body.denoising_strength is None:
        values["denoising_strength"] = (f"{HIRES_PATH}denoising_strength", STRENGTH)
    if body.hr_sampler_name and body.hr_sampler_name not in SAME:
        sampler, schedule = split_combined(body.hr_sampler_name)
        values["hr_sampler_name"] = (f"{HIRES_PATH}sampler", sampler)
        if sampler != body.hr_sampler_name and not body.hr_scheduler:
            values["hr_scheduler"] = (f"{HIRES_PATH}scheduler", schedule)
    overrides = body.override_settings or {}
    for key, field in ((HIRES_REFINER_PASS, "refiner_pass"), (EXTRA_NOISE, "extra_noise")):
        if overrides.get(key) is not None:
            values[f"override_settings.{key}"] = (HIRES_PATH + field, overrides[key])
    if body.firstphase_width > 0 and body.firstphase_height > 0:
        values |= {
            "firstphase_width": ("width", body.firstphase_width),
            "firstphase_height": ("height", body.firstphase_height),
            "hr_resize_x": (f"{HIRES_PATH}resize_width", body.width),
            "hr_resize_y": (f"{HIRES_PATH}resize_height", body.height),
        }
    if body.firstpass_image:
        values["firstpass_image"] = ("task.first_pass", body.firstpass_image)
    return values


def hires_body(request: GenerationRequest, fields: Mapping[str, str]) -> dict[str, Any]:
    """What an infotext with a second pass says of the body's fields: the keys that it has.

    Args:
        request: what the text was read as.
        fields: the text's own keys.
    """
    if not isinstance(request.task, Txt2Img) or not request.task.hires.enabled:
        return {}
    hires = dict(request.task.hires)
    names = {**_FIELDS, "hr_sampler_name": "sampler"}
    said = {name: hires[names[name]] for key, name in _FROM_TEXT.items() if key in fields}
    return {"enable_hr": True, **{name: value for name, value in said.items() if value not in (None, "")}}
