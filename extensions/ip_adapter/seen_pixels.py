"""The square that an image encoder looks at, made of a picture."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .options import Fit

MEAN = (0.48145466, 0.4578275, 0.40821073)  # of CLIP's training pictures
STD = (0.26862954, 0.26130258, 0.27577711)
_BORDER = tuple(round(255 * one) for one in MEAN)  # nothing, once it is normalised


def seen_pixels(picture: Image.Image, mask: Image.Image | None, fit: Fit, side: int) -> Tensor:
    """(1, 3, side, side) normalised, on the CPU.

    Args:
        mask: L, of any size; what is white in it is not looked at.
        fit: `squeeze` stretches (the way of sd-webui-controlnet), `crop` takes the middle, `pad` adds a border.
    """
    shown = _square(picture.convert("RGB"), fit, side, _BORDER)
    values = torch.from_numpy(shown).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (MEAN, STD))
    pixels = (values - mean) / std
    if mask is None:
        return pixels
    hidden = mask.convert("L")
    if hidden.size != picture.size:
        hidden = hidden.resize(picture.size, Image.Resampling.NEAREST)
    return pixels * (1 - torch.from_numpy(_square(hidden, fit, side, (0,))).float() / 255)


def _square(picture: Image.Image, fit: Fit, side: int, border: tuple[int, ...]) -> NDArray[np.uint8]:
    """(side, side, 3), or (side, side) of a mask."""
    if fit == "squeeze":
        return np.asarray(cv2.resize(np.asarray(picture), (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    width, height = picture.size
    scale = side / (max(width, height) if fit == "pad" else min(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    near = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    if fit == "crop":
        return np.array(near.crop((left, top, left + side, top + side)))
    whole = Image.new(picture.mode, (side, side), border if len(border) > 1 else border[0])
    whole.paste(near, (-left, -top))
    return np.array(whole)
