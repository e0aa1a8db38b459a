"""What the database is told of jobs as they go on. A database that fails stops no job; it is told beside the images."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Notice
from webui.jobs.job import AnyJob, state_after
from webui.jobs.kind import Worked
from webui.jobs.rows import ImageState, StoredImage
from webui.jobs.store import JobStore

log = logging.getLogger(__name__)


class JobRecords:
    """Writes only of jobs whose kind is stored. Thread-safe."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._stopping = False

    def stop(self) -> None:
        """From now on what fails was broken off by the end of the program, and is done again at its next start."""
        self._stopping = True

    def add(self, job: AnyJob) -> None:
        """Keep a job.

        Raises:
            BadRequestError: there was a job of that id before.
            WebuiError: the database cannot be written.
        """
        if job.kind.is_stored(job.work):
            self._store.add(
                job.id, job.kind.name, job.kind.write(job.work), save=job.save, created=job.created,
                owner=job.owner, task=job.task, priority=job.priority, rank=job.rank,
                saving="" if job.saving is None else job.saving.model_dump_json(),
            )  # fmt: skip

    def note_queued(self, job: AnyJob) -> None:
        """It waits again."""
        if job.kind.is_stored(job.work):
            with _noticing(job):
                self._store.note_queued(job.id)
                self._store.note_ends(job.id, deaths=job.deaths, breaks=job.breaks)

    def note_held(self, job: AnyJob, reason: str) -> None:
        """It is not begun before somebody says so."""
        if job.kind.is_stored(job.work):
            with _noticing(job):
                self._store.note_held(job.id, reason)
                self._store.note_ends(job.id, deaths=job.deaths, breaks=job.breaks)

    def note_started(self, job: AnyJob) -> None:
        """It runs now."""
        if job.kind.is_stored(job.work):
            with _noticing(job):
                self._store.note_started(job.id)

    def note_work(self, job: AnyJob, work: Any) -> None:
        """It is to do something else. Raises WebuiError."""
        if job.kind.is_stored(job.work):
            self._store.note_work(job.id, job.kind.write(work))

    def note_rest(self, job: AnyJob, rest: Any) -> None:
        """The job has got further and goes on with `rest`, which is its work from now on.

        A job that was not kept before is from now on, where its kind keeps such work.
        """
        was_stored = job.kind.is_stored(job.work)
        job.work = rest
        if not job.kind.is_stored(rest):
            return
        with _noticing(job):
            if was_stored:
                self._store.note_work(job.id, job.kind.write(rest))
            else:
                self.add(job)
                self._store.note_started(job.id)
            self._store.note_ends(job.id, deaths=job.deaths, breaks=job.breaks)

    def arrange(self, jobs: Iterable[AnyJob]) -> None:
        """Their places in the queue have changed."""
        places = [(job.id, job.priority, job.rank) for job in jobs if job.kind.is_stored(job.work)]
        try:
            self._store.arrange(places)
        except WebuiError as error:
            log.warning("the order of the queue was not noted: %s", error)

    def note_ended(self, job: AnyJob, outcome: object) -> None:
        """It has come to a result, or to an exception."""
        if not job.kind.is_stored(job.work) or (self._stopping and isinstance(outcome, Exception)):
            return
        notices = tuple(dict.fromkeys((*getattr(outcome, "notices", ()), *job.notices)))
        with _noticing(job):
            if isinstance(outcome, Exception):
                self._store.note_ended(job.id, state_after(outcome), str(outcome), notices=notices)
            else:
                stopped = bool(getattr(outcome, "interrupted", False))
                self._store.note_ended(job.id, "done", notices=notices, interrupted=stopped)

    def add_image(self, job: Worked[Any], image: GeneratedImage, state: ImageState) -> None:
        """A picture of the job is there."""
        with _noticing(job):
            self._put(job.id, image, state)

    def claim_image(self, job_id: str, image: GeneratedImage, digest: str) -> None:
        """A picture is about to be in its file."""
        try:
            self._store.claim_image(
                job_id, image.path, image.infotext, image.request.seed,
                position=image.index, subseed=image.subseed, digest=digest,
            )  # fmt: skip
        except WebuiError as error:
            log.warning("job %s: %s", job_id, error)

    def claimed_images(self) -> tuple[StoredImage, ...]:
        """Those of which an earlier run did not say whether they got their files. Raises WebuiError."""
        return self._store.claimed_images()

    def settle_claim(self, row: StoredImage, is_there: bool) -> None:
        """It turned out whether a picture got its file. Raises WebuiError."""
        if is_there:
            self._store.note_image(row.seq, "saved", row.path)
        else:
            self._store.drop_image(row.seq)

    def forget_claim(self, job_id: str, index: int) -> None:
        """A picture did not get its file."""
        try:
            row = self.image_at(job_id, index)
            if row is not None and row.state == "claimed":
                self._store.drop_image(row.seq)
        except WebuiError as error:
            log.warning("job %s: %s", job_id, error)

    def image_at(self, job_id: str, index: int) -> StoredImage | None:
        """What is known of a picture of a job. Raises WebuiError."""
        return next((row for row in self._store.images_of(job_id) if row.position == index), None)

    def place_image(self, job_id: str, image: GeneratedImage) -> None:
        """A picture that waited for room is in its file. Raises WebuiError."""
        self._put(job_id, image, "saved")

    def request_of(self, job_id: str) -> GenerationRequest | None:
        """What a job was asked for; None where it is unknown or cannot be read."""
        row = self._store.job(job_id)
        try:
            return GenerationRequest.model_validate_json(row.work) if row is not None else None
        except ValidationError:
            return None

    def _put(self, job_id: str, image: GeneratedImage, state: ImageState) -> None:
        self._store.add_image(
            job_id, image.path, image.infotext, image.request.seed,
            position=image.index, subseed=image.subseed, state=state,
        )  # fmt: skip


@contextmanager
def _noticing(job: Worked[Any]) -> Iterator[None]:
    try:
        yield
    except WebuiError as error:
        log.warning("job %s: %s", job.id, error)
        job.note_notice(Notice("jobs", str(error)))
