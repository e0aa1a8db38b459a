"""Stable Diffusion 1, 2, XL and XL's refiner (arXiv:2112.10752, arXiv:2307.01952), as plain data. Needs no torch."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from webui.library.family import ALL_RESIDUALS, Family, LatentFormat, TextSide
from webui.weights.families.stable_diffusion import recognition

if TYPE_CHECKING:
    from webui.weights.families.contract import Networks

WINDOW = 77  # how many tokens CLIP's text encoders read at once

LATENTS = LatentFormat(
    channels=4,
    cell=8,
    scale=0.18215,
    colours=(
        (0.298, 0.207, 0.208),
        (0.187, 0.286, 0.173),
        (-0.158, 0.189, 0.264),
        (-0.184, -0.271, -0.473),
    ),
)
LATENTS_XL = replace(
    LATENTS,
    scale=0.13025,
    colours=(
        (0.3448, 0.4168, 0.4395),
        (-0.1953, -0.029, 0.025),
        (0.1074, 0.0886, -0.0163),
        (-0.373, -0.2499, -0.2088),
    ),
)


def _networks() -> "Networks":
    from webui.weights.families.stable_diffusion.building import (
        STABLE_DIFFUSION,
    )  # imported here because it loads torch

    return STABLE_DIFFUSION


SD1 = Family(
    name="sd1",
    label="SD1",
    latents=LATENTS,
    text=TextSide(WINDOW, clip_skip="always", old_emphasis=True),
    marks=recognition.is_sd1,
    read=recognition.read,
    networks=_networks,
    residuals=ALL_RESIDUALS,
    tuned_levels="sd",
    has_timesteps=True,
    trainer_name="sd_v1",
    tiny_vae="taesd",
)
SD2 = replace(
    SD1,
    name="sd2",
    label="SD2",
    text=TextSide(WINDOW),
    marks=recognition.is_sd2,
    read=partial(recognition.read, v_with_vector=True),
    trainer_name="sd_v2",
)
SDXL = replace(
    SD1,
    name="sdxl",
    label="SDXL",
    latents=LATENTS_XL,
    text=TextSide(
        WINDOW,
        clip_skip="asked",
        numbers=("height", "width", "crop_top", "crop_left", "height", "width"),
        zeroes_empty_negative=True,
    ),
    marks=recognition.is_sdxl,
    read=recognition.read,
    tuned_levels="xl",
    tells_mask_of_txt2img=False,
    trainer_name="sdxl_base_v1-0",
    ldm_names_first=True,
    vae_overflows=True,
    tiny_vae="taesdxl",
)
SDXL_REFINER = replace(
    SDXL,
    name="sdxl_refiner",
    text=TextSide(
        WINDOW,
        numbers=("height", "width", "crop_top", "crop_left", "aesthetic_score"),
        zeroes_empty_negative=True,
        trained_networks=False,
    ),
    marks=recognition.is_sdxl_refiner,
    refines=True,
    tells_mask_of_txt2img=True,
    trainer_name="sdxl_refiner_v1-0",
)
