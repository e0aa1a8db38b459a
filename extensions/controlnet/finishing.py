"""What a unit does to the finished picture: keep what inpainting did not repaint, give recoloured ones their light."""

import cv2
import numpy as np
from PIL import Image

from .units import Prepared

_SOFTENING = 7  # pixels by which the border of a mask grows and is blurred


def finished(one: Prepared, image: Image.Image) -> Image.Image:
    """The picture as this unit leaves it."""
    name = one.module.name
    if name == "inpaint_only":
        return _kept(one, image)
    if name.startswith("recolor"):
        return _lit(one, image)
    return image


def _kept(one: Prepared, image: Image.Image) -> Image.Image:
    """Outside of the mask, grown and softened, the unit's own picture."""
    drawn = one.map_for(image.height, image.width)
    square = np.ones((_SOFTENING, _SOFTENING), np.uint8)
    mask = cv2.dilate((drawn[:, :, 3] > 127).astype(np.float32), square)
    share = cv2.blur(mask, (_SOFTENING, _SOFTENING))[:, :, None]
    mixed = (np.asarray(image, np.float32) + 0.5) * share + drawn[:, :, :3].astype(np.float32) * (1 - share)
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def _lit(one: Prepared, image: Image.Image) -> Image.Image:
    """The colours of the picture with the lightness (or value) of the map."""
    light = one.map_for(image.height, image.width)[:, :, 0]
    there, back, channel = (
        (cv2.COLOR_RGB2LAB, cv2.COLOR_LAB2RGB, 0)
        if one.module.name == "recolor_luminance"
        else (cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2)
    )
    pixels = cv2.cvtColor(np.asarray(image), there)
    pixels[:, :, channel] = light
    return Image.fromarray(cv2.cvtColor(pixels, back).astype(np.uint8))
