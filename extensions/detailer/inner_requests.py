"""The request that repaints one region: an inpainting run on the picture as it is by then."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from PIL import Image
from pydantic import ValidationError

from webui.extension_api import BadRequestError, GenerationRequest, Img2Img, Inpainting, Mask, Picture, split_sampler

from .options import (
    NONE,
    PASSTHROUGH,
    SAME_CHECKPOINT,
    SAME_SAMPLER,
    SAME_SCHEDULER,
    SAME_VAE,
    DetailOptions,
    DetailPass,
)
from .pass_prompts import is_own, is_skipped, part_for, resolved
from .region_masks import RegionMask

MAX_SEED = 2**64 - 1
CELLS = 8  # sides of pictures are multiples of it
KEPT = ("lora", "wildcards", "guidance")  # extensions whose options a region has from its picture
CONTROL, FACES = "controlnet", "face_restore"
SDXL_SIZES = (
    (1024, 1024), (1152, 896), (896, 1152), (1216, 832), (832, 1216), (1344, 768), (768, 1344), (1536, 640),
    (640, 1536),
)  # fmt: skip
# Of a control model by whose name alone its preprocessor is known, as in ADetailer.
_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "inpaint": "inpaint_global_harmonious",
        "scribble": "t2ia_sketch_pidi",
        "lineart": "lineart_coarse",
        "openpose": "openpose_full",
        "tile": "tile_resample",
        "depth": "depth_midas",
    }
)


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a region has from its picture.

    Attributes:
        request: makes the picture alone, with its own prompt and seed.
        styles: that the user named; they are in the request's prompts already.
        prompt, negative_prompt: before styles were merged into them.
    """

    request: GenerationRequest
    styles: tuple[str, ...] = ()
    prompt: str = ""
    negative_prompt: str = ""

    def texts(self, part: str, negative: str) -> dict[str, Any]:
        """Prompt and negative prompt of a region, and the styles that are still to be merged into both."""
        own, own_negative = self.request.prompt, self.request.negative_prompt
        if not self.styles or (is_own(part) and is_own(negative)):
            return {"prompt": resolved(part, own), "negative_prompt": resolved(negative, own_negative), "styles": ()}
        texts = {"prompt": resolved(part, self.prompt), "negative_prompt": resolved(negative, self.negative_prompt)}
        return {**texts, "styles": self.styles}


def inner_request(
    facts: PictureFacts, one: DetailPass, options: DetailOptions, image: Image.Image, region: RegionMask, number: int
) -> GenerationRequest | None:
    """The request for the mask of that number; None where its prompt leaves it out.

    Raises:
        BadRequestError: a value cannot be used; names the key.
    """
    part, negative = part_for(one.prompt, number), part_for(one.negative_prompt, number)
    if is_skipped(part):
        return None
    own = facts.request
    width, height = size_for(one, options, own, region)
    step = 0 if options.same_seed else number
    task = Img2Img(
        image=Picture.of(image),
        denoising_strength=strength_for(one, options, image.size, region),
        noise_multiplier=one.noise_multiplier if one.use_noise_multiplier else 1.0,
        inpainting=Inpainting(
            mask=Mask.of(region.mask),
            mask_blur_x=one.mask_blur,
            mask_blur_y=one.mask_blur,
            area="masked" if one.inpaint_only_masked else "whole",
            padding=one.inpaint_only_masked_padding,
        ),
    )
    changes: dict[str, Any] = {
        "task": task,
        **facts.texts(part, negative),
        "width": width,
        "height": height,
        "seed": _later(own.seed, step),
        "subseed": _later(own.subseed, step),
        "batch_size": 1,
        "n_iter": 1,
        "refiner": None,
        "extensions": inner_extensions(own, one),
        **_own_values(one),
    }
    try:
        return own.with_(**changes)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise BadRequestError("extensions.detailer.units", f"{first['loc'][-1]}: {first['msg']}") from None


