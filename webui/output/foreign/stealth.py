"""Texts hidden in pixels: the last bits of the alpha channel, or of red, green and blue ("stealth pnginfo").

The bits run down the columns, from left to right, the highest of each byte first. They begin with one of four marks,
then a length in bits (32 bits, big-endian), then the text in UTF-8, which two of the marks say to be packed by gzip.
"""

import itertools
import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from PIL import Image

_MARKS: Mapping[str, tuple[bytes, bytes]] = MappingProxyType(  # by mode: plain, packed
    {"A": (b"stealth_pnginfo", b"stealth_pngcomp"), "RGB": (b"stealth_rgbinfo", b"stealth_rgbcomp")}
)
_MARK_LENGTH, _LENGTH = 15, 4
MAX_BYTES = 2_000_000  # hidden, and again when unpacked
_GZIP = 31  # zlib's number for it


def read_hidden(image: Image.Image) -> str:
    """The text hidden in the pixels of an image, "" where there is none."""
    for channels, marks in _MARKS.items():
        if channels == "A" and image.mode != "RGBA":
            continue
        if channels == "RGB" and image.mode not in ("RGB", "RGBA"):
            continue
        text = _text(_last_bits(image, channels), marks)
        if text:
            return text
    return ""


def _last_bits(image: Image.Image, channels: str) -> Iterator[int]:
    """The last bit of every value, column by column; a few columns are looked at before the rest is."""
    for left in range(image.width):
        column = image.crop((left, 0, left + 1, image.height))
        values = (column.getchannel("A") if channels == "A" else column.convert("RGB")).tobytes()
        yield from (value & 1 for value in values)


def _text(bits: Iterator[int], marks: tuple[bytes, bytes]) -> str:
    mark = _bytes(bits, _MARK_LENGTH)
    if mark not in marks:
        return ""
    length = int.from_bytes(_bytes(bits, _LENGTH), "big") // 8
    if length > MAX_BYTES:
        return ""
    data = _bytes(bits, length)
    if len(data) < length:
        return ""  # cut
    try:
        return (data if mark == marks[0] else _unpacked(data)).decode("utf-8", "ignore")
    except zlib.error:
        return ""


def _bytes(bits: Iterator[int], count: int) -> bytes:
    """The next bytes, fewer where the bits end."""
    taken = bytes(itertools.islice(bits, count * 8))
    whole = len(taken) // 8
    return int(taken[: whole * 8].translate(_DIGITS) or b"0", 2).to_bytes(whole, "big")


def _unpacked(data: bytes) -> bytes:
    return zlib.decompressobj(_GZIP).decompress(data, MAX_BYTES)


_DIGITS = bytes(48 + (value & 1) for value in range(256))
