"""Units whose pictures act as prompts (IP-Adapter). Another extension makes them, and gets them as its options."""

from collections.abc import Collection
from typing import Any

from webui.extension_api import BadRequestError, GenerationRequest, Img2Img

from .modules import Module, find_module
from .options import ControlOptions, Unit

_ENCODERS = (("clip_g", "clip_g"), ("clip_h", "clip_h"), ("plus_vith", "clip_h"))  # in the name, and what it asks for


def is_handed(unit: Unit) -> bool:
    """Whether another extension makes a unit."""
    module = find_module(unit.module)
    return module is not None and bool(module.handed_to)


def with_handed(request: GenerationRequest, options: ControlOptions, there: Collection[str]) -> GenerationRequest:
    """The request with the options of the other extension for such units, which takes them out again.

    Args:
        there: the extensions that may join the job.

    Raises:
        BadRequestError: that extension does not run, or a unit has no picture or no model.
    """
    extensions = dict(request.extensions)
    for number, unit in enumerate(options.units):
        module = find_module(unit.module)
        if not unit.enabled or module is None or not module.handed_to:
            continue
        place, maker = f"extensions.controlnet.units.{number}", module.handed_to
        if maker not in there:
            raise BadRequestError(f"{place}.module", f"needs the extension {maker}, which is not there or switched off")
        own = dict(extensions.get(maker, {}))
        units = own.get("units")
        own["units"] = [*(units if isinstance(units, list) else ()), _handed(unit, module, place, request)]
        extensions[maker] = own
    return request.with_(extensions=extensions)


def _handed(unit: Unit, module: Module, place: str, request: GenerationRequest) -> dict[str, Any]:
    """A unit in the words of the other extension."""
    task = request.task
    image = unit.image or (task.image if isinstance(task, Img2Img) else None)
    if image is None:
        raise BadRequestError(f"{place}.image", "there is no picture; send one, or choose img2img")
    if unit.model == "None":
        raise BadRequestError(f"{place}.model", f"the preprocessor {unit.module} needs a model in models/ControlNet")
    pictures = {"image": image, "mask": unit.mask, "region": unit.effective_region_mask}
    told: dict[str, Any] = {name: one.to_base64() for name, one in pictures.items() if one is not None}
    return told | {
        "images": [one.to_base64() for one in unit.more_images],
        "model": unit.model,
        "weight": unit.weight,
        "layer_weights": list(unit.advanced_weighting or ()),
        "start": unit.guidance_start,
        "end": unit.guidance_end,
        "passes": unit.hr_option,
        "fit": "squeeze",
        "encoder": next((asked for word, asked in _ENCODERS if word in module.name), ""),
        "told_by": place,
    }
