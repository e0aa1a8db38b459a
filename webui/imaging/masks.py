"""Masks as pictures: reads and blurs them, and finds the box for "only masked". They are mode L; white is repainted.

How a mask acts on latents is in `webui/sampling/masking.py`.
"""

from typing import TYPE_CHECKING

from PIL import Image, ImageChops

if TYPE_CHECKING:
    import numpy as np

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside

SURE = 128  # an alpha value above this counts as painted
_FRACTION = 256  # OpenCV's fixed-point kernels for 8-bit pictures have 8 fractional bits


def coverage(mask: Image.Image, *, rounded: bool) -> Image.Image:
    """Where a mask paints, mode L.

    Args:
        mask: L, or LA where the alpha channel is the mask (`webui.domain.masks` makes these two).
        rounded: alpha counts as all or nothing.
    """
    if mask.mode != "LA":
        return mask.convert("L")
    alpha = mask.getchannel("A")
    return alpha.point([255 if value > SURE else 0 for value in range(256)]) if rounded else alpha


def blurred(mask: Image.Image, blur_x: int, blur_y: int) -> Image.Image:
    """Gaussian blur with a standard deviation in pixels for each axis, exactly as OpenCV blurs 8-bit pictures.

    The kernel reaches int(2.5 x blur + 0.5) pixels to both sides; the picture is mirrored at its border, whose own row
    is not repeated. Each axis is rounded to 8 bits.
    """
    import numpy as np  # both here because they are slow, and every process imports this module
    from scipy.ndimage import correlate1d

    values = np.asarray(mask, np.int32)
    for axis, blur in ((1, blur_x), (0, blur_y)):
        if blur > 0:
            mixed = correlate1d(values, _kernel(blur), axis=axis, mode="mirror")
            values = (mixed + _FRACTION // 2) // _FRACTION
    return Image.fromarray(values.astype(np.uint8))


def _kernel(sigma: int) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    """Whole weights with sum 256; rounding errors are carried from the outermost weight inwards."""
    import numpy as np

    reach = int(2.5 * sigma + 0.5)
    exact = np.exp(-(np.arange(-reach, 1) ** 2) / (2.0 * sigma * sigma))
    exact *= _FRACTION / (2 * exact[:-1].sum() + exact[-1])
    side, error = [], 0.0
    for weight in exact[:-1]:
        whole = round(float(weight) + error)
        error += float(weight) - whole
        side.append(whole)
    return np.array([*side, _FRACTION - 2 * sum(side), *reversed(side)], np.int32)


def doubled(mask: Image.Image) -> Image.Image:
    """Values times two: of the rim that blurring made, the outer half protects and the inner half does not."""
    return ImageChops.add(mask, mask)


def painted_box(mask: Image.Image, padding: int) -> Box | None:
    """The smallest box around everything that is not black, with `padding` pixels more; None where all is black."""
    found = mask.getbbox()
    if found is None:
        return None
    left, top, right, bottom = found
    return (
        max(left - padding, 0),
        max(top - padding, 0),
        min(right + padding, mask.width),
        min(bottom + padding, mask.height),
    )


def with_aspect(box: Box, target: tuple[int, int], image: tuple[int, int]) -> Box:
    """The box made longer on one axis so that it has the aspect of `target`, as far as the image allows.

    Args:
        target, image: (width, height) in pixels.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    aspect = target[0] / target[1]
    if width / height > aspect:
        top, bottom = _lengthened(top, bottom, int(width / aspect - height), image[1])
    else:
        left, right = _lengthened(left, right, int(height * aspect - width), image[0])
    return left, top, right, bottom


def _lengthened(start: int, end: int, extra: int, limit: int) -> tuple[int, int]:
    """The range with half of `extra` (rounded down) added before it and the rest after it, shifted into 0..limit, and
    cut where it does not fit.
    """
    start, end = start - extra // 2, end + extra - extra // 2
    over = max(0, end - limit)
    start, end = start - over, end - over
    under = max(0, -start)
    return start + under, min(end + under, limit)
