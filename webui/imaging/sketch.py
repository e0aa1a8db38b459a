"""Inpaint sketch: lays painted colours over a picture, and finds where they changed it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter


def painted_over(picture: Image.Image, layers: Sequence[Image.Image]) -> Image.Image:
    """An RGB picture with layers on it, the last on top.

    Args:
        layers: with transparency; of another size than the picture they are resized to it.
    """
    painted = picture.convert("RGBA")
    for layer in layers:
        paint = layer.convert("RGBA")
        painted.alpha_composite(paint if paint.size == painted.size else paint.resize(painted.size))
    return painted.convert("RGB")


def paint_mask(original: Image.Image, painted: Image.Image, transparency: float = 0.0) -> Image.Image | None:
    """The mask of the changed pixels, mode L; None where nothing was changed or nothing of the mask would be left.

    Args:
        original, painted: RGB, of equal size.
        transparency: 0..100 percent taken from the mask's brightness.
    """
    changed = np.any(np.asarray(original) != np.asarray(painted), axis=-1)
    mask = Image.fromarray(np.where(changed, 255, 0).astype(np.uint8))
    mask = ImageEnhance.Brightness(mask).enhance(1 - transparency / 100)
    return mask if mask.getbbox() else None


def blended(original: Image.Image, painted: Image.Image, mask: Image.Image, blur: float) -> Image.Image:
    """The picture from which inpainting a sketch starts: the blurred paint fades into the original along the blurred
    mask.

    Args:
        blur: standard deviation in pixels of both.
    """
    soft = ImageFilter.GaussianBlur(blur)
    return Image.composite(painted.filter(soft), original, mask.filter(soft))


def paint_alpha(size: tuple[int, int], layers: Sequence[Image.Image]) -> Image.Image:
    """Mode L: how opaque the paint is at each pixel, whatever its colour; the strongest layer counts."""
    strongest = Image.new("L", size)
    for layer in layers:
        alpha = layer.convert("RGBA").getchannel("A")
        strongest = ImageChops.lighter(strongest, alpha if alpha.size == size else alpha.resize(size))
    return strongest
