"""Puts the original back over the result where the mask protects it, and fills the masked part before a run."""

from PIL import Image, ImageFilter, ImageOps

from webui.imaging.masks import Box
from webui.imaging.resize import fitted

_FILL_BLURS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))  # radius in pixels, number of times it is pasted


def protected(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The protected part of the picture, RGBA: transparent where the mask (L, same size) is white."""
    kept = Image.new("RGBa", picture.size)
    kept.paste(picture.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask.convert("L")))
    return kept.convert("RGBA")


def filled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with what the mask covers replaced by the colours around it, ever finer towards its rim (RGB)."""
    hole = Image.new("RGBa", picture.size)
    hole.paste(picture.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask.convert("L")))
    canvas = Image.new("RGBA", picture.size)
    for radius, times in _FILL_BLURS:
        layer = hole.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            canvas.alpha_composite(layer)
    return canvas.convert("RGB")


def placed(picture: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """The picture scaled into a box of an otherwise transparent canvas (RGBA) of that size."""
    left, top, right, bottom = box
    canvas = Image.new("RGBA", size)
    canvas.paste(fitted(picture, "crop", right - left, bottom - top), (left, top))
    return canvas


def laid_over(picture: Image.Image, overlay: Image.Image) -> Image.Image:
    """The overlay (RGBA) over the picture of the same size, RGB."""
    return Image.alpha_composite(picture.convert("RGBA"), overlay).convert("RGB")


def composite(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The repainted part alone, RGBA: transparent where the mask is black."""
    shape = fitted(mask.convert("L"), "fill", picture.width, picture.height)
    nothing = Image.new("RGBa", picture.size)
    return Image.composite(picture.convert("RGBA").convert("RGBa"), nothing, shape).convert("RGBA")
