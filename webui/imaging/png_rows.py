"""Writes PNG files row by row, so that a picture of any size needs no more memory than the rows in hand.

The format is that of the PNG specification (ISO/IEC 15948): a signature, then chunks of length, type, data and CRC-32.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import IO

import numpy as np
from PIL import Image

LONGEST = 2**31 - 1  # of a side, by the format
CHUNK = 256 * 1024  # bytes of compressed data in one chunk, about
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2  # the filter by which a row is told as the difference from the one above it
_LEVEL = 6  # of compression


class PngRows:
    """One RGB picture of 8 bits on its way into a file.

    The rows come from top to bottom, in strips of any height; `close` ends the file.
    """

    def __init__(self, file: IO[bytes], width: int, height: int, texts: Mapping[str, str]) -> None:
        """
        Args:
            file: is written from where it stands, and not closed.
            texts: keyword and text of iTXt chunks; keywords are 1 to 79 Latin-1 characters.

        Raises:
            ValueError: a side is not 1 to 2^31 - 1 pixels.
        """
        if not (0 < width <= LONGEST and 0 < height <= LONGEST):
            raise ValueError(f"a PNG cannot have {width} x {height} pixels")
        self._file = file
        self._width = width
        self._missing = height
        self._above = np.zeros(3 * width, np.uint8)
        self._deflate = zlib.compressobj(_LEVEL)
        self._waiting = bytearray()
        file.write(_SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        for keyword, text in texts.items():
            self._chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())

    def write(self, strip: Image.Image) -> None:
        """The next rows. Raises ValueError where they do not fit the picture."""
        if strip.width != self._width or strip.height > self._missing:
            raise ValueError(
                f"a strip of {strip.width} x {strip.height} pixels does not fit: "
                f"{self._width} x {self._missing} are missing"
            )
        for top in range(0, strip.height, 64):  # some rows at a time, because each is held twice
            part = strip.crop((0, top, strip.width, min(top + 64, strip.height)))
            rows = np.asarray(part.convert("RGB")).reshape(part.height, -1)
            filtered = np.empty((part.height, rows.shape[1] + 1), np.uint8)
            filtered[:, 0] = _UP
            filtered[0, 1:] = rows[0] - self._above
            filtered[1:, 1:] = rows[1:] - rows[:-1]
            self._above = rows[-1].copy()
            self._waiting += self._deflate.compress(filtered.tobytes())
            self._flush(CHUNK)
        self._missing -= strip.height

    def close(self) -> None:
        """End the file. Raises ValueError where rows are missing."""
        if self._missing:
            raise ValueError(f"{self._missing} rows are missing")
        self._waiting += self._deflate.flush()
        self._flush(1)
        self._chunk(b"IEND", b"")

    def _flush(self, least: int) -> None:
        if len(self._waiting) >= least:
            self._chunk(b"IDAT", bytes(self._waiting))
            self._waiting.clear()

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
