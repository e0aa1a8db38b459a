"""The img2img part of a body: pictures, mask, and what A1111 keeps as settings of them."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException

from webui.api.body import InvalidBodyError, Loc
from webui.api.sdapi.dialect.models import Img2ImgBody

Put = tuple[str, Any, Loc]  # path in the request, value, place in the body

SOFT_INPAINTING = "soft inpainting"  # A1111's title of the script, in lower case
RESIZE_MODES = ("resize", "crop", "fill", "latent")
CONTENTS = ("fill", "original", "noise", "nothing")
TASK_SETTINGS: Mapping[str, str] = MappingProxyType(  # parts of an img2img task and of nothing else
    {
        "img2img_fix_steps": "fix_steps",
        "initial_noise_multiplier": "noise_multiplier",
        "img2img_extra_noise": "extra_noise",
        "img2img_color_correction": "color_correction",
    }
)
MASK_SETTINGS: Mapping[str, str] = MappingProxyType(
    {"overlay_inpaint": "overlay", "return_mask": "return_mask", "return_mask_composite": "return_composite"}
)
SOFT_ARGS = (
    "schedule_bias", "preservation", "contrast_boost", "mask_influence", "difference_threshold", "difference_contrast",
)  # fmt: skip


def picture_task(body: Img2ImgBody) -> Iterator[Put]:
    """Everything that makes the task of an img2img request.

    Raises:
        InvalidBodyError: naming the field of the body.
        HTTPException: 404, there is no picture.
    """
    if not body.init_images:
        raise HTTPException(404, "Init image not found")
    images = body.init_images
    if len(images) > 1:
        if len(images) > body.batch_size:
            message = f"{len(images)} pictures for a batch of {body.batch_size}; give one for all, or at most one each"
            raise InvalidBodyError.at(("init_images",), message)
        yield "batch_size", len(images), ("init_images",)
        yield "task.further_images", tuple(images[1:]), ("init_images", 1)
    yield "task.kind", "img2img", ("init_images",)
    yield "task.image", images[0], ("init_images", 0)
    yield "task.resize_mode", _nth(RESIZE_MODES, body.resize_mode, "resize_mode"), ("resize_mode",)
    yield "task.denoising_strength", body.denoising_strength, ("denoising_strength",)
    yield "task.image_cfg_scale", body.image_cfg_scale, ("image_cfg_scale",)
    yield from _settings(body, TASK_SETTINGS, "task.")
    if body.initial_noise_multiplier is not None:
        yield "task.noise_multiplier", body.initial_noise_multiplier, ("initial_noise_multiplier",)
    if body.mask is not None:
        yield from _mask(body)


def _mask(body: Img2ImgBody) -> Iterator[Put]:
    """The mask's own part; it arrives whole, so its fields are put together here."""
    if body.latent_mask is not None:
        raise InvalidBodyError.at(("latent_mask",), "a mask of latents cannot be taken; send mask", "not_available")
    part = "task.inpainting."
    yield part + "mask", body.mask, ("mask",)
    for axis, own in (("mask_blur_x", body.mask_blur_x), ("mask_blur_y", body.mask_blur_y)):
        both = body.mask_blur
        yield part + axis, own if both is None else both, (axis if both is None else "mask_blur",)
    yield part + "content", _nth(CONTENTS, body.inpainting_fill, "inpainting_fill"), ("inpainting_fill",)
    yield part + "area", "masked" if body.inpaint_full_res else "whole", ("inpaint_full_res",)
    yield part + "padding", body.inpaint_full_res_padding, ("inpaint_full_res_padding",)
    yield part + "invert", bool(body.inpainting_mask_invert), ("inpainting_mask_invert",)
    yield part + "mask_round", body.mask_round, ("mask_round",)
    yield from _settings(body, MASK_SETTINGS, part)
    yield from _soft(body, part + "soft")


def _soft(body: Img2ImgBody, path: str) -> Iterator[Put]:
    """Arguments of A1111's script: enabled, then six numbers, of which the last may be missing."""
    for title, script in body.alwayson_scripts.items():
        if title.lower() != SOFT_INPAINTING:
            continue
        place: Loc = ("alwayson_scripts", title, "args")
        arguments = script.get("args", []) if isinstance(script, dict) else script
        if not isinstance(arguments, list):
            raise InvalidBodyError.at(place, "should be a list")
        if arguments and arguments[0]:
            yield path, dict(zip(SOFT_ARGS, arguments[1:], strict=False)), place


def _settings(body: Img2ImgBody, settings: Mapping[str, str], part: str) -> Iterator[Put]:
    for key, value in (body.override_settings or {}).items():
        if key in settings and value is not None:
            yield part + settings[key], value, ("override_settings", key)


def _nth(names: tuple[str, ...], index: int, field: str) -> str:
    if not 0 <= index < len(names):
        raise InvalidBodyError.at((field,), f"should be 0 to {len(names) - 1}")
    return names[index]
