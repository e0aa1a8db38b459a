"""The work of the tab Extras on one picture: it enlarges by two upscalers, blends, crops, and says so in a text."""

from collections.abc import Callable

from PIL import Image

from webui.domain.upscale import Upscale
from webui.imaging.upscale import UpscalerPass, is_in_eights, rounded, upscale

Whole = Callable[[float], int]  # which whole number of pixels a side gets
PassOf = Callable[[str, float, Whole], UpscalerPass]  # (name of an upscaler, factor wanted, for filters) -> its pass
NONE = "None"


def enlarge(image: Image.Image, options: Upscale, pass_of: PassOf) -> tuple[Image.Image, str]:
    """The picture as the options want it, RGB or RGBA, and the text `Postprocess upscale by: 2.0, ...`.

    Without a first upscaler the picture stays as it is and the text is empty, as in A1111.
    """
    if options.upscaler == NONE:
        return image, ""
    told: dict[str, object] = {}
    made = _one(image, options, pass_of, options.upscaler, told)
    told["Postprocess upscaler"] = options.upscaler
    if options.second_upscaler != NONE and options.second_visibility > 0:
        second = _one(image, options, pass_of, options.second_upscaler, told).convert(made.mode)
        made = Image.blend(made, second, options.second_visibility)
        told["Postprocess upscaler 2"] = options.second_upscaler
    return made, ", ".join(f"{key}: {value}" for key, value in told.items())


def _one(image: Image.Image, options: Upscale, pass_of: PassOf, name: str, told: dict[str, object]) -> Image.Image:
    """The picture enlarged by one upscaler. The facts for the text are added to `told`."""
    if options.mode == "to":
        width, height, crop = options.width, options.height, options.crop
        told["Postprocess upscale to"] = f"{width}x{height}"
        scale = max(width / image.width, height / image.height)
    else:
        crop, scale = False, options.scale
        told["Postprocess upscale by"] = scale
        longer = max(image.size)
        if options.max_side and longer * scale > options.max_side:
            scale = options.max_side / longer
            told["Max side length"] = options.max_side
    in_eights = options.in_eights and is_in_eights(image)
    made = upscale(image, scale, pass_of(name, scale, int if in_eights else rounded), in_eights=in_eights)
    if crop:
        canvas = Image.new(made.mode, (width, height))
        canvas.paste(made, (width // 2 - made.width // 2, height // 2 - made.height // 2))
        made = canvas
        told["Postprocess crop to"] = f"{width}x{height}"
    return made
