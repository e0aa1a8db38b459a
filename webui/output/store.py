"""Saves images under the outputs folder: whole or not at all, never over another file, never outside.

Names come from `filenames.py`, bytes from `metadata.py`.
"""

import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.domain.saving import ImageFormat, Saving
from webui.domain.settings import Settings
from webui.library.unfinished import unfinished
from webui.output.filenames import NameFacts, NameTemplate, component, file_name, literal_component, literal_name
from webui.output.metadata import Encoded, encode
from webui.output.parse import parse

Folder = Literal["txt2img-images", "img2img-images", "txt2img-grids", "img2img-grids", "extras-images"]
FOLDERS: tuple[Folder, ...] = ("txt2img-images", "img2img-images", "txt2img-grids", "img2img-grids", "extras-images")

FORMATS: tuple[ImageFormat, ...] = ("png", "jpg", "webp")

_ATTEMPTS = 10_000  # names that may be taken between looking and writing
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TRIED = 4 * 2**20  # bytes with which is tried whether there is room

Claim = Callable[[Path, str], None]  # told the path and the SHA-256 of a file that is about to be there


def _now() -> datetime:
    return datetime.now().astimezone()


class ImageStore:
    """The folder of finished images. May be used from several threads, and by several processes at once."""

    def __init__(
        self,
        outputs_dir: Path,
        saving: Saving = Saving(),
        *,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`saving` is how files are written where a job does not ask for another way."""
        self.outputs_dir = outputs_dir
        self._saving = saving
        self._clock = clock
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings) -> "ImageStore":
        """The store that the settings describe."""
        return cls(settings.outputs_dir, settings.saving)

    def use(self, saving: Saving) -> None:
        """Write files in this way from now on, where a job does not ask for another."""
        self._saving = saving

    def save(
        self,
        image: GeneratedImage,
        *,
        folder: Folder,
        job: GenerationRequest | None = None,
        saving: Saving | None = None,
        claim: Claim | None = None,
    ) -> Path:
        """Write one image and return where it is.

        A JPEG or WebP that cannot hold its parameters gets them in a text file beside it, whatever the setting.

        Args:
            folder: below `outputs_dir`, one of `FOLDERS`.
            job: the request of the whole job, for names that tell batches; the image's own where it is not given.
            saving: how the file is written; None: as the store does it.
            claim: told of the name and the SHA-256 just before the file gets that name, so that after a kill at
                that very moment it can be found out whether it did.

        Raises:
            WebuiError: the disk is full, or the folder cannot be written; nothing is left behind.
        """
        if folder not in FOLDERS:
            raise WebuiError(f"not saved: {folder!r} is no folder of images; one of {', '.join(FOLDERS)}")
        way = saving or self._saving
        encoded = encoded_image(image, way)
        sidecar = f"{image.infotext}\n".encode() if way.sidecar_text or encoded.left_out else b""
        facts = NameFacts(
            request=image.request,
            job=job or image.request,
            index=image.index,
            image=image.image,
            time=self._clock(),
            info=parse(image.infotext),
            words=image.words,
        )
        template = _template(way, facts)
        try:
            directory = self._directory(folder, _subfolder(way, facts))
            with self._lock:
                return _write(directory, template, encoded.data, sidecar, claim)
        except OSError as error:
            raise WebuiError(f"not saved in {folder}: {_reason(error)}") from error

    def check_room(self) -> None:
        """Whether an image could be written now; tried with a file that is removed again.

        Raises:
            WebuiError: the disk is full, or the folder cannot be written.
        """
        made: list[Path] = []
        try:
            self.outputs_dir.mkdir(parents=True, exist_ok=True)
            _temporary(self.outputs_dir.resolve(), bytes(_TRIED), made)
        except OSError as error:
            raise WebuiError(f"pictures cannot be saved: {_reason(error)}") from error
        finally:
            for path in made:
                path.unlink(missing_ok=True)

    def has(self, folder: Folder, saving: Saving) -> bool:
        """Whether there is a picture of a literal name in a literal folder, in any format that is written."""
        directory = self.outputs_dir / folder
        if saving.folder_pattern:
            directory /= literal_component(saving.folder_pattern)
        names = (literal_name(saving.filename_pattern, f".{one}").with_number(0) for one in FORMATS)
        return any((directory / name).exists() for name in names)

    def _directory(self, folder: Folder, subfolder: str) -> Path:
        """The folder to write to, made where it is missing; a link that leads elsewhere is refused."""
        root = self.outputs_dir.resolve()
        directory = root / folder
        if subfolder:
            directory /= subfolder
        if not directory.resolve().is_relative_to(root):
            raise WebuiError(f"not saved: {folder} leads out of the outputs folder; remove the link")
        directory.mkdir(parents=True, exist_ok=True)
        return directory


def _template(way: Saving, facts: NameFacts) -> NameTemplate:
    """The name of the file, all but its number."""
    extension = f".{way.image_format}"
    if way.literal:
        return literal_name(way.filename_pattern, extension)
    return file_name(way.filename_pattern, facts, extension, way.number_digits)


def _subfolder(way: Saving, facts: NameFacts) -> str:
    """The folder inside the one for the kind of picture; "" for none."""
    if not way.folder_pattern:
        return ""
    return literal_component(way.folder_pattern) if way.literal else component(way.folder_pattern, facts)


def encoded_image(image: GeneratedImage, saving: Saving) -> Encoded:
    """The bytes of an image's file."""
    return encode(
        image.image,
        saving.image_format,
        infotext=image.infotext if saving.embed_parameters else "",
        request=image.request if saving.embed_parameters else None,
        jpeg_quality=saving.jpeg_quality,
        webp_lossless=saving.webp_lossless,
    )


def _reason(error: OSError) -> str:
    why = "no space left on the disk" if error.errno in _FULL else error.strerror or type(error).__name__
    return f"{why}; free space or choose another outputs folder"


def _write(directory: Path, template: NameTemplate, data: bytes, sidecar: bytes, claim: Claim | None) -> Path:
    """Write both files under the first free number. They are complete on disk before they get their names."""
    temporaries: list[Path] = []
    digest = hashlib.sha256(data).hexdigest() if claim is not None else ""
    try:
        picture = _temporary(directory, data, temporaries)
        text = _temporary(directory, sidecar, temporaries) if sidecar else None
        first = template.next_number(os.listdir(directory))
        for number in range(first, first + _ATTEMPTS):
            path = directory / template.with_number(number)
            if claim is not None and not path.exists():
                claim(path, digest)
            if _publish(picture, path, data) and (text is None or _publish_beside(text, path, sidecar)):
                _sync_directory(directory)
                return path
        raise WebuiError(f"not saved: no free name in {directory.name}; put [number] into the file name pattern")
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


def _temporary(directory: Path, data: bytes, made: list[Path]) -> Path:
    path = unfinished(directory / "image")
    _write_new(path, data)
    made.append(path)
    return path


def _write_new(path: Path, data: bytes) -> None:
    """Create the file, which must not exist, and bring it to the disk; whole or not at all."""
    file = open(path, "xb")  # noqa: SIM115 (closed below; from here on the file is ours to remove)
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _publish(temporary: Path, path: Path, data: bytes) -> bool:
    """Give a complete file its name; False where the name is taken."""
    try:
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    try:  # a file system without hard links
        _write_new(path, data)
    except FileExistsError:
        return False
    return True


def _publish_beside(temporary: Path, picture: Path, data: bytes) -> bool:
    """The text file of a picture; where its name is taken or it cannot be written, the picture goes too."""
    try:
        if _publish(temporary, picture.with_suffix(".txt"), data):
            return True
    except OSError:
        picture.unlink(missing_ok=True)
        raise
    picture.unlink(missing_ok=True)
    return False


def _sync_directory(directory: Path) -> None:
    """Bring the new name to the disk where the system can sync folders.

    The picture is complete under its name by now, so a failure here is no reason to report it as not saved.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
