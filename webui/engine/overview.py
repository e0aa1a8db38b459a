"""All jobs of every kind, and all pictures, as somebody sees them who looks at the whole: a page."""

from collections.abc import Callable
from dataclasses import dataclass

from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob
from webui.jobs.rows import StoredImage
from webui.jobs.store import JobStore
from webui.jobs.watched import Watched


@dataclass(frozen=True, slots=True)
class QueuePause:
    """Whether no further job is begun, and why."""

    is_paused: bool
    reason: str


class Overview:
    """Reads and changes nothing. Thread-safe."""

    def __init__(self, board: JobBoard, store: JobStore, reason: Callable[[], str]) -> None:
        """`reason` tells why no further job is begun; "" where they are."""
        self._board = board
        self._store = store
        self._reason = reason

    @property
    def changes(self) -> Watched[int]:
        """A number that grows with each change of what is told here, pictures of earlier runs apart."""
        return self._board.changes

    @property
    def pause(self) -> QueuePause:
        reason = self._reason()
        return QueuePause(bool(reason), reason)

    def line(self) -> tuple[AnyJob, ...]:
        """The jobs that run, wait or are held, in their order, without those that are parts of others."""
        return tuple(job for job in self._board.line() if not job.part_of)

    def beside(self) -> tuple[AnyJob, ...]:
        """The jobs that have others done one after another, and have not ended: experiments, and batches of folders."""
        return self._board.beside()

    def ended(self, limit: int) -> tuple[AnyJob, ...]:
        """The last jobs that ended, the newest first; experiments stand for the jobs that are parts of them."""
        return self._board.ended(limit)

    def find(self, job_id: str) -> AnyJob | None:
        """A job of any kind that waits, runs or ended not long ago."""
        return self._board.find(job_id)

    def owner_of_ended(self, job_id: str) -> str | None:
        """Whose a stored job is; None where there is none of that id. Raises WebuiError."""
        row = self._store.job(job_id)
        return row.owner if row is not None else None

    def pictures(self, *, limit: int, before: int | None = None, owner: str | None = None) -> tuple[StoredImage, ...]:
        """All pictures ever made, the newest first; those that were not saved have no path.

        Args:
            before: the `seq` of the last picture of the page before this one.
            owner: only those of this owner's jobs.

        Raises:
            WebuiError: the database failed.
        """
        return self._store.images(limit=limit, before=before, owner=owner, unsaved=True)

    def picture(self, job_id: str, index: int) -> StoredImage | None:
        """A picture of a job; None where there is none, or it has just got its file. Raises WebuiError."""
        row = next((row for row in self._store.images_of(job_id) if row.position == index), None)
        return row if row is not None and row.state != "claimed" else None
