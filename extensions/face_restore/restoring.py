"""Restores the faces of one picture, one after another, with any detector and restorer."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .alignment import Face, alignment, largest_first
from .cutting import cut, paste, soft_mask, touches

Pixels = NDArray[np.float32]  # (512, 512, 3), RGB in 0..1


class Restorer(Protocol):
    """A network that restores one aligned face."""

    def __call__(self, pixels: Pixels) -> Pixels: ...


class Detector(Protocol):
    """Finds faces in a picture, (h, w, 3) RGB of 8 bits."""

    def __call__(self, pixels: NDArray[np.uint8]) -> Sequence[Face]: ...


def restore(
    image: Image.Image,
    faces: Sequence[Face],
    restorer: Restorer,
    visibility: float,
    stopped: Callable[[], bool] = lambda: False,
) -> Image.Image:
    """The picture with its faces restored; transparency stays. One face at a time is in memory.

    Args:
        visibility: 0..1, share of the restored picture. At 0, or where no face can be used, the result is `image`
            itself.
        stopped: called before each face; where it says True, the faces restored so far stay.
    """
    if visibility <= 0:
        return image
    made, mask, done = image.convert("RGB"), soft_mask(), 0
    if made is image:
        made = image.copy()
    for face in largest_first(faces):
        matrix = alignment(face, image.size)
        if matrix is None or not touches(image.size, matrix):
            continue
        if stopped():
            break
        pixels = np.asarray(cut(made, matrix), np.float32) / np.float32(255)
        paste(made, _picture(restorer(pixels)), matrix, mask)
        done += 1
    if not done:
        return image
    if visibility < 1:
        made = Image.blend(image.convert("RGB"), made, visibility)
    if image.has_transparency_data:
        made.putalpha(image.convert("RGBA").getchannel("A"))
    return made


def _picture(pixels: Pixels) -> Image.Image:
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
