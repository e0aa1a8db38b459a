"""Hires fix in A1111's terms: the fields of a txt2img body, and what an infotext says for them."""

from collections.abc import Mapping
from typing import Any

from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.domain.catalog import split_combined
from webui.domain.parameters.leaves import value_at
from webui.domain.parameters.second_pass import SAME
from webui.domain.parameters.table import ROWS, is_of_hires
from webui.domain.request import GenerationRequest, Txt2Img

HIRES_PATH = "task.hires."
STRENGTH = 0.7  # A1111's page; its API has none and fails

_ROWS = tuple(row for row in ROWS if is_of_hires(row) and row.path != f"{HIRES_PATH}enabled")


def hires_values(body: Txt2ImgBody) -> dict[str, tuple[str, Any]]:
    """For each field of the body that counts: the path in a request and the value there.

    Fields that are null, or say "as in the first pass", are left out.
    """
    values: dict[str, tuple[str, Any]] = {"enable_hr": (f"{HIRES_PATH}enabled", True)}
    overrides = body.override_settings or {}
    for row in _ROWS:
        value = getattr(body, row.body) if row.body else None
        if value is not None and value not in SAME:
            values[row.body] = (row.path, value)
        if overrides.get(row.option) is not None:
            values[f"override_settings.{row.option}"] = (row.path, overrides[row.option])
    if body.denoising_strength is None:
        values["denoising_strength"] = (f"{HIRES_PATH}denoising_strength", STRENGTH)
    if body.hr_sampler_name and body.hr_sampler_name not in SAME:
        sampler, schedule = split_combined(body.hr_sampler_name)
        values["hr_sampler_name"] = (f"{HIRES_PATH}sampler", sampler)
        if sampler != body.hr_sampler_name and not body.hr_scheduler:
            values["hr_scheduler"] = (f"{HIRES_PATH}scheduler", schedule)
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
    said = {row.body: value_at(request, row.path) for row in _ROWS if row.body and row.key and row.key.name in fields}
    return {"enable_hr": True, **{name: value for name, value in said.items() if value not in (None, "")}}
