"""What the composition root hands to the API, so that no route reads a setting."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from webui.api.sdapi.dialect.options import FixedOptions
from webui.domain.errors import BusyError
from webui.domain.result import GeneratedImage
from webui.engine.engine import Engine
from webui.installing.live import InstallDoor
from webui.jobs.watched import Flag
from webui.prompt.styles import Style


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The bytes of an image file and their media type (`image/png`)."""

    data: bytes
    media_type: str


def as_png(image: Image.Image) -> EncodedImage:
    """A picture without parameters: a detected map, what an action made."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return EncodedImage(buffer.getvalue(), "image/png")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the routes work with.

    Attributes:
        encode: an image as a file, with its infotext inside.
        styles: reads the saved styles.
        flags: the program's settings without secrets, shown by `cmd-flags`.
        save_always: save images of the API also where the request does not ask.
        installing: how extensions are installed, and by whom; None: not here.
        closing: set when the server is to stop; new work is refused from then on.
    """

    engine: Engine
    encode: Callable[[GeneratedImage], EncodedImage]
    styles: Callable[[], Mapping[str, Style]] = dict
    options: FixedOptions = field(default_factory=FixedOptions)
    flags: Mapping[str, Any] = field(default_factory=dict)
    save_always: bool = False
    installing: InstallDoor | None = None
    closing: Flag = field(default_factory=Flag)

    def refuse_when_closing(self) -> None:
        """Raises BusyError once the server is stopping."""
        if self.closing.is_set():
            raise BusyError("the server is stopping; try again when it is back")
