"""Jobs of every kind, family and network, and the models that they need; small enough to be made several times."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from tests import reference, tiny_models
from tests.exact_back import some_extensions
from tests.library.small import small_checkpoint
from tests.library.small_midas import small_midas
from webui.domain.hires import Hires
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting, SoftInpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Guidance, Img2Img, Noise, Refiner, Speed, TokenMerging, Txt2Img
from webui.domain.settings import BackSettings
from webui.domain.upscale import Upscale

ROOT = Path(__file__).parents[2]
NOISY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
PICTURE = Picture.of(NOISY)
EDGES = Picture.of(NOISY.convert("L").point(lambda value: 255 * (value > 200)).convert("RGB"))


EXTENSIONS = ("controlnet", "guidance", "lora", "step_film")  # that the cases ask for


def models_in(folder: Path) -> Path:
    """Write the models into a folder: those of random numbers, small ones of A1111's cases, and our miniature's; and
    the extensions that the cases need.
    """
    models = folder / "models"
    some_extensions(folder, *EXTENSIONS)
    tiny_models.build(models)
    checkpoints = models / "Stable-diffusion"
    reference.whole_checkpoints(folder / "cases")
    for file in (folder / "cases" / "Stable-diffusion").iterdir():
        if not (checkpoints / file.name).exists() and not file.name.startswith("tiny-sd1"):
            file.rename(checkpoints / file.name)
    edits = small_checkpoint(6, in_channels=8, complete=True)
    save_file(tiny_models.steady(tiny_models.attentive(edits), "first_stage_model."), checkpoints / "edits.safetensors")
    deep = tiny_models.steady(small_checkpoint(1, in_channels=5, complete=True), "first_stage_model.")
    save_file({**deep, **small_midas()}, checkpoints / "deep.safetensors")
    for place in ("Stable-diffusion/mini", "ControlNet/mini-edges", "ESRGAN/mini-x2", "Lora/mini-ink"):
        target = models / f"{place}.safetensors"
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(ROOT / "models" / f"{place}.safetensors")
    return models


def settings_for(folder: Path, device: str, precision: str = "fp32") -> BackSettings:
    """The settings of a back that works with these models."""
    return BackSettings.model_validate(
        {
            "models_dir": folder / "models",
            "data_dir": folder / device / precision,
            "extensions_dir": folder / "extensions",
            "device": device,
            "precision": precision,
            "threads": 1,
            "preview_every": 1,
            "checkpoints_in_memory": 8,
        }
    )


def _ask(**fields: Any) -> GenerationRequest:
    usual = {"prompt": "a red cat", "negative_prompt": "b", "checkpoint": "tiny-sd1", "sampler": "Euler a"}
    return GenerationRequest.model_validate({**usual, "steps": 2, "seed": 5, "width": 64, "height": 64, **fields})


def _masked(**options: Any) -> Inpainting:
    mask = Image.new("L", NOISY.size)
    mask.paste(255, (0, 0, 32, 64))
    return Inpainting(mask=Mask.of(mask), **options)


CASES: Mapping[str, GenerationRequest] = MappingProxyType(
    {
        "parts, LoRA": _ask(prompt="a cat <lora:tiny-lora:0.8> AND a [dog:bird:0.5] :0.7", batch_size=2, n_iter=2),
        "SD2": _ask(checkpoint="tiny-sd2-v", vae="tiny-vae", sampler="DPM++ 2M SDE", guidance=Guidance(rescale=0.3)),
        "SDXL, refiner": _ask(
            checkpoint="tiny-xl",
            vae="tiny-vae",
            refiner=Refiner(checkpoint="tiny-xl-refiner", switch_at=0.5),
            sampler="Euler",
            steps=3,
        ),
        "img2img": _ask(task=Img2Img(image=PICTURE), noise=Noise(source="NV"), sampler="DDIM", steps=4),
        "soft inpainting": _ask(task=Img2Img(image=PICTURE, inpainting=_masked(soft=SoftInpainting())), steps=4),
        "inpainting noise": _ask(task=Img2Img(image=PICTURE, inpainting=_masked(content="noise")), sampler="PLMS"),
        "inpainting checkpoint": _ask(checkpoint="tiny-inpaint", task=Img2Img(image=PICTURE, inpainting=_masked())),
        "inpainting checkpoint, no picture": _ask(checkpoint="tiny-inpaint"),
        "instruct-pix2pix": _ask(checkpoint="edits", task=Img2Img(image=PICTURE, image_cfg_scale=1.5)),
        "depth": _ask(checkpoint="deep", task=Img2Img(image=PICTURE)),
        "hires, latent": _ask(task=Txt2Img(hires=Hires(enabled=True, scale=1.5, upscaler="Latent")), sampler="UniPC"),
        "hires, network": _ask(task=Txt2Img(hires=Hires(enabled=True, scale=2, upscaler="mini-x2")), sampler="LCM"),
        "tiling, merging": _ask(tiling=True, token_merging=TokenMerging(ratio=0.5), clip_skip=2),
        "card's noise": _ask(noise=Noise(source="GPU"), subseed=3, subseed_strength=0.4, sampler="DPM++ SDE"),
        "upscaling": _ask(task=Upscale(images=(PICTURE,), upscaler="mini-x2", second_upscaler="Lanczos")),
        "guidance": _ask(extensions={"guidance": {"rescale": 0.5, "percentile": 0.95}, "step_film": {}}),
        "approximations": _ask(
            speed=Speed(block_cache=0.2, text_gate=0.5),
            token_merging=TokenMerging(ratio=0.3),
            guidance=Guidance(s_min_uncond=1, s_min_uncond_all=True),
            extensions={"guidance": {"hypertile": {"unet": True}}},
            steps=4,
        ),
        "ControlNet": _ask(
            checkpoint="mini",
            prompt="a red circle <lora:mini-ink:1>",
            extensions={
                "controlnet": {
                    "units": [{"enabled": True, "module": "none", "model": "mini-edges", "image": EDGES.to_base64()}]
                }
            },
        ),
    }
)
