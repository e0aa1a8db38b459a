"""Taking work on: an id, a place on the board and in the database, and on to those who do it, all in one order."""

import threading
import uuid
from collections.abc import Iterable
from typing import Any

from webui.domain.errors import BadRequestError, BusyError, WebuiError
from webui.domain.saving import Saving
from webui.engine.hearing import Hearing
from webui.engine.records import JobRecords
from webui.engine.runners import Runner
from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob, Job
from webui.jobs.kind import FrontKind, JobKind, ProgressT, ResultT, WorkT
from webui.jobs.store import JobStore, StoredJob

ATTEMPTS = 2  # a job during which the program ended so often is not begun again


class Intake:
    """The only one that makes jobs. Thread-safe."""

    def __init__(self, board: JobBoard, records: JobRecords, hearing: Hearing, back: Runner, front: Runner) -> None:
        self._board = board
        self._records = records
        self._hearing = hearing
        self._back = back
        self._front = front
        self._lock = threading.RLock()  # board, database and back get jobs in one order
        self._closed = False

    def start(
        self,
        kind: JobKind[WorkT, ProgressT, ResultT],
        work: WorkT,
        *,
        save: bool = False,
        saving: Saving | None = None,
        job_id: str | None = None,
    ) -> Job[WorkT, ProgressT, ResultT]:
        """Put work into the queue and return at once. The same id and work again give the same job.

        Raises:
            BusyError: too many jobs wait, or the program is stopping.
            BadRequestError: `job_id` is that of another job.
        """
        with self._lock:
            if self._closed:
                raise BusyError("the program is stopping; try again when it runs again")
            if job_id and self._board.find(job_id) is not None:
                known = self._board.get(job_id, kind)
                if known is None or known.work != work:
                    raise BadRequestError("job_id", f"{job_id!r} is the id of another job; choose another")
                return known
            runner = self._runner(kind)
            job = Job(job_id or uuid.uuid4().hex, kind, work, runner, save=save, saving=saving)
            self._board.add(job)
            try:
                self._records.add(job)
            except WebuiError:
                self._board.remove(job)
                raise
            runner.submit(job)
        return job

    def resume(self, store: JobStore, kinds: Iterable[JobKind[Any, Any, Any]]) -> None:
        """Queue again, in order, what an earlier run of the program left."""
        known = {kind.name: kind for kind in kinds if kind.stored}
        for row in store.unfinished():
            kind = known.get(row.kind)
            if kind is None or (work := kind.read(row.work)) is None:
                store.note_ended(row.id, "failed", "the program was stopped; this version cannot read the job")
                continue
            runner = self._runner(kind)
            job = Job(row.id, kind, work, runner, save=row.save, created=row.created)
            self._board.add(job, whatever=True)
            if (refusal := _refusal(row, job)) is not None:
                self._hearing.fail(job, refusal)
            else:
                self._records.note_queued(job)
                runner.submit(job)

    def _runner(self, kind: JobKind[WorkT, ProgressT, ResultT]) -> Runner:
        return self._front if isinstance(kind, FrontKind) else self._back

    def close(self) -> bool:
        """Take no more; False where it was closed before."""
        with self._lock:
            was_open, self._closed = not self._closed, True
        return was_open


def _refusal(row: StoredJob, job: AnyJob) -> WebuiError | None:
    """Why a job of an earlier run is not done now."""
    if not row.save:
        return WebuiError("the program was stopped; whoever waited for these unsaved images is gone")
    if row.state == "running" and row.attempts >= ATTEMPTS:
        return WebuiError(f"the program ended {row.attempts} times during this job; it is not tried again")
    try:
        job.kind.check(job.work)
    except WebuiError as error:
        return error
    return None
