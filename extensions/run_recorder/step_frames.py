"""What is kept of a step: numbers, and small pictures of its latents as they are."""

import io
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from webui.extension_api.tensors import LatentFormat, Step, latent_colours

SIDE = 128  # pixels of the longer side of a picture of latents, at most: one for each cell
CLEAN_SIDE = 256  # pixels of the longer side of a clean estimate, at most
_SOFT = 0.3  # noise has larger values than pictures; so its colours are not all at their ends
_TOP = 0.995  # the share of the values of guidance that fit into its scale


@dataclass(frozen=True, slots=True)
class SeenStep:
    """A step of the first image, all (C, h, w) float32 on the CPU.

    Attributes:
        noisy: the latents that it starts from, clean + sigma x noise.
        clean: its estimate of the clean latents, after guidance.
        moved: the latents after it.
        cond, uncond: clean estimates with the prompt and with the negative prompt alone, of its first call.
        t: the timestep that the network was told.
    """

    step: Step
    noisy: Tensor
    clean: Tensor
    moved: Tensor
    cond: Tensor
    uncond: Tensor
    t: float


def facts(seen: SeenStep) -> dict[str, Any]:
    """The numbers of a step: `push` is |conditioned - unconditioned| / |unconditioned| of the predicted noise, `moved`
    the share of the latents that changed, `top` the level at which its picture of guidance is white.
    """
    sigma = float(seen.step.sigma)
    against = noise(seen.noisy, seen.uncond, sigma)
    return {
        "index": seen.step.index,
        "sigma": sigma,
        "next": float(seen.step.sigma_next),
        "t": seen.t,
        "abar": 1 / (1 + sigma**2),
        "push": _ratio(noise(seen.noisy, seen.cond, sigma) - against, against),
        "moved": _ratio(seen.moved - seen.noisy, seen.noisy),
        "top": _top(seen),
    }


def noise(noisy: Tensor, clean: Tensor, sigma: float) -> Tensor:
    """The noise in `noisy`, which is clean + sigma x noise (Karras et al. 2022, arXiv:2206.00364)."""
    return (noisy - clean) / max(sigma, 1e-8)


def latents_strip(seen: SeenStep, form: LatentFormat) -> bytes:
    """A lossless picture of three squares beside each other: noisy latents brought to unit variance, predicted noise,
    and guidance in grey, white at the step's own `top`.
    """
    sigma = float(seen.step.sigma)
    spread = (sigma**2 + 1) ** 0.5
    pictures = [
        _coloured(seen.noisy / spread * _SOFT, form),
        _coloured(noise(seen.noisy, seen.clean, sigma) * _SOFT, form),
        _grey(_guidance(seen), _top(seen)),
    ]
    width, height = pictures[0].size
    strip = Image.new("RGB", (3 * width, height))
    for place, picture in enumerate(pictures):
        strip.paste(picture, (place * width, 0))
    return _file(strip, "PNG")


def clean_picture(latents: Tensor, form: LatentFormat, decoded: Tensor | None) -> bytes:
    """The clean estimate, by its pixels (3, H, W) in 0..1, or where there are none by the colours of its latents."""
    if decoded is None:
        return _file(_coloured(latents, form), "PNG")
    image = Image.fromarray((decoded.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())
    image.thumbnail((CLEAN_SIDE, CLEAN_SIDE), Image.Resampling.LANCZOS)
    return _file(image, "PNG")


def _guidance(seen: SeenStep) -> Tensor:
    """(h, w), in units of the predicted noise."""
    return (seen.cond - seen.uncond).abs().mean(0) / max(float(seen.step.sigma), 1e-8)


def _top(seen: SeenStep) -> float:
    return float(torch.quantile(_small(_guidance(seen)[None])[0].flatten(), _TOP))


def _grey(values: Tensor, top: float) -> Image.Image:
    shown = (_small(values[None])[0] / max(top, 1e-12)).clamp(0, 1)
    return Image.fromarray((shown * 255).round().to(torch.uint8).numpy()).convert("RGB")


def _coloured(latents: Tensor, form: LatentFormat) -> Image.Image:
    return Image.fromarray(latent_colours(_small(latents), form).numpy())


def _small(values: Tensor) -> Tensor:
    """(C, h, w) with at most `SIDE` cells a side; larger ones are averaged."""
    height, width = values.shape[-2:]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return values
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return functional.adaptive_avg_pool2d(values, size)


def _ratio(difference: Tensor, of: Tensor) -> float:
    return float(difference.norm() / of.norm().clamp(min=1e-8))


def _file(image: Image.Image, kind: str) -> bytes:
    kept = io.BytesIO()
    image.save(kept, kind)
    return kept.getvalue()
