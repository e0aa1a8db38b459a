"""The jobs in memory: those that wait, the one that runs, and the last ones that ended."""

import threading
from operator import itemgetter

from webui.domain.errors import BusyError
from webui.jobs.job import Job

KEPT = 100  # ended jobs that can still be asked for
KEPT_BYTES = 256 * 2**20  # of pixels, over all ended jobs


class JobQueue:
    """First in, first out. Thread-safe."""

    def __init__(self, limit: int, *, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        """`limit`: how many may wait besides the one in work."""
        self._limit = limit
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job, *, whatever: bool = False) -> None:
        """Append a job; `whatever` the limit says, for those that an earlier run accepted.

        Raises:
            BusyError: too many wait.
        """
        with self._lock:
            waiting = len(self._live()) - 1  # one of them is, or is about to be, in work
            if waiting >= self._limit and not whatever:
                raise BusyError(f"{waiting} jobs wait already; try again when some are done")
            self._jobs[job.id] = job

    def remove(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)

    def get(self, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get(job_id)

    def current(self) -> Job | None:
        """The job that runs."""
        with self._lock:
            return next((job for job in self._jobs.values() if job.state == "running"), None)

    def queued(self) -> tuple[Job, ...]:
        """Those that wait, in order."""
        with self._lock:
            return tuple(job for job in self._jobs.values() if job.state == "queued")

    def position(self, job_id: str) -> int:
        """How many live jobs come before this one; 0 where it is unknown or has ended."""
        with self._lock:
            live = self._live()
        return live.index(job_id) if job_id in live else 0

    def trim(self) -> None:
        """Forget the oldest of the ended jobs, and the pixels of those that take too much memory together.

        The job that ended last keeps its pixels, however many they are.
        """
        with self._lock:
            ended = [(job.ended_at, job) for job in self._jobs.values() if job.ended_at is not None]
            newest = [job for _, job in sorted(ended, key=itemgetter(0), reverse=True)]
            for job in newest[self._kept :]:
                del self._jobs[job.id]
        held = 0
        for age, job in enumerate(newest[: self._kept]):
            held += sum(3 * made.image.width * made.image.height for made in job.images)
            if age and held > self._kept_bytes:
                job.note_forgotten()

    def _live(self) -> list[str]:
        return [job.id for job in self._jobs.values() if not job.ended]
