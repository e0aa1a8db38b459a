"""Textual inversions that travel inside pictures: in a PNG's text, or packed into pixels beside the picture.

Needs no torch: what is found is the embedding's JSON, which `webui/prompt/embeddings.py` makes vectors of.

The packed form (A1111's shared embeddings): left and right of the picture, each behind a column that is black in the
low 4 bits, stands a block whose low 4 bits carry the low and the high halves of the bytes, row by row, each XORed with
the same stream of pseudo-random numbers (a linear congruential generator, mod 255). The bytes are zlib of the JSON.
"""

import base64
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from webui.domain.errors import UnusableFileError
from webui.library.json_object import json_object

SUFFIXES = (".png", ".webp")
MAX_PIXELS = 64 * 10**6
MAX_DATA = 64 * 2**20  # bytes of JSON; 75 vectors of SDXL are a few MB
_PNG = b"\x89PNG\r\n\x1a\n"
_KEY = b"sd-ti-embedding"
_MULTIPLIER, _INCREMENT, _MODULUS = 1664525, 1013904223, 255  # of the generator; its state has 32 bits
_LOW = 0x0F


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def is_preview(path: Path) -> bool:
    """Whether the name says that it only shows what a model makes: `name.preview.png`."""
    return Path(path.stem).suffix.lower() == ".preview"


def embedding_data(path: Path) -> Mapping[str, Any] | None:
    """The JSON of the embedding in a picture; None where the picture has none.

    Raises:
        UnusableFileError: there is one but it is damaged, or the file is no picture.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
    packed = _text_chunk(path.name, content)
    if packed is None:
        packed = _pixels(path)
    if packed is None:
        return None
    return json_object(f"{path.name}: the embedding in it", packed)


def _text_chunk(file: str, content: bytes) -> bytes | None:
    """What a PNG's text chunk holds (tEXt or zTXt, ISO/IEC 15948 section 11.3.3), base64 taken off."""
    position = len(_PNG)
    while content.startswith(_PNG) and position + 8 <= len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        body = content[position + 8 : position + 8 + size]
        key, _, value = body.partition(b"\0")
        if kind in {b"tEXt", b"zTXt"} and key == _KEY:
            try:
                if kind == b"zTXt":
                    value = zlib.decompressobj().decompress(value[1:], MAX_DATA)
                return base64.b64decode(value)
            except (ValueError, zlib.error) as error:
                raise UnusableFileError(f"{file}: the text chunk sd-ti-embedding is damaged ({error})") from error
        position += 12 + size
    return None


def _pixels(path: Path) -> bytes | None:
    """The bytes packed into the pixels; None where there are none."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            values = np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise UnusableFileError(f"{path.name}: not a picture that can be read ({error})") from error
    low = _without_black_border(values) & _LOW
    separators = np.flatnonzero(low.sum(axis=(0, 2), dtype=np.int64) == 0)
    if len(separators) < 2:
        return None
    lower, upper = low[:, : separators[0]], low[:, separators[-1] + 1 :]
    if lower.size == 0 or lower.shape != upper.shape:
        return None
    stream = _stream(lower.size).reshape(lower.shape)
    packed = ((upper ^ stream) << 4 | (lower ^ stream)).tobytes()
    try:
        return zlib.decompressobj().decompress(packed, MAX_DATA)
    except zlib.error:
        return None  # an ordinary picture with black columns


def _without_black_border(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of (h, w, 3) inside the rows and columns that have a pixel of no zero channel."""
    lit = np.asarray((values > 0).all(axis=2))
    rows, columns = np.flatnonzero(np.any(lit, axis=1)), np.flatnonzero(np.any(lit, axis=0))
    if not len(rows):
        return values[:0, :0]
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _stream(length: int) -> NDArray[np.uint8]:
    """(length,) low 4 bits of the generator's numbers, from seed 0."""
    powers = np.full(length, _MULTIPLIER, np.uint32)
    powers[0] = 1
    powers = np.multiply.accumulate(powers, dtype=np.uint32)  # wraps around at 32 bits, as the generator does
    states = np.cumsum(powers, dtype=np.uint32) * np.uint32(_INCREMENT)
    low: NDArray[np.uint8] = np.bitwise_and(states % np.uint32(_MODULUS), np.uint32(_LOW)).astype(np.uint8)
    return low
