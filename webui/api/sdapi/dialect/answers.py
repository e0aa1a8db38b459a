"""Answers of the generation routes: images in base64 and the `info` text that clients parse a second time."""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

from webui.api.sdapi.dialect.honoured import told
from webui.api.sdapi.dialect.models import GenerationBody, Img2ImgBody, Txt2ImgBody
from webui.domain.catalog import shown_schedule
from webui.domain.extensions import ExtensionInfo
from webui.domain.parameters.pictures import PICTURE
from webui.domain.parameters.second_pass import SECOND_PASS
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import GeneratedImage, GenerationResult
from webui.output.infotext import InfoFacts, Subject, details


def as_base64(data: bytes) -> str:
    """Without a `data:` prefix, as clients expect."""
    return base64.b64encode(data).decode("ascii")


def generation(
    body: GenerationBody,
    result: GenerationResult,
    extensions: Sequence[ExtensionInfo],
    grid: GeneratedImage | None = None,
) -> dict[str, Any]:
    """The answer to a generation request without its pictures; those that were sent stand in it where asked for."""
    parameters = body.model_dump(mode="json")
    if isinstance(body, Img2ImgBody) and not body.include_init_images:
        parameters |= {"init_images": None, "mask": None}
    if isinstance(body, Txt2ImgBody):
        parameters |= {"firstpass_image": None}
    return {
        "parameters": parameters,
        "info": json.dumps(info(result, extensions, grid), ensure_ascii=False),
    }


def info(
    result: GenerationResult, extensions: Sequence[ExtensionInfo], grid: GeneratedImage | None = None
) -> dict[str, Any]:
    """A1111's description of a finished job, keys in its order; `extensions` fill in those that are theirs.

    Args:
        grid: the picture of all of them, where it comes first in the answer.
    """
    images = result.images
    shown = images[0].request if images else result.request
    requests = [image.request for image in images]
    subseeds = [image.subseed for image in images]
    model = result.model
    return {
        "prompt": shown.prompt,
        "all_prompts": [request.prompt for request in requests],
        "negative_prompt": shown.negative_prompt,
        "all_negative_prompts": [request.negative_prompt for request in requests],
        "seed": shown.seed,
        "all_seeds": [request.seed for request in requests],
        "subseed": subseeds[0] if subseeds else shown.subseed,
        "all_subseeds": subseeds,
        "subseed_strength": shown.subseed_strength,
        "width": shown.width,
        "height": shown.height,
        "sampler_name": shown.sampler,
        "cfg_scale": shown.cfg_scale,
        "steps": shown.steps,
        "batch_size": result.request.batch_size,
        **told(shown, extensions),
        "sd_model_name": model.checkpoint,
        "sd_model_hash": model.checkpoint_hash,
        "sd_vae_name": model.vae or None,
        "sd_vae_hash": model.vae_hash or None,
        "seed_resize_from_w": shown.seed_resize_from_w or -1,
        "seed_resize_from_h": shown.seed_resize_from_h or -1,
        "denoising_strength": _strength(shown),
        "extra_generation_params": _extra(shown, result),
        "index_of_first_image": 0 if grid is None else 1,
        "infotexts": [image.infotext for image in (images if grid is None else (grid, *images))],
        "styles": list(result.request.styles),
        "job_timestamp": time.strftime("%Y%m%d%H%M%S"),
        "clip_skip": shown.clip_skip,
        "is_using_inpainting_conditioning": model.inpainting,
        "version": _version(images),
    }


def _strength(request: GenerationRequest) -> float | None:
    task = request.task
    if isinstance(task, Txt2Img):
        return task.hires.denoising_strength if task.hires.enabled else None
    return task.denoising_strength if isinstance(task, Img2Img) else None


def _extra(request: GenerationRequest, result: GenerationResult) -> dict[str, Any]:
    extra: dict[str, Any] = {"Schedule type": shown_schedule(request.sampler, request.scheduler)}
    if request.refiner is not None:
        extra |= {"Refiner": request.refiner.checkpoint, "Refiner switch at": request.refiner.switch_at}
    of_task = details((PICTURE, SECOND_PASS), Subject(request, InfoFacts(model=result.model)))
    extra |= {key: value for key, value in of_task.items() if value is not None}
    if result.notices:
        extra["Notices"] = [f"{notice.source}: {notice.text}" for notice in result.notices]
    return extra


def _version(images: tuple[GeneratedImage, ...]) -> str:
    """What the infotexts name as version."""
    _, found, rest = images[0].infotext.rpartition("Version: ") if images else ("", "", "")
    return rest.partition(",")[0].strip() if found else ""
