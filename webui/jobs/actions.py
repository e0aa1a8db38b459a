"""Actions of extensions on their way: state, progress, result. They are not kept beyond this run of the program."""

import asyncio
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future

from webui.domain.errors import BusyError, Cancelled
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress
from webui.domain.result import JobState

KEPT = 30  # ended actions that can still be asked for


class ActionJob:
    """One action. Safe to use from any thread; the methods named `note_...` are the board's.

    Attributes:
        outcome: done when the action is; its exception says why it failed (Cancelled among them).
    """

    def __init__(self, call: ActionCall, cancel: Callable[[str], None]) -> None:
        self.id = uuid.uuid4().hex
        self.call = call
        self.outcome: Future[ActionOutcome] = Future()
        self.progress = ActionProgress()
        self._cancel = cancel
        self._started = False

    @property
    def state(self) -> JobState:
        if not self.outcome.done():
            return "running" if self._started else "queued"
        error = self.outcome.exception()
        if error is None:
            return "done"
        return "cancelled" if isinstance(error, Cancelled) else "failed"

    def cancel(self) -> None:
        """Ask it to stop; one that does not listen costs the worker, which is started anew. Returns at once."""
        if not self.outcome.done():
            self._cancel(self.id)

    async def wait(self) -> ActionOutcome:
        """The end, without holding a thread. Who stops waiting does not stop the action. Raises what ended it."""
        return await asyncio.shield(asyncio.wrap_future(self.outcome))

    def result(self, timeout: float | None = None) -> ActionOutcome:
        """Block until the end. Raises TimeoutError, or what ended it."""
        return self.outcome.result(timeout)

    def note_started(self) -> None:
        self._started = True

    def note_progress(self, progress: ActionProgress) -> None:
        self.progress = progress

    def note_end(self, outcome: ActionOutcome | Exception) -> None:
        if self.outcome.done():
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class ActionBoard:
    """The actions that wait or run, and the last ones that ended. Thread-safe."""

    def __init__(self, limit: int) -> None:
        """`limit`: how many may be on their way at once."""
        self._limit = limit
        self._lock = threading.Lock()
        self._jobs: dict[str, ActionJob] = {}

    def add(self, job: ActionJob) -> None:
        """Raises BusyError where too many are on their way."""
        with self._lock:
            live = [one for one in self._jobs.values() if not one.outcome.done()]
            if len(live) >= self._limit:
                raise BusyError(f"{len(live)} actions wait already; try again when some are done")
            ended = [key for key, one in self._jobs.items() if one.outcome.done()]
            for key in ended[: max(0, len(ended) - KEPT)]:
                del self._jobs[key]
            self._jobs[job.id] = job

    def get(self, job_id: str) -> ActionJob | None:
        with self._lock:
            return self._jobs.get(job_id)
