"""The canvas of img2img and Inpaint: draws the component, and reads what it gave when a job was submitted.

The browser sends a dict of JSON with names of files, never pixels (`static/canvas_value.js` describes it): `picture` is
an uploaded file or the id of a picture that this program made, `mask` and `paint` are uploaded files of the picture's
size, `frame` tells how far the picture shall grow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio import utils
from PIL import Image, ImageChops

from webui.domain.errors import BadRequestError
from webui.domain.images import Picture, safe_open, upright
from webui.domain.masks import Mask
from webui.imaging.sketch import blended, paint_mask, painted_over
from webui.ui.own import own
from webui.ui.uploads import foreign_file

SIDES = ("left", "right", "top", "bottom")
PictureFile = Callable[[str], Path | bytes]  # id -> file or its bytes; BadRequestError where the user may not see it
NO_PICTURE = "Drop a picture first."
NO_MASK = "Nothing is masked yet: paint over what shall change."
_NO_FRAME: Mapping[str, int] = MappingProxyType({})


def draw() -> gr.HTML:
    """Draw the canvas inside the caller's Blocks. Its value is made in the browser: `window.webui.canvas.value()`."""
    return own("canvas", elem_id="img2maskimg")


@dataclass(frozen=True, slots=True)
class CanvasValue:
    """What was on the canvas.

    Attributes:
        picture: as its file has it, turned upright.
        mask: white is repainted, grey partly; None where nothing was masked.
        paint: colours, RGBA of the picture's size; None where nothing was painted.
        frame: pixels to add, by side; only sides that grow.
    """

    picture: Image.Image
    mask: Mask | None = None
    paint: Image.Image | None = None
    frame: Mapping[str, int] = field(default_factory=lambda: _NO_FRAME)

    def painted(self) -> Image.Image:
        """The picture with the paint on it: where img2img starts. The picture itself where nothing was painted."""
        return self.picture if self.paint is None else painted_over(self._plain(), [self.paint])

    def masked(self, transparency: float = 0, blur: float = 0) -> tuple[Image.Image, Mask]:
        """Where inpainting starts, and its mask. What was painted is masked, too (Inpaint sketch).

        Args:
            transparency: 0..100 percent taken from the mask that paint makes.
            blur: standard deviation in pixels over which paint fades into the picture.

        Raises:
            BadRequestError: nothing is masked.
        """
        changed = None if self.paint is None else paint_mask(self._plain(), self.painted(), transparency)
        if changed is None:
            if self.mask is None:
                raise BadRequestError("mask", NO_MASK)
            return self.picture, self.mask
        start = blended(self._plain(), self.painted(), changed, blur)
        return start, Mask.of(changed if self.mask is None else ImageChops.lighter(changed, self.mask.open()))

    def _plain(self) -> Image.Image:
        """RGB, transparent parts on white."""
        return Picture.of(self.picture).open()


def read(value: Any, resolve: PictureFile) -> CanvasValue:
    """What a browser says is on the canvas.

    Args:
        value: as it came, not checked in any way.
        resolve: finds the file of a picture by its id, for the user who sent the value.

    Raises:
        BadRequestError: there is no picture; a file was not uploaded here, cannot be opened, or has another size than
            the browser saw.
    """
    sent = value if isinstance(value, Mapping) else {}
    if not sent.get("picture"):
        raise BadRequestError("picture", NO_PICTURE)
    picture = _opened("picture", sent["picture"], resolve)
    _check_size("picture", picture, sent.get("size"))
    mask, paint = (_opened(name, sent[name], None) if sent.get(name) else None for name in ("mask", "paint"))
    for name, layer in (("mask", mask), ("paint", paint)):
        if layer is not None:
            _check_size(name, layer, picture.size)
    return CanvasValue(
        picture,
        Mask.of(mask) if mask is not None and mask.convert("L").getbbox() else None,
        paint.convert("RGBA") if paint is not None and paint.convert("RGBA").getchannel("A").getbbox() else None,
        _frame(sent.get("frame")),
    )


def _opened(name: str, sent: Any, resolve: PictureFile | None) -> Image.Image:
    """An uploaded file, or a picture by its id where `resolve` is given."""
    named = {"path": sent} if isinstance(sent, str) else sent
    if not isinstance(named, Mapping):
        raise BadRequestError(name, "should be an uploaded file or the id of a picture")
    if resolve is not None and isinstance(found := named.get("id"), str):
        file: Path | bytes = resolve(found)
    else:
        path = named.get("path")
        if not isinstance(path, str) or foreign_file({"path": path}, Path(utils.get_upload_folder())) is not None:
            raise BadRequestError(name, "was not uploaded here; put it on the canvas again")
        file = Path(path)
        if not file.is_file():
            raise BadRequestError(name, "is no longer on the server; put it on the canvas again")
    try:
        return upright(safe_open(file))
    except ValueError as error:
        raise BadRequestError(name, str(error)) from None


def _check_size(name: str, picture: Image.Image, size: Any) -> None:
    """Whether a layer is as large as it should be; a browser that turned a picture otherwise painted elsewhere."""
    if size is not None and [*picture.size] != ([*size] if isinstance(size, list | tuple) else size):
        raise BadRequestError(name, f"has {picture.width} x {picture.height} pixels, and {size} on the canvas")


def _frame(sent: Any) -> Mapping[str, int]:
    """The sides that grow. Whether they may grow so far is checked with the request."""
    if sent is None:
        return _NO_FRAME
    if not isinstance(sent, Mapping) or any(type(sent.get(side, 0)) is not int for side in SIDES):
        raise BadRequestError("frame", f"should tell whole pixels for {', '.join(SIDES)} (it is {sent!r})")
    return MappingProxyType({side: sent[side] for side in SIDES if sent.get(side)})
