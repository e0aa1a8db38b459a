"""What the database is told of jobs as they go on. A database that fails stops no job; it is told beside the images."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from webui.domain.errors import WebuiError
from webui.domain.result import GeneratedImage, Notice
from webui.jobs.job import AnyJob, state_after
from webui.jobs.kind import Worked
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
        """Append a job.

        Raises:
            BadRequestError: there was a job of that id before.
            WebuiError: the database cannot be written.
        """
        if job.kind.stored:
            self._store.add(job.id, job.kind.name, job.kind.write(job.work), save=job.save, created=job.created)

    def note_queued(self, job: AnyJob) -> None:
        """It waits again. Raises WebuiError."""
        if job.kind.stored:
            self._store.note_queued(job.id)

    def note_started(self, job: AnyJob) -> None:
        """It runs now."""
        if job.kind.stored:
            with _noticing(job):
                self._store.note_started(job.id)

    def note_ended(self, job: AnyJob, outcome: object) -> None:
        """It has come to a result, or to an exception."""
        if not job.kind.stored or (self._stopping and isinstance(outcome, Exception)):
            return
        with _noticing(job):
            if isinstance(outcome, Exception):
                self._store.note_ended(job.id, state_after(outcome), str(outcome))
            else:
                self._store.note_ended(job.id, "done")

    def add_image(self, job: Worked[Any], image: GeneratedImage, path: str) -> None:
        """A picture of the job is wholly in a file."""
        with _noticing(job):
            self._store.add_image(job.id, path, image.infotext, image.request.seed)


@contextmanager
def _noticing(job: Worked[Any]) -> Iterator[None]:
    try:
        yield
    except WebuiError as error:
        log.warning("job %s: %s", job.id, error)
        job.note_notice(Notice("jobs", str(error)))
