"""The jobs in memory, of every kind: those that wait, those that run, and the last ones that ended."""

import threading
from collections import Counter
from collections.abc import Callable

from webui.domain.errors import BusyError
from webui.jobs.job import AnyJob, Job
from webui.jobs.kind import JobKind, ProgressT, ResultT, WorkT

KEPT_BYTES = 256 * 2**20  # of pixels, over all ended jobs


class JobBoard:
    """First in, first out; light jobs stand beside the queue. Thread-safe."""

    def __init__(self, limit: int, *, capacity: Callable[[], int] = lambda: 1, kept_bytes: int = KEPT_BYTES) -> None:
        """
        Args:
            limit: how many may wait besides those in work; as many light jobs may be on their way at once.
            capacity: tells how many jobs are done at once, light ones apart.
        """
        self._limit = limit
        self._capacity = capacity
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._jobs: dict[str, AnyJob] = {}

    def add(self, job: AnyJob, *, whatever: bool = False) -> None:
        """Append a job; `whatever` the limit says, for those that an earlier run accepted.

        Raises:
            BusyError: too many wait.
        """
        with self._lock:
            live = len(self._live(light=job.is_light))
            # of the others as many as are done at once are, or are about to be, in work
            waiting = live if job.is_light else max(0, live - self._capacity())
            if waiting >= self._limit and not whatever:
                raise BusyError(f"{waiting} jobs wait already; try again when some are done")
            self._jobs[job.id] = job
            self._count()

    def remove(self, job: AnyJob) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)
            self._count()

    def find(self, job_id: str) -> AnyJob | None:
        """The job of that id, whatever its kind."""
        with self._lock:
            return self._jobs.get(job_id)

    def get(self, job_id: str, kind: JobKind[WorkT, ProgressT, ResultT]) -> Job[WorkT, ProgressT, ResultT] | None:
        """The job of that id where it is of this kind."""
        job = self.find(job_id)
        return job if job is not None and job.kind is kind else None

    def running(self, kind: JobKind[WorkT, ProgressT, ResultT]) -> tuple[Job[WorkT, ProgressT, ResultT], ...]:
        """The jobs of this kind that run."""
        return self._of(kind, "running")

    def queued(self, kind: JobKind[WorkT, ProgressT, ResultT]) -> tuple[Job[WorkT, ProgressT, ResultT], ...]:
        """The jobs of this kind that wait, in order."""
        return self._of(kind, "queued")

    def settle(self) -> None:
        """After a job has ended: those behind it move up, and what is too old or too large is forgotten.

        Of each kind the oldest of the ended jobs go, and over all kinds the pixels of those that take too much memory
        together. The job that ended last keeps its pixels, however many they are.
        """
        with self._lock:
            self._count()
            ended = [job for job in self._jobs.values() if job.status.ended_at is not None]
            newest = sorted(ended, key=lambda job: job.status.ended_at or 0.0, reverse=True)
            seen: Counter[str] = Counter()
            for job in newest:
                seen[job.kind.name] += 1
                if seen[job.kind.name] > job.kind.kept:
                    del self._jobs[job.id]
            kept = [job for job in newest if job.id in self._jobs]
        held = 0
        for age, job in enumerate(kept):
            held += _bytes(job)
            if age and held > self._kept_bytes:
                job.note_forgotten()

    def _of(self, kind: JobKind[WorkT, ProgressT, ResultT], state: str) -> tuple[Job[WorkT, ProgressT, ResultT], ...]:
        with self._lock:
            return tuple(job for job in self._jobs.values() if job.kind is kind and job.state == state)

    def _live(self, *, light: bool) -> list[AnyJob]:
        """Those that have not ended, in order."""
        return [job for job in self._jobs.values() if not job.ended and job.is_light == light]

    def _count(self) -> None:
        """Tell each waiting job how many must end before its turn. Only here the order of the queue is looked at."""
        others = self._capacity() - 1  # that may run beside it
        for place, job in enumerate(self._live(light=False)):
            if job.state == "queued":
                job.note_position(max(0, place - others))


def _bytes(job: AnyJob) -> int:
    """How much memory the pixels of an ended job take, with 3 bytes a pixel."""
    now = job.status
    pictures = [made.image for made in now.images] if now.result is None else job.kind.pictures(now.result)
    return sum(3 * picture.width * picture.height for picture in pictures)
