"""What becomes of a picture that is to be saved: its file, its row in the database, or a place to wait for room."""

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Notice
from webui.domain.saving import Saving
from webui.engine.records import JobRecords
from webui.jobs.kind import Worked
from webui.jobs.rows import StoredImage
from webui.output.spool import Spool
from webui.output.store import Folder

FOLDERS: Mapping[str, Folder] = MappingProxyType({"txt2img": "txt2img-images", "upscale": "extras-images"})

log = logging.getLogger(__name__)


class ImageSaver(Protocol):
    """Writes images to files; see `webui.output.store`."""

    def save(
        self,
        image: GeneratedImage,
        *,
        folder: Folder,
        job: GenerationRequest | None = None,
        saving: Saving | None = None,
        claim: Callable[[Path, str], None] | None = None,
    ) -> Path:
        """Write one and return its path; `job` is the request of the whole job. Raises WebuiError."""

    def has(self, folder: Folder, saving: Saving) -> bool:
        """Whether there is a picture of this literal name and folder already."""

    def check_room(self) -> None:
        """Raises WebuiError where nothing can be written."""


def folder_of(request: GenerationRequest) -> Folder:
    """The folder that pictures of a request belong to."""
    return FOLDERS.get(request.task.kind, "img2img-images")


class PictureKeeper:
    """Sees to it that a picture is in a file, once, before anybody is told of it. Thread-safe.

    Just before a file gets its name, the database is told that name and what will be in it; so after a kill at any
    moment it is known whether the picture is there.
    """

    def __init__(
        self,
        saver: ImageSaver,
        spool: Spool,
        records: JobRecords,
        on_no_room: Callable[[str], None] = lambda text: None,
        on_kept: Callable[[Worked[GenerationRequest], GeneratedImage], None] = lambda job, image: None,
    ) -> None:
        """
        Args:
            on_no_room: is told why a picture could not be saved; it must not wait.
            on_kept: is told of each picture that is in its file; it must not raise.
        """
        self._saver = saver
        self._spool = spool
        self._records = records
        self._on_no_room = on_no_room
        self._on_kept = on_kept
        self._moving = threading.Lock()

    def keep(self, job: Worked[GenerationRequest], image: GeneratedImage) -> GeneratedImage:
        """The image with the path of its file. One that cannot be saved waits in the spool; a notice says so."""
        folder = folder_of(job.work)
        try:
            path = self._save(job.id, image, folder, job.work, job.saving)
        except Exception as error:
            log.exception("image %d of job %s was not saved", image.index, job.id)
            text = str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"
            return self._spooled(job, image, folder, text, no_room=isinstance(error, WebuiError))
        image = replace(image, path=str(path))
        self._records.add_image(job, image, "saved")
        self._on_kept(job, image)
        with suppress(WebuiError):  # there is room now, so what waits may find its place too
            self._place_all()
        return image

    def take_up(self) -> None:
        """After a start: find out which files got their names before a kill, and save what waits."""
        for row in self._records.claimed_images():
            self._records.settle_claim(row, is_whole(row))
        self._spool.sweep()
        try:
            self._place_all()
        except WebuiError as error:
            self._on_no_room(str(error))

    def make_room(self) -> str:
        """Move what waits to its place, as far as there is room; why pictures still cannot be saved, "" if they can."""
        try:
            self._place_all()
            self._saver.check_room()
        except WebuiError as error:
            return str(error)
        return ""

    def _place_all(self) -> None:
        with self._moving:
            for path in self._spool.waiting():
                self._place(path)

    def _save(
        self,
        job_id: str,
        image: GeneratedImage,
        folder: Folder,
        request: GenerationRequest,
        saving: Saving | None = None,
    ) -> Path:
        def claim(path: Path, digest: str) -> None:
            self._records.claim_image(job_id, replace(image, path=str(path)), digest)

        return self._saver.save(image, folder=folder, job=request, saving=saving, claim=claim)

    def _spooled(
        self, job: Worked[GenerationRequest], image: GeneratedImage, folder: Folder, why: str, *, no_room: bool
    ) -> GeneratedImage:
        self._records.forget_claim(job.id, image.index)
        number = f"image {image.index + 1}"
        try:
            path = self._spool.add(image, folder=folder, job_id=job.id)
        except WebuiError as error:
            job.note_notice(Notice("output", f"{number} was not saved: {why}, {error}; it is in memory alone"))
        else:
            kept = f"it is kept as {path} and moved to its place when there is room"
            job.note_notice(Notice("output", f"{number} was not saved: {why}; {kept}"))
            image = replace(image, path=str(path))
            self._records.add_image(job, image, "spooled")
        if no_room:
            self._on_no_room(why)
        return image

    def _place(self, path: Path) -> None:
        """Give a picture that waits its place. Raises WebuiError where there still is no room."""
        try:
            waiting = self._spool.read(path)
        except WebuiError as error:
            log.warning("%s", error)
            return
        row = self._records.image_at(waiting.job_id, waiting.image.index)
        if row is None or row.state != "saved":  # else a kill came between the saving and the removing
            job = self._records.request_of(waiting.job_id)
            placed = self._save(waiting.job_id, waiting.image, waiting.folder, job or waiting.image.request)
            self._records.place_image(waiting.job_id, replace(waiting.image, path=str(placed)))
            log.info("%s was moved to %s", path.name, placed)
        self._spool.remove(path)


def is_whole(row: StoredImage) -> bool:
    """Whether the file of a picture is what it was to be."""
    try:
        return hashlib.sha256(Path(row.path).read_bytes()).hexdigest() == row.digest
    except OSError:
        return False
