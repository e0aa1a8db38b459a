"""Events as bytes, for a way between hosts: pictures in them are PNG, a third to a half of what their pixels take.

Only for bytes from an actor that this program has started: unpickling runs what they say.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any

from PIL import Image

from webui.executors.protocol import Event

LEVEL = 1  # of compression: the way is fast, and whoever packs has other things to do
_MODES = frozenset({"1", "L", "LA", "RGB", "RGBA"})  # which PNG gives back to the pixel


class _Packer(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Image.Image) and obj.mode in _MODES and obj.width and obj.height:
            file = io.BytesIO()
            obj.save(file, "PNG", compress_level=LEVEL)
            return opened, (file.getvalue(), dict(obj.info))
        return NotImplemented


def packed(event: Event) -> bytes:
    """The event with its pictures as PNG. Raises what pickling raises."""
    file = io.BytesIO()
    _Packer(file, pickle.HIGHEST_PROTOCOL).dump(event)
    return file.getvalue()


def unpacked(data: bytes) -> Event:
    """The event again; its pictures are the same to the pixel."""
    event: Event = pickle.loads(data)
    return event


def opened(png: bytes, info: Mapping[str, Any]) -> Image.Image:
    """A picture from PNG, as plain pixels in memory."""
    with Image.open(io.BytesIO(png)) as found:
        image = Image.frombytes(found.mode, found.size, found.tobytes())
    image.info.update(info)
    return image
