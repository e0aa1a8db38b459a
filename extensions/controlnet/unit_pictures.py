"""Chooses the picture and the mask of a unit: its own, or those of the img2img task, cropped as inpainting crops
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from webui.extension_api import (
    BadRequestError,
    GenerationRequest,
    Img2Img,
    Inpainting,
    Picture,
    blurred,
    coverage,
    fitted,
    painted_box,
    with_aspect,
)

from .maps import Map, three_channels
from .options import Fit, Unit

HALF = 127
_FITS: Mapping[str, Fit] = MappingProxyType(
    {"resize": "Just Resize", "crop": "Crop and Resize", "fill": "Resize and Fill"}
)
_MODES: Mapping[Fit, Literal["resize", "crop", "fill"]] = MappingProxyType(
    {"Just Resize": "resize", "Crop and Resize": "crop", "Resize and Fill": "fill"}
)


@dataclass(frozen=True)
class Seen:
    """The picture and the mask of a unit.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, above 127: repaint; None without one. It is made 0 or 255 only at its final size.
        fit: how the map is brought to size. With the task's picture this is the resize mode of the task.
    """

    picture: Map
    mask: NDArray[np.uint8] | None
    fit: Fit


def seen_by(unit: Unit, request: GenerationRequest, path: str, *, crops: bool) -> Seen:
    """The picture and the mask of a unit.

    Args:
        path: of the unit in the request, for errors.
        crops: whether its module uses the part to which "only masked" inpainting crops (reference does not).

    Raises:
        BadRequestError: there is no picture.
    """
    task = request.task
    inpainting = task.inpainting if isinstance(task, Img2Img) else None
    mask = _drawn_mask(inpainting) if inpainting else None
    fit = unit.resize_mode
    if unit.image is not None:
        picture = pixels_of(unit.image)
        own = own_mask(unit.mask, picture)
    elif isinstance(task, Img2Img):
        picture, fit = pixels_of(task.image), _FITS.get(task.resize_mode, unit.resize_mode)
        own = own_mask(unit.mask, picture) if unit.mask else _at_size_of(mask, picture)
    else:
        raise BadRequestError(f"{path}.image", "there is no picture; send one, or choose img2img")
    if (
        inpainting is None
        or mask is None
        or inpainting.area != "masked"
        or not (crops and unit.inpaint_crop_input_image)
    ):
        return Seen(picture, own, fit)
    return _cropped(Seen(picture, own, fit), mask, inpainting, request)


def pixels_of(picture: Picture) -> Map:
    """(H, W, 3) uint8 RGB; transparent parts lie on white."""
    return np.ascontiguousarray(three_channels(np.array(picture.open())))


def own_mask(mask: Picture | None, picture: Map) -> NDArray[np.uint8] | None:
    """The mask that comes with a picture, at the size of that picture."""
    if mask is None:
        return None
    return _at_size_of(Image.fromarray(np.ascontiguousarray(pixels_of(mask)[:, :, 0])), picture)


def _at_size_of(mask: Image.Image | None, picture: Map) -> NDArray[np.uint8] | None:
    if mask is None:
        return None
    height, width = picture.shape[:2]
    return np.array(mask.resize((width, height), Image.Resampling.NEAREST) if mask.size != (width, height) else mask)


def _drawn_mask(inpainting: Inpainting) -> Image.Image:
    """The task's mask after inversion and blur (L, in its own size)."""
    mask = coverage(inpainting.mask.open(), rounded=inpainting.rounded)
    if inpainting.invert:
        mask = ImageOps.invert(mask)
    return blurred(mask, inpainting.mask_blur_x, inpainting.mask_blur_y)


def _cropped(seen: Seen, mask: Image.Image, inpainting: Inpainting, request: GenerationRequest) -> Seen:
    """The part around the mask, at the size of the request.

    As in A1111 the picture is first brought to the size of the mask, so that it lies on the task's picture.
    """
    found = painted_box(mask, inpainting.padding)
    if found is None:
        return seen
    size = (request.width, request.height)
    box = with_aspect(found, size, mask.size)

    def close(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        lying = fitted(Image.fromarray(pixels), _MODES[seen.fit], *mask.size)
        return np.array(fitted(lying.crop(box), "fill", *size))

    return Seen(close(seen.picture), None if seen.mask is None else close(seen.mask), seen.fit)
