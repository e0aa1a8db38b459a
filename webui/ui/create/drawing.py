"""What the canvas gave at the moment of submitting: the picture to start from, mask, paint, and the frame.

It is a dict of JSON: `picture` is an uploaded file or `{"id": ...}`, the id of a picture that this program made; `mask`
and `paint` are uploaded files of the picture's size; `frame` says by how many pixels the picture grows on each side.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gradio import utils
from PIL import Image, ImageChops

from webui.domain.errors import BadRequestError
from webui.domain.images import Picture, safe_open
from webui.domain.masks import Mask
from webui.imaging.sketch import blended, paint_mask, painted_over
from webui.ui.uploads import foreign_file

SIDES = ("left", "right", "top", "bottom")
FindPicture = Callable[[str, str], Path | bytes]  # (id of a picture, who asks) -> its file or what is in it
NO_PICTURE = "drop one on the canvas first, or send one there"
NO_MASK = "nothing is masked yet: paint over what shall change"
_NO_FRAME: Mapping[str, int] = MappingProxyType({})


def no_pictures(picture: str, owner: str) -> Path | bytes:
    """Stands in where no picture has an id.

    Raises:
        BadRequestError: always.
    """
    raise BadRequestError("picture", f"there is no picture {picture!r}")


@dataclass(frozen=True, slots=True)
class Drawing:
    """The layers as pictures.

    Attributes:
        picture: where the run starts, before paint.
        mask: what may change, as it was painted or uploaded; None where nothing is masked.
        paint: colours on the picture, RGBA; None where there are none.
        frame: pixels to add by side; empty where the frame is the picture's own.
    """

    picture: Image.Image
    mask: Image.Image | None = None
    paint: Image.Image | None = None
    frame: Mapping[str, int] = field(default_factory=lambda: _NO_FRAME)

    def painted(self) -> Image.Image:
        """The picture with the paint on it."""
        return self.picture if self.paint is None else painted_over(self._original(), [self.paint])

    def masked(self, transparency: float = 0, blur: float = 0) -> tuple[Image.Image, Mask]:
        """The start and the mask of inpainting. Where colours are painted, they are a mask, too (Inpaint sketch).

        Args:
            transparency: 0..100 percent taken from the mask that colours make.
            blur: standard deviation in pixels over which colours fade into the picture.

        Raises:
            BadRequestError: nothing is masked.
        """
        changed = None if self.paint is None else paint_mask(self._original(), self.painted(), transparency)
        if changed is None and self.mask is None:
            raise BadRequestError("mask", NO_MASK)
        if changed is None:
            return self.picture, Mask.of(_needed(self.mask))
        start = blended(self._original(), self.painted(), changed, blur)
        return start, Mask.of(changed if self.mask is None else _both(changed, Mask.of(self.mask)))

    def _original(self) -> Image.Image:
        return picture_of(self.picture).open()


def picture_of(image: Image.Image) -> Picture:
    """A picture as plain data.

    Raises:
        BadRequestError: it is too large.
    """
    try:
        return Picture.of(image)
    except ValueError as error:
        raise BadRequestError("picture", str(error)) from None


def drawing_of(sent: Any, find: FindPicture = no_pictures, owner: str = "") -> Drawing:
    """The layers that a browser sent.

    Args:
        sent: the canvas's value, not yet checked in any way.
        find: finds the file of a picture by its id.
        owner: who asks for it.

    Raises:
        BadRequestError: there is no picture, a file was not uploaded here, or it cannot be opened.
    """
    value = sent if isinstance(sent, Mapping) else {}
    picture = _opened(value.get("picture"), "picture", find, owner)
    if picture is None:
        raise BadRequestError("picture", NO_PICTURE)
    mask = _opened(value.get("mask"), "mask", find, owner)
    if mask is not None and mask.getbbox(alpha_only=True) is None:
        mask = None
    paint = _opened(value.get("paint"), "paint", find, owner)
    return Drawing(picture, mask, paint, _frame(value.get("frame")))


def _opened(sent: Any, name: str, find: FindPicture, owner: str) -> Image.Image | None:
    """An uploaded file, or the picture of an id; None where nothing was sent."""
    if not sent:
        return None
    named = {"path": sent} if isinstance(sent, str) else sent
    if not isinstance(named, Mapping):
        raise BadRequestError(name, "should be an uploaded file or the id of a picture")
    if isinstance(found := named.get("id"), str):
        return safe_open(find(found, owner))
    path = named.get("path")
    if not isinstance(path, str) or foreign_file({"path": path}, Path(utils.get_upload_folder())) is not None:
        raise BadRequestError(name, "was not uploaded here")
    return safe_open(Path(path))


def _frame(sent: Any) -> Mapping[str, int]:
    """The margins that are not 0."""
    if not isinstance(sent, Mapping):
        return {}
    return {side: int(sent[side]) for side in SIDES if isinstance(sent.get(side), int | float) and int(sent[side])}


def _needed(mask: Image.Image | None) -> Image.Image:
    if mask is None:
        raise BadRequestError("mask", NO_MASK)
    return mask


def _both(changed: Image.Image, mask: Mask) -> Image.Image:
    """Where either of two masks is white; mode L."""
    other = mask.open()
    grey = other.getchannel("A") if other.mode == "LA" else other.convert("L")
    return ImageChops.lighter(changed, grey if grey.size == changed.size else grey.resize(changed.size))
