"""The files behind the pictures that the page shows: those that were saved, and, for the life of the server, others.

A picture that was not saved lives in memory for a while. Once a page has shown it, its file is kept below a folder of
the program, so that a reload of the page still shows it.
"""

import hashlib
import io
import logging
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from webui.domain.result import GeneratedImage
from webui.imaging.encoding import file_bytes
from webui.jobs.rows import StoredImage
from webui.library.unfinished import write_atomically

SIDE = 320  # pixels of a thumbnail
QUALITY = 82  # of its JPEG
THUMBNAILS = 4000  # files
KEPT = 1000  # pictures that were not saved
TRIM = 50  # files that may be too many before the oldest go
SIZES = 4000  # pictures whose width and height are remembered
ENDINGS = ("png", "jpeg", "webp", "jpg")
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises on damaged files

log = logging.getLogger(__name__)

Found = GeneratedImage | Image.Image | None


class EncodedImage(Protocol):
    """The bytes of an image file and their media type."""

    @property
    def data(self) -> bytes: ...
    @property
    def media_type(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PictureFile:
    """An image file: where it lies, or its bytes where it lies nowhere."""

    path: Path | None
    data: bytes
    media_type: str


class FileShelf:
    """A folder of files by name, of which the oldest go when there are too many; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, most: int) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._put = 0

    def path(self, name: str) -> Path | None:
        """The file of that name; None where there is none."""
        path = self._folder / name if self._folder is not None else None
        return path if path is not None and path.is_file() else None

    def put(self, name: str, data: bytes) -> Path | None:
        """Keep a file; where it cannot be written, that is logged and None."""
        if self._folder is None:
            return None
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._folder / name, data)
        except OSError as error:
            log.warning("%s was not kept: %s", name, error)
            return None
        with self._lock:
            self._put += 1
            is_due = self._put % TRIM == 1
        if is_due:
            self._trim(self._folder)
        return self._folder / name

    def clear(self) -> None:
        """Remove all files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _trim(self, folder: Path) -> None:
        with self._lock:
            written = []
            for path in folder.iterdir():
                try:
                    written.append((path.stat().st_mtime, path))
                except OSError:  # another thread removed it
                    continue
            for _, path in sorted(written)[: max(0, len(written) - self._most)]:
                path.unlink(missing_ok=True)


class PictureFiles:
    """Finds or makes the file and the thumbnail of a picture. Thread-safe."""

    def __init__(
        self, folder: Path | None, find: Callable[[str, int], Found], encode: Callable[[GeneratedImage], EncodedImage]
    ) -> None:
        """
        Args:
            folder: below it thumbnails stay from run to run, and pictures that were not saved for this one.
            find: gives a picture of a job in memory: a GeneratedImage, or the pixels that an action made.
            encode: makes the file of a picture with its parameters.
        """
        self._find = find
        self._encode = encode
        self._thumbnails = FileShelf(folder / "thumbnails" if folder else None, THUMBNAILS)
        self._kept = FileShelf(folder / "unsaved" if folder else None, KEPT)
        self._kept.clear()
        self._sizes: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, job_id: str, index: int, saved: StoredImage | None) -> PictureFile | None:
        """The file of a picture; None where it is nowhere any more.

        Args:
            saved: what the database knows of it.
        """
        if (path := self._path(job_id, index, saved)) is not None:
            return PictureFile(path, b"", _media_type(path))
        made = None if saved is not None and saved.path else self._find(job_id, index)
        if isinstance(made, GeneratedImage):
            encoded = self._encode(made)
            name = f"{_name(job_id, index, saved)}.{encoded.media_type.rpartition('/')[2]}"
            return PictureFile(self._kept.put(name, encoded.data), encoded.data, encoded.media_type)
        if isinstance(made, Image.Image):
            return PictureFile(None, file_bytes(made, "PNG"), "image/png")
        return None

    def keep(self, job_id: str, index: int, saved: StoredImage | None) -> None:
        """Have the file of a picture stay for this run of the program where it was not saved."""
        if saved is None or not saved.path:
            self.of(job_id, index, saved)

    def thumbnail(self, job_id: str, index: int, saved: StoredImage | None) -> bytes | None:
        """A JPEG of at most 320 x 320 pixels; None where the picture is nowhere any more, or is none."""
        name = f"{_name(job_id, index, saved)}.jpg"
        if (known := self._thumbnails.path(name)) is not None:
            try:
                return known.read_bytes()
            except OSError:  # it has just been removed as one of the oldest
                log.debug("%s is gone", name)
        file = self.of(job_id, index, saved)
        if file is None:
            return None
        try:
            with Image.open(file.path or io.BytesIO(file.data)) as opened:
                data = small(opened)
        except BROKEN as error:
            log.info("picture %d of job %s has no thumbnail: %s", index, job_id, error)
            return None
        self._thumbnails.put(name, data)
        return data

    def size(self, job_id: str, index: int, saved: StoredImage | None) -> tuple[int, int] | None:
        """Width and height of a picture, (0, 0) where its file cannot be read; None where it is nowhere any more."""
        path = self._path(job_id, index, saved)
        if path is None:
            made = None if saved is not None and saved.path else self._find(job_id, index)
            return made.image.size if isinstance(made, GeneratedImage) else None
        with self._lock:
            known = self._sizes.get(str(path))
        if known is None:
            try:
                with Image.open(path) as opened:
                    known = opened.size
            except BROKEN:
                known = (0, 0)
            with self._lock:
                self._sizes[str(path)] = known
                while len(self._sizes) > SIZES:
                    self._sizes.popitem(last=False)
        return known

    def _path(self, job_id: str, index: int, saved: StoredImage | None) -> Path | None:
        """Where a picture lies: where it was saved, and nowhere if it was removed from there."""
        if saved is not None and saved.path:
            path = Path(saved.path)
            return path if path.is_file() else None
        name = _name(job_id, index, saved)
        return next((one for ending in ENDINGS if (one := self._kept.path(f"{name}.{ending}")) is not None), None)


def small(picture: Image.Image) -> bytes:
    """A JPEG of at most 320 x 320 pixels. Raises what Pillow does where the picture is damaged."""
    picture.draft("RGB", (SIDE, SIDE))
    thumbnail = picture.convert("RGB")
    thumbnail.thumbnail((SIDE, SIDE))
    return file_bytes(thumbnail, "JPEG", quality=QUALITY)


def _name(job_id: str, index: int, saved: StoredImage | None) -> str:
    """A name for files of a picture. Clients choose ids, and choose them again where another database is begun."""
    made = f"{job_id} {saved.created if saved is not None else ''}"
    return f"{hashlib.sha256(made.encode()).hexdigest()[:32]}-{index}"


def _media_type(path: Path) -> str:
    ending = path.suffix.lower().removeprefix(".")
    return f"image/{'jpeg' if ending in ('jpg', 'jpeg') else ending or 'png'}"
