"""The picture that an img2img run starts from: brought to size with Pillow, then to latents by the VAE.

How noise is mixed into the latents is in `sample.py`.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest, Img2Img
from webui.weights.vae import VaeDoor

LANCZOS = Image.Resampling.LANCZOS


def init_latents(request: GenerationRequest, vae: VaeDoor, device: torch.device) -> Tensor | None:
    """Clean latents (1, 4, h, w) of the picture that the request starts from; None where it starts from noise.

    Raises:
        BadRequestError: the picture is to be stretched as latents and is smaller than one cell of them.
    """
    task = request.task
    if not isinstance(task, Img2Img):
        return None
    picture = task.image.open()
    if task.resize_mode != "latent":
        return vae.encode(to_pixels(fitted(picture, task.resize_mode, request.width, request.height), device))
    if min(picture.size) < vae.downscale:
        needed = f"at least {vae.downscale} pixels on each side for resize_mode latent"
        raise BadRequestError("task.image", f"has {picture.width} x {picture.height} pixels; {needed}")
    cells = (request.height // vae.downscale, request.width // vae.downscale)
    return interpolate(vae.encode(to_pixels(picture, device)), cells, mode="bilinear", align_corners=False)


def to_pixels(picture: Image.Image, device: torch.device) -> Tensor:
    """An RGB picture as (1, 3, H, W) float32 in 0..1."""
    pixels = torch.from_numpy(np.array(picture)).to(device)
    return (pixels.float() / 255).permute(2, 0, 1)[None].contiguous()


def fitted(picture: Image.Image, mode: str, width: int, height: int) -> Image.Image:
    """The picture at exactly width x height.

    Args:
        mode: `resize` stretches it; `crop` covers the size and cuts off what stands out, the same on both sides; `fill`
            puts all of it in the middle and stretches its border rows or columns over the rest.
    """
    if mode == "crop":
        return _cropped(picture, width, height)
    if mode == "fill":
        return _filled(picture, width, height)
    return picture.resize((width, height), LANCZOS)


def _cropped(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Resize only the part that is kept: a long strip that covers the size would be too large to hold."""
    is_wide = width / height > picture.width / picture.height
    cover_width = width if is_wide else picture.width * height // picture.height
    cover_height = picture.height * width // picture.width if is_wide else height
    left, top = cover_width // 2 - width // 2, cover_height // 2 - height // 2
    x, y = picture.width / cover_width, picture.height / cover_height
    box = (left * x, top * y, min((left + width) * x, picture.width), min((top + height) * y, picture.height))
    return picture.resize((width, height), LANCZOS, box)


def _filled(picture: Image.Image, width: int, height: int) -> Image.Image:
    is_wide = width / height < picture.width / picture.height
    fit_width = width if is_wide else max(1, picture.width * height // picture.height)
    fit_height = max(1, picture.height * width // picture.width) if is_wide else height
    whole = picture.resize((fit_width, fit_height), LANCZOS)
    left, top = width // 2 - fit_width // 2, height // 2 - fit_height // 2
    canvas = Image.new("RGB", (width, height))
    canvas.paste(whole, (left, top))
    # a box without area takes the colours of its edge, as the filter continues them
    if top > 0:
        canvas.paste(whole.resize((width, top), box=(0, 0, width, 0)), (0, 0))
        canvas.paste(whole.resize((width, top), box=(0, fit_height, width, fit_height)), (0, top + fit_height))
    if left > 0:
        canvas.paste(whole.resize((left, height), box=(0, 0, 0, height)), (0, 0))
        canvas.paste(whole.resize((left, height), box=(fit_width, 0, fit_width, height)), (left + fit_width, 0))
    return canvas