def strength_for(one: DetailPass, options: DetailOptions, size: tuple[int, int], region: RegionMask) -> float:
    """The denoising strength; with a power above 0 the less, the larger the region's box is."""
    power = options.dynamic_denoise_power
    if not power:
        return one.denoising_strength
    left, top, right, bottom = region.box
    rest = 1 - (right - left) * (bottom - top) / (size[0] * size[1])
    if rest <= 0:
        return 0.0 if power > 0 else 1.0
    return min(1.0, max(0.0, one.denoising_strength * math.pow(rest, power)))


def size_for(one: DetailPass, options: DetailOptions, own: GenerationRequest, region: RegionMask) -> tuple[int, int]:
    """Width and height in which the region is repainted."""
    if one.use_inpaint_width_height:
        return one.inpaint_width, one.inpaint_height
    left, top, right, bottom = region.box
    if options.match_size == "Off" or not one.inpaint_only_masked or right <= left or bottom <= top:
        return own.width, own.height
    aspect = (right - left) / (bottom - top)
    if options.match_size == "Free":
        longer = max(own.width, own.height)
        sides = (longer, longer / aspect) if aspect >= 1 else (longer * aspect, longer)
        return _in_cells(sides[0]), _in_cells(sides[1])
    large = [size for size in SDXL_SIZES if size[0] >= right - left and size[1] >= bottom - top]
    if not large:
        return own.width, own.height
    return min(large, key=lambda size: abs(math.log(size[0] / size[1] / aspect)))


def inner_extensions(own: GenerationRequest, one: DetailPass) -> dict[str, dict[str, Any]]:
    """Options of other extensions in the run: what belongs to the prompt, and what the pass asks for."""
    extensions = {name: dict(values) for name, values in own.extensions.items() if name in KEPT}
    if one.controlnet_model == PASSTHROUGH and CONTROL in own.extensions:
        extensions[CONTROL] = dict(own.extensions[CONTROL])
    elif one.controlnet_model not in (NONE, PASSTHROUGH):
        module = one.controlnet_module
        if module == NONE:
            name = one.controlnet_model.lower()
            module = next((found for word, found in _MODULES.items() if word in name), "none")
        unit: dict[str, Any] = {
            "enabled": True, "model": one.controlnet_model, "module": module, "weight": one.controlnet_weight,
            "guidance_start": one.controlnet_guidance_start, "guidance_end": one.controlnet_guidance_end,
            "pixel_perfect": True, "control_mode": "Balanced", "save_detected_map": False,
        }  # fmt: skip
        extensions[CONTROL] = {"units": [unit]}
    if one.restore_face:
        extensions[FACES] = dict(own.extensions.get(FACES, {}))
    return extensions


def _own_values(one: DetailPass) -> dict[str, Any]:
    """What the pass has other than the picture."""
    changes: dict[str, Any] = {}
    if one.use_steps:
        changes["steps"] = one.steps
    if one.use_cfg_scale:
        changes["cfg_scale"] = one.cfg_scale
    if one.use_checkpoint and one.checkpoint not in ("", NONE, SAME_CHECKPOINT):
        changes["checkpoint"] = one.checkpoint
    if one.use_vae and one.vae not in ("", SAME_VAE):
        changes["vae"] = one.vae
    if one.use_clip_skip:
        changes["clip_skip"] = one.clip_skip
    if one.use_sampler and one.sampler != SAME_SAMPLER:
        sampler, scheduler = split_sampler(one.sampler)
        changes["sampler"] = sampler
        if scheduler != "Automatic" and one.scheduler in (SAME_SCHEDULER, "Automatic"):
            changes["scheduler"] = scheduler
    if one.use_sampler and one.scheduler not in (SAME_SCHEDULER, "") and "scheduler" not in changes:
        changes["scheduler"] = one.scheduler
    return changes


def _later(seed: int, step: int) -> int:
    return seed if seed < 0 else (seed + step) % (MAX_SEED + 1)


def _in_cells(side: float) -> int:
    return max(64, round(side / CELLS) * CELLS)
