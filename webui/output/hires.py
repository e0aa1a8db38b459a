"""What infotexts say of hires fix and of token merging: written and read here, for `infotext.py` and `parse.py`.

Keys, their order and when they are left out are those of A1111 v1.10.1 (`Hires CFG Scale`: of its fork Forge).
"""

from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.catalog import shown_schedule
from webui.domain.request import GenerationRequest, Txt2Img

TEXT_KEYS: Mapping[str, str] = MappingProxyType(  # key, field of `task.hires`; the value as it stands
    {
        "Hires checkpoint": "checkpoint",
        "Hires sampler": "sampler",
        "Hires schedule type": "scheduler",
        "Hires prompt": "prompt",
        "Hires negative prompt": "negative_prompt",
        "Hires upscaler": "upscaler",
        "Hires refiner": "refiner_pass",
    }
)
NUMBER_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "Hires upscale": "scale",
        "Hires CFG Scale": "cfg_scale",
        "Denoising strength": "denoising_strength",
        "Extra noise": "extra_noise",
    }
)
COUNT_KEYS: Mapping[str, str] = MappingProxyType(
    {"Hires steps": "steps", "Hires resize-1": "resize_width", "Hires resize-2": "resize_height"}
)
SAME = ("Use same sampler", "Use same scheduler", "Use same checkpoint")  # A1111's words for "as in the first pass"
_SIGNS = ("Hires upscale", "Hires upscaler", "Hires resize-1")  # one of them, with a strength, tells of a second pass


def tells_of_hires(fields: Mapping[str, str]) -> bool:
    """Whether the image had a second pass."""
    return "Denoising strength" in fields and any(key in fields for key in _SIGNS)


def hires_details(request: GenerationRequest, checkpoint: str) -> dict[str, object]:
    """The keys of the second pass in their order; None where one is left out.

    Args:
        checkpoint: title of its checkpoint, "" where only its name is known.
    """
    task = request.task
    if not isinstance(task, Txt2Img) or not task.hires.enabled:
        return {}
    hires = task.hires
    sampler = hires.sampler or request.sampler
    schedule = shown_schedule(sampler, hires.scheduler or request.scheduler)
    is_other = schedule not in ("Automatic", shown_schedule(request.sampler, request.scheduler))
    resized = hires.resize_width or hires.resize_height
    return {
        "Hires checkpoint": (checkpoint or hires.checkpoint) or None,
        "Hires sampler": sampler if sampler != request.sampler else None,
        "Hires prompt": hires.prompt if hires.prompt not in ("", request.prompt) else None,
        "Hires negative prompt": (
            hires.negative_prompt if hires.negative_prompt not in ("", request.negative_prompt) else None
        ),
        "Hires schedule type": schedule if is_other else None,
        "Hires upscale": None if resized else hires.scale,
        "Hires resize": f"{hires.resize_width}x{hires.resize_height}" if resized else None,
        "Hires steps": hires.steps or None,
        "Hires upscaler": hires.upscaler,
        "Hires CFG Scale": hires.cfg_scale,
        "Extra noise": hires.extra_noise or None,
    }


def merging_details(request: GenerationRequest) -> dict[str, object]:
    """The keys of token merging; None where nothing is merged."""
    task = request.task
    has_second = isinstance(task, Txt2Img) and task.hires.enabled
    return {
        "Token merging ratio": request.merging_ratio or None,
        "Token merging ratio hr": request.hires_merging_ratio or None if has_second else None,
    }
