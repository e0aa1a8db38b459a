"""The kind of job that makes pictures of a request: stored, its pictures saved as soon as they are made."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from pydantic import ValidationError

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice, Progress
from webui.domain.saving import Saving
from webui.engine.records import JobRecords
from webui.jobs.job import Job
from webui.jobs.kind import JobKind, Worked

Folder = Literal["txt2img-images", "img2img-images", "extras-images"]
FOLDERS: Mapping[str, Folder] = MappingProxyType({"txt2img": "txt2img-images", "upscale": "extras-images"})

GenerationJob = Job[GenerationRequest, Progress, GenerationResult]

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
    ) -> Path:
        """Write one and return its path; `job` is the request of the whole job. Raises WebuiError."""


class Generation(JobKind[GenerationRequest, Progress, GenerationResult]):
    """Images are in files and in the database before anybody is told of them, so what was shown outlives a crash."""

    name = "generation"
    kept = 100
    stored = True
    progress_type = Progress
    result_type = GenerationResult

    def __init__(self, saver: ImageSaver, records: JobRecords, check: Callable[[GenerationRequest], object]) -> None:
        """`check` raises WebuiError where a request cannot be carried out now."""
        self._saver = saver
        self._records = records
        self._check = check

    def title(self, work: GenerationRequest) -> str:
        return work.task.kind

    def write(self, work: GenerationRequest) -> str:
        return work.model_dump_json()

    def read(self, text: str) -> GenerationRequest | None:
        try:
            return GenerationRequest.model_validate_json(text)
        except ValidationError:
            return None

    def check(self, work: GenerationRequest) -> None:
        self._check(work)

    def keep_image(self, job: Worked[GenerationRequest], image: GeneratedImage) -> GeneratedImage:
        """The image with the path of its file; one that cannot be saved is kept with a notice."""
        if not job.save:
            return image
        folder = FOLDERS.get(job.work.task.kind, "img2img-images")
        try:
            path = str(self._saver.save(image, folder=folder, job=job.work, saving=job.saving))
        except Exception as error:
            log.exception("image %d of job %s was not saved", image.index, job.id)
            text = str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"
            job.note_notice(Notice("output", f"image {image.index + 1} was not saved: {text}"))
            return image
        self._records.add_image(job, image, path)
        return replace(image, path=path)

    def finish(self, job: Worked[GenerationRequest], result: GenerationResult) -> GenerationResult:
        """The result with the paths of its files; images that were not told of on the way are saved now."""
        reported = {image.index: image.path for image in job.images}
        images = tuple(
            replace(image, path=reported[image.index]) if image.index in reported else self.keep_image(job, image)
            for image in result.images
        )
        return replace(result, images=images)

    def with_notices(self, result: GenerationResult, notices: tuple[Notice, ...]) -> GenerationResult:
        return replace(result, notices=notices)

    def images(self, result: GenerationResult) -> tuple[GeneratedImage, ...]:
        return result.images
