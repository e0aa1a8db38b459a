"""Generating forever: when the last job of an owner has ended well, its request is sent again with other seeds."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from webui.domain.errors import BadRequestError, WebuiError
from webui.engine.generating import Generation, GenerationJob
from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob

MOST = 1000  # jobs that one wish leads to; then somebody has to wish it again
GRACE = 30.0  # seconds within which a job has to come where the wish came first

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """The wish of one owner.

    Attributes:
        sent: how many jobs it has led to.
        deadline: seconds since the epoch by which a job has to have come; None where one has.
    """

    sent: int = 0
    deadline: float | None = None


class Forever:
    """Who generates forever. The end of the program ends that, so does a failed or interrupted job. Thread-safe."""

    def __init__(
        self,
        board: JobBoard,
        kind: Generation,
        send: Callable[[GenerationJob], object],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`send` puts the request of a job into the queue again, with other seeds. It may raise WebuiError."""
        self._board = board
        self._kind = kind
        self._send = send
        self._clock = clock
        self._lock = threading.RLock()
        self._runs: dict[str, _Run] = {}

    def begin(self, owner: str) -> None:
        """From the end of the owner's present jobs on, or of the one that comes within half a minute.

        Raises:
            BadRequestError: nobody can tell who the owner is.
        """
        if not owner:
            raise BadRequestError("on", "this browser sends no cookie, so its jobs cannot be told from those of others")
        with self._lock:
            self._runs[owner] = _Run(deadline=None if self._live(owner) else self._clock() + GRACE)
        self._board.note_change()

    def end(self, owner: str) -> None:
        """No longer; jobs that were sent go on."""
        with self._lock:
            known = self._runs.pop(owner, None)
        if known is not None:
            self._board.note_change()

    def is_on(self, owner: str) -> bool:
        """Whether the owner generates forever."""
        with self._lock:
            run = self._runs.get(owner)
            if run is None or run.deadline is None:
                return run is not None
            return self._clock() <= run.deadline or any(job.created <= run.deadline for job in self._live(owner))

    def goes_on(self, job: AnyJob) -> bool:
        """Whether another job follows this one when it ends well."""
        return self._is_repeatable(job) and not job.ended and self.is_on(job.owner)

    def note_end(self, job: AnyJob) -> None:
        """A job has ended, of whatever kind and owner."""
        with self._lock:
            run = self._runs.get(job.owner)
            if run is None or job.kind is not self._kind:
                return
            if run.deadline is not None and job.created > run.deadline:
                self.end(job.owner)
                return
            now = job.status
            if now.started is not None and (now.state != "done" or now.interrupted):
                self.end(job.owner)
                return
            run.deadline = None
            if self._live(job.owner):
                return
            if now.state != "done" or not self._is_repeatable(job) or run.sent >= MOST:
                self.end(job.owner)
                return
            run.sent += 1
            try:
                self._send(job)
            except WebuiError as error:
                log.warning("generating forever has ended: %s", error)
                self.end(job.owner)

    def _is_repeatable(self, job: AnyJob) -> bool:
        """Whether other seeds make other pictures."""
        return job.kind is self._kind and job.work.task.kind != "upscale"

    def _live(self, owner: str) -> list[AnyJob]:
        """The owner's jobs that make pictures and will go on by themselves."""
        own = (job for job in self._board.line() if job.owner == owner and job.kind is self._kind)
        return [job for job in own if job.state in ("queued", "running")]
