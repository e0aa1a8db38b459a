"""What users do with the queue: look at it, move, change, hold, retry and delete jobs, and stop the whole of it."""

from dataclasses import dataclass
from typing import Literal

from webui.domain.errors import Cancelled, WrongStateError
from webui.domain.request import GenerationRequest
from webui.engine.dispatch import Dispatcher
from webui.engine.generating import Generation, GenerationJob
from webui.engine.hearing import Hearing
from webui.engine.records import JobRecords
from webui.engine.request_check import RequestCheck
from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob
from webui.jobs.record import JobRecord, record_of_job, record_of_row
from webui.jobs.store import JobStore

MOST_PRIORITY = 100
PAUSED = "paused"  # the fact in the database
BY_HAND = "it was paused by hand"

Which = Literal["waiting", "held", "ended"]


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue as a whole; `reason` says why it is paused, "" where it is not."""

    is_paused: bool
    reason: str
    running: int
    waiting: int
    held: int


class JobQueue:
    """The jobs that make pictures, as users see and order them. Thread-safe.

    Every method that names a job raises WrongStateError where the job does not stand so that this can be done.
    """

    def __init__(
        self,
        generation: Generation,
        board: JobBoard,
        store: JobStore,
        records: JobRecords,
        hearing: Hearing,
        dispatcher: Dispatcher,
        check: RequestCheck,
    ) -> None:
        self._generation = generation
        self._board = board
        self._store = store
        self._records = records
        self._hearing = hearing
        self._dispatcher = dispatcher
        self._check = check

    @property
    def reason(self) -> str:
        """Why no further job is begun; "" where they are."""
        return self._dispatcher.reason

    def state(self) -> QueueState:
        """Whether it goes on, and how many jobs stand where."""
        line = [job.state for job in self._board.line()]
        return QueueState(
            bool(self._dispatcher.reason), self._dispatcher.reason,
            line.count("running"), line.count("queued"), line.count("held"),
        )  # fmt: skip

    def jobs(self) -> tuple[GenerationJob, ...]:
        """Those that have not ended, in their order: they run, wait or are held."""
        return tuple(job for job in self._board.line() if job.kind is self._generation)

    def ended(self, *, limit: int = 100, before: int | None = None) -> tuple[JobRecord, ...]:
        """Those that have ended, the newest first, also those of earlier runs of the program.

        Args:
            before: the `seq` of the last of the page before this one.
        """
        rows = self._store.ended(self._generation.name, limit=limit, before=before)
        return tuple(record_of_row(row, self._store.images_of(row.id)) for row in rows)

    def record(self, job_id: str) -> JobRecord | None:
        """All that is known of a job, whenever it was; None where there was none of that id."""
        job = self._board.get(job_id, self._generation)
        if job is not None:
            return record_of_job(job, self._store.images_of(job_id))
        row = self._store.job(job_id)
        if row is None or row.kind != self._generation.name:
            return None
        return record_of_row(row, self._store.images_of(job_id))

    def record_of_task(self, task: str) -> JobRecord | None:
        """All that is known of the latest job to which a client gave that name."""
        row = self._store.job_of_task(task)
        return self.record(row.id) if row is not None else None

    def is_same(self, job_id: str, request: GenerationRequest) -> bool:
        """Whether a job, whenever it was, was asked for by such a request."""
        row = self._store.job(job_id)
        known = self._generation.read(row.work) if row is not None and row.kind == self._generation.name else None
        return known is not None and self._generation.is_same(self._check.named(request), known)

    def pause(self, reason: str = BY_HAND) -> None:
        """Begin no further job until `resume`, also after a restart. Those in work go on."""
        self._store.note_fact(PAUSED, reason)
        self._dispatcher.pause("user", reason)

    def resume(self) -> None:
        """Go on, unless there still is no room for pictures."""
        self._store.note_fact(PAUSED, "")
        self._dispatcher.resume()

    def move(self, job: AnyJob, place: int) -> None:
        """Put a job at a place among those that do not run, counted from 0, as far as priorities allow."""
        with self._dispatcher.standing(job):
            self._records.arrange(self._board.move(job, place))

    def move_before(self, job: AnyJob, other: AnyJob | None) -> None:
        """Put a job before another one, or behind all where that is None, as far as priorities allow."""
        with self._dispatcher.standing(job):
            standing = [one for one in self._board.line() if one.state != "running" and one is not job]
            place = len(standing)
            if other is not None and not other.ended:  # one that runs is before all that stand
                place = standing.index(other) if other in standing else 0
            self._records.arrange(self._board.move(job, place))

    def move_by(self, job: GenerationJob, places: int) -> None:
        """Move a job so many places back, or forward where that is negative."""
        with self._dispatcher.standing(job):
            now = self._board.place(job) or 0
            self._records.arrange(self._board.move(job, max(0, now + places)))

    def prioritise(self, job: GenerationJob, priority: int) -> None:
        """Let a job go before all of less priority."""
        with self._dispatcher.standing(job):
            self._records.arrange(self._board.prioritise(job, priority))

    def hold(self, job: GenerationJob, reason: str = "held by hand") -> None:
        """Do not begin a job that waits before it is retried."""
        with self._dispatcher.standing(job):
            if job.state == "queued":
                self._hearing.hold(job, reason)

    def retry(self, job: AnyJob) -> None:
        """Let a job that is held have its turn; what ended during it before is forgotten."""
        with self._dispatcher.standing(job):
            job.deaths = job.breaks = 0
            self._hearing.wait_again(job)

    def edit(self, job: GenerationJob, request: GenerationRequest) -> None:
        """Have a job that has made nothing yet make something else.

        Raises:
            UnknownModelError, UnusableFileError, BadRequestError: as if the request had just been sent.
        """
        completed = self._generation.fixed(self._check.completed(request))
        with self._dispatcher.standing(job):
            if job.images:
                raise WrongStateError(f"job {job.id} has made pictures already; delete it and send another")
            self._records.note_work(job, completed)
            job.work = completed

    def delete(self, job_id: str) -> None:
        """Forget a job that does not run: it is cancelled where it waits. Its pictures stay in their files."""
        job = self._board.find(job_id)
        if job is not None and job.state == "running":
            raise WrongStateError(f"job {job_id} runs; cancel it first")
        if job is not None and not job.ended:
            with self._dispatcher.standing(job):
                job.stopping = True
            self._hearing.fail(job, Cancelled("deleted by the user"))
        self._store.hide((job_id,))
        if job is not None:
            self._board.remove(job)

    def clear(self, which: Which) -> int:
        """Delete all that wait, are held or have ended; gives back how many did not end by themselves before."""
        if which == "ended":
            self._store.hide_ended()
            return 0
        wanted = "queued" if which == "waiting" else "held"
        found = [job for job in self.jobs() if job.state == wanted]
        done = 0
        for job in found:
            try:
                self.delete(job.id)
            except WrongStateError:
                continue  # its turn has just come
            done += 1
        return done
