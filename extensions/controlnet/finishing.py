"""Changes of the finished picture by units: inpainting units keep what they did not repaint, recolouring units put back
the lightness.
"""

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .units import PreparedUnit

_SOFTENING = 7  # pixels by which the border of a mask grows and is blurred


def kept(one: PreparedUnit, pixels: Tensor) -> Tensor:
    """The pixels (3, H, W), float32 in 0..1, with the unit's own picture outside its (grown and blurred) mask."""
    if one.module.name != "inpaint_only":
        return pixels
    size = (pixels.shape[-2], pixels.shape[-1])
    repainted = one.repainted(*size)
    if repainted is None:
        return pixels
    grown = cv2.dilate(repainted[0, 0].numpy(), np.ones((_SOFTENING, _SOFTENING), np.uint8))
    share = torch.from_numpy(cv2.blur(grown, (_SOFTENING, _SOFTENING)))
    return (pixels * share + one.source(*size)[0] * (1 - share)).clamp(0, 1)


def lit(one: PreparedUnit, image: Image.Image) -> Image.Image:
    """The colours of the picture with the lightness (or value) of a recolouring unit's map."""
    if not one.module.name.startswith("recolor"):
        return image
    light = one.map_for(image.height, image.width)[:, :, 0]
    there, back, channel = (
        (cv2.COLOR_RGB2LAB, cv2.COLOR_LAB2RGB, 0)
        if one.module.name == "recolor_luminance"
        else (cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2)
    )
    pixels = cv2.cvtColor(np.asarray(image), there)
    pixels[:, :, channel] = light
    return Image.fromarray(cv2.cvtColor(pixels, back).astype(np.uint8))
