"""Opens image files that strangers made: formats we chose, sizes from the header before anything is decoded.

Reading the parameters in them is in `metadata.py`.
"""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from webui.domain.errors import BadRequestError

MAX_PIXELS = 40_000_000
MAX_FILE = 128 * 1024 * 1024  # bytes
MAX_TEXT = 2_000_000  # characters of all text entries together
FORMATS = ("PNG", "JPEG", "WebP", "GIF", "BMP")

_BROKEN = (
    OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, ArithmeticError, struct.error, zlib.error,
)  # fmt: skip  # what Pillow's plugins raise on damaged files

Opener = Callable[[io.BytesIO], ImageFile.ImageFile]


def safe_open(source: bytes | Path) -> Image.Image:
    """Decode an image (of an animation: its first frame).

    Pillow's plugins are called by name and not through `Image.open`: that one tries formats which start external
    programs, and only warns of sizes up to 179 megapixels.

    Args:
        source: the bytes of a PNG, JPEG, WebP, GIF or BMP file, or the path of one.

    Raises:
        BadRequestError: field `image`: unknown format, broken, more than 40 megapixels, 128 MiB, or 2 million
            characters of text.
    """
    data = _read(source)
    opener = _opener(data)
    try:
        image = opener(io.BytesIO(data))
        _check_size(image.size)
        image.load()
    except MemoryError:
        raise BadRequestError("image", "does not fit into memory; send a smaller one") from None
    except _BROKEN as error:
        raise BadRequestError("image", f"is broken ({type(error).__name__}); save it anew") from error
    texts = [value for key, value in image.info.items() if isinstance(value, str) or key == "comment"]
    if sum(map(len, texts)) > MAX_TEXT:
        raise BadRequestError("image", f"has more than {MAX_TEXT} characters of text in it; remove its metadata")
    return image


def _read(source: bytes | Path) -> bytes:
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > MAX_FILE:
            raise BadRequestError("image", f"the file has {size} bytes; at most {MAX_FILE} are read")
        return source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise BadRequestError("image", f"cannot be read: {error.strerror}") from error


def _opener(data: bytes) -> Opener:
    """The plugin for these first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_size(_webp_size(data))  # its plugin reserves memory for the canvas when it opens the file
        return WebPImagePlugin.WebPImageFile
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return GifImagePlugin.GifImageFile
    if data.startswith(b"BM"):
        return BmpImagePlugin.BmpImageFile
    raise BadRequestError("image", f"is none of {', '.join(FORMATS)}; convert it to one of these")


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise BadRequestError(
            "image", f"has {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels are read"
        )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels from the first chunk of a WebP file (RFC 9649), (0, 0) where it has another kind."""
    kind, start = data[12:16], data[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return int.from_bytes(start[4:7], "little") + 1, int.from_bytes(start[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(start[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(start[6:8], "little") & 0x3FFF, int.from_bytes(start[8:10], "little") & 0x3FFF
    return 0, 0
