"""Pictures that strangers made: files opened with care, and the picture as a field of a request.

Formats are those we chose, sizes are read from the header before anything is decoded. Reading the parameters in image
files is in `output/metadata.py`.
"""

import base64
import binascii
import contextlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)  # fmt: skip
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from webui.domain.errors import BadRequestError

MAX_PIXELS = 40_000_000
MAX_FILE = 128 * 1024 * 1024  # bytes
MAX_TEXT = 2_000_000  # characters of all text entries together
HEAD = 4 * 1024 * 1024  # bytes of a PNG or JPEG file that hold its size and its texts
FORMATS = ("PNG", "JPEG", "WebP", "AVIF", "TIFF", "GIF", "BMP")

_BROKEN = (
    OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, ArithmeticError, struct.error, zlib.error,
)  # fmt: skip  # what Pillow's plugins raise on damaged files

_HEAD_IS_ENOUGH = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")

Opener = Callable[[io.BytesIO], ImageFile.ImageFile]


@dataclass(frozen=True, slots=True)
class Picture:
    """An RGB picture of 8 bits as plain data: it can be compared, hashed, pickled and kept in a request.

    Fields that keep transparent parts (`ClearImageField`) have it as RGBA.

    Attributes:
        png: a PNG of nothing but the pixels; the same pixels give the same bytes.
        width, height: in pixels.
    """

    png: bytes = field(repr=False)
    width: int
    height: int

    @classmethod
    def of(cls, image: Image.Image, *, clear: bool = False) -> Self:
        """From any picture: turned upright, transparent parts on white (unless `clear`), 16 bits cut to 8.

        Raises:
            ValueError: it has more than 40 megapixels, or none.
        """
        turned = _of_eight_bits(upright(image))
        return cls._packed(_with_alpha(turned) if clear and turned.has_transparency_data else _flattened(turned))

    @classmethod
    def _packed(cls, plain: Image.Image) -> Self:
        out = io.BytesIO()
        plain.save(out, "PNG", compress_level=1)
        return cls(out.getvalue(), plain.width, plain.height)

    @classmethod
    def on(cls, image: Image.Image, colour: str) -> Self:
        """As `of`, transparent parts on a colour of the form `#rrggbb`."""
        return cls._packed(_flattened(upright(image), colour))

    @classmethod
    def from_base64(cls, text: str, *, clear: bool = False) -> Self:
        """From the base64 of an image file, with or without a `data:image/...` prefix.

        Raises:
            ValueError: no base64, or no image that may be opened.
        """
        try:
            return cls.of(safe_open(file_of(text)), clear=clear)
        except BadRequestError as error:
            raise ValueError(error.message) from None

    def open(self) -> Image.Image:
        """The pixels, mode RGB; RGBA where the picture has transparent parts and they were kept."""
        image = PngImagePlugin.PngImageFile(io.BytesIO(self.png))
        image.load()
        return image

    def to_base64(self) -> str:
        """The PNG, without a prefix."""
        return base64.b64encode(self.png).decode("ascii")


def upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says. Raises ValueError where it has more than 40 megapixels, or none."""
    if not 0 < image.width * image.height <= MAX_PIXELS:
        raise ValueError(f"has {image.width} x {image.height} pixels; 1 to {MAX_PIXELS} are taken")
    return ImageOps.exif_transpose(image)


def _validated(value: Any, *, clear: bool = False) -> Picture:
    match value:
        case Picture():
            return value
        case Image.Image():
            return Picture.of(value, clear=clear)
        case str():
            return Picture.from_base64(value, clear=clear)
    raise ValueError("must be an image file in base64")


def _clear(value: Any) -> Picture:
    return _validated(value, clear=True)


ImageField = Annotated[
    Picture,
    PlainValidator(_validated),
    PlainSerializer(Picture.to_base64, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}),
]

ClearImageField = Annotated[  # as above, but transparent parts stay so
    Picture,
    PlainValidator(_clear),
    PlainSerializer(Picture.to_base64, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}),
]


def file_of(text: str) -> bytes:
    """The bytes of a file that came as base64, with or without a `data:image/...` prefix.

    Raises:
        ValueError: an address, or not base64.
    """
    if text.startswith(("http://", "https://")):
        raise ValueError("addresses are not fetched; send the image itself in base64")
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:image/") else text)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None


def safe_open(source: bytes | Path) -> Image.Image:
    """Decode an image (of an animation: its first frame).

    Pillow's plugins are called by name and not through `Image.open`: that one tries formats which start external
    programs, and only warns of sizes up to 179 megapixels.

    Args:
        source: the bytes of a file of one of `FORMATS`, or the path of one.

    Raises:
        BadRequestError: field `image`: unknown format, broken, more than 40 megapixels, 128 MiB, or 2 million
            characters of text.
    """
    data = _read(source)
    opener = _opener(data)
    with _broken_told():
        image = opener(io.BytesIO(data))
        _check_size(image.size)
        image.load()
    _check_texts(image)
    return image


def safe_head(path: Path) -> Image.Image:
    """An image whose size and texts were read, and whose pixels were not: it must not be decoded.

    Texts that stand behind the pixels of a PNG are not in it, nor is seen whether the pixels are whole.

    Raises:
        BadRequestError: as `safe_open`.
    """
    try:
        with path.open("rb") as file:
            start = file.read(HEAD)
    except OSError as error:
        raise BadRequestError("image", f"cannot be read: {error.strerror}") from error
    data = start if len(start) < HEAD or start.startswith(_HEAD_IS_ENOUGH) else _read(path)
    opener = _opener(data)
    with _broken_told():
        image = opener(io.BytesIO(data))
        _check_size(image.size)
    _check_texts(image)
    return image


@contextlib.contextmanager
def _broken_told() -> Iterator[None]:
    """What Pillow raises at a picture as a sentence about the field `image`."""
    try:
        yield
    except MemoryError:
        raise BadRequestError("image", "does not fit into memory; send a smaller one") from None
    except _BROKEN as error:
        raise BadRequestError(
            "image", f"is broken ({type(error).__name__}); save it anew, as a PNG of 8 bits"
        ) from error


def _check_texts(image: Image.Image) -> None:
    texts = [value for key, value in image.info.items() if isinstance(value, str) or key == "comment"]
    if sum(map(len, texts)) > MAX_TEXT:
        raise BadRequestError("image", f"has more than {MAX_TEXT} characters of text in it; remove its metadata")


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
    if data[:4] in (b"II*\0", b"MM\0*"):
        return TiffImagePlugin.TiffImageFile
    if data[4:8] == b"ftyp" and (b"avif" in data[8:64] or b"avis" in data[8:64]):
        if not features.check("avif"):
            raise BadRequestError(
                "image", "is AVIF, which the Pillow of this installation cannot read; convert it to PNG"
            )
        return AvifImagePlugin.AvifImageFile
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


def _with_alpha(image: Image.Image) -> Image.Image:
    """As RGBA of 8 bits, without metadata."""
    plain = image.convert("RGBA")
    plain.info = {}
    return plain


def _of_eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits cut to 8, without a colour that means transparent; other pictures as they are."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value / 256).convert("L")


def _flattened(image: Image.Image, colour: str = "#ffffff") -> Image.Image:
    """As RGB of 8 bits, without metadata."""
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        ground = Image.new("RGBA", clear.size, colour)
        ground.paste(clear, mask=clear)
        image = ground
    plain = image.convert("RGB")
    plain.info = {}
    return plain
