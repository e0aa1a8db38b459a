"""Growing a picture on chosen sides, as both outpainting scripts of A1111 do it, and putting the old part back."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from PIL import Image

from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import Img2Img
from webui.imaging.masks import blurred, doubled
from webui.imaging.outpaint import Margins
from webui.imaging.overlay import laid_over, protected

UNIT = 64  # pixels; sides of a grown picture are multiples of it
SIDES = ("left", "right", "up", "down")


def margins(size: tuple[int, int], pixels: int, sides: Collection[str]) -> Margins:
    """Pixels to add on each side so that the picture's sides become multiples of 64."""
    left, right = _spread(size[0], pixels * ("left" in sides), pixels * ("right" in sides))
    top, bottom = _spread(size[1], pixels * ("up" in sides), pixels * ("down" in sides))
    return Margins(left, right, top, bottom)


def _spread(length: int, before: int, after: int) -> tuple[int, int]:
    missing = math.ceil((length + before + after) / UNIT) * UNIT - length
    if before:
        before = before * missing // (before + after)
    return before, missing - before if after else after


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a grown picture that is to be painted.

    Attributes:
        picture: RGB.
        mask: L; where it is black the picture is put back over what was painted, after a blur.
        latent_mask: L; where it is white latents are painted. It is not blurred.
    """

    picture: Image.Image
    mask: Image.Image
    latent_mask: Image.Image

    def task(self, task: Img2Img, content: str) -> Img2Img:
        """The part as a task; the picture is put back by `finished`, because the mask of that is another one."""
        inpainting = Inpainting.model_validate(
            {
                "mask": Mask.of(self.latent_mask), "mask_blur_x": 0, "mask_blur_y": 0, "content": content,
                "overlay": False,
            }
        )  # fmt: skip
        changes = {"image": Picture.of(self.picture), "further_images": (), "inpainting": inpainting}
        return task.model_copy(update={**changes, "outpainting": None, "resize_mode": "resize"})

    def finished(self, painted: Image.Image, blur: tuple[int, int]) -> Image.Image:
        """What was painted with the protected part of the picture over it; `blur` in pixels across and down."""
        shield = doubled(blurred(self.mask, *blur))
        return laid_over(painted, protected(self.picture, shield))
