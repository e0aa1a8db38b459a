"""Small pictures of pictures: made once, kept as WebP in a folder that never grows beyond its bound."""

import contextlib
import io
import os
import threading
from pathlib import Path
from typing import Final

from PIL import Image

from webui.domain.images import safe_open, upright
from webui.gallery.picture_facts import pixels_of
from webui.library.unfinished import write_atomically

SIDE: Final = 384  # pixels of the longer side: sharp at 192 on screens of two pixels a point
QUALITY: Final = 78
MAX_BYTES: Final = 512 * 1024 * 1024
_BETWEEN = 200  # files that are made between two looks at how much there is


class Thumbnails:
    """The folder of thumbnails, by the digests of the files that they are of. Thread-safe."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._made = 0
        self._lock = threading.Lock()

    def get(self, digest: str) -> Path | None:
        """The file of a thumbnail that was made before."""
        path = self._path(digest)
        return path if path.is_file() else None

    def make(self, digest: str, picture: Path) -> tuple[bytes, str]:
        """Make one and keep it, as far as there is room on the disk.

        Returns:
            The bytes of the WebP file, and the digest of the picture's pixels.

        Raises:
            BadRequestError: the picture cannot be opened, or is damaged.
        """
        image = safe_open(picture)
        data, pixels = small(image), pixels_of(image)
        path = self._path(digest)
        with contextlib.suppress(OSError):  # without room it is made again the next time
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        with self._lock:
            self._made += 1
            due = self._made % _BETWEEN == 0
        if due:
            self.trim()
        return data, pixels

    def trim(self) -> int:
        """Remove those that were made first until the rest is within the bound; how many were removed."""
        found = []
        for place, _, names in os.walk(self._folder):
            for name in names:
                with contextlib.suppress(OSError):
                    stat = (path := Path(place, name)).stat()
                    found.append((stat.st_mtime, stat.st_size, path))
        over = sum(size for _, size, _ in found) - self._max_bytes
        removed = 0
        for _, size, path in sorted(found):
            if over <= 0:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                over -= size
                removed += 1
        return removed

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.webp"


def small(image: Image.Image) -> bytes:
    """A WebP file of at most SIDE x SIDE pixels, upright."""
    turned = upright(image)
    plain = turned.convert("RGBA" if turned.has_transparency_data else "RGB")
    plain.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    plain.save(buffer, "WEBP", quality=QUALITY, method=2)
    return buffer.getvalue()
