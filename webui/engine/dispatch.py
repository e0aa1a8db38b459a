"""Whose turn it is: which jobs of the line are handed to the back, and why the line stands still where it does."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Literal

from webui.domain.errors import Cancelled, WebuiError, WrongStateError
from webui.engine.runners import Runner
from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob

Cause = Literal["user", "back", "storage", "closing"]
# seconds between two tries to go on
EVERY: Mapping[Cause, float] = MappingProxyType({"storage": 30.0, "back": 60.0})
LONGEST = 600.0  # of these seconds, which double with each failure of the back

log = logging.getLogger(__name__)


class Dispatcher:
    """Hands on as many jobs as are done at once, in the order of the line. Implements `JobControl`. Thread-safe.

    What waits stays here, so that it can be moved, changed and held, and is not touched by what happens to a back.
    """

    def __init__(
        self,
        board: JobBoard,
        runner: Callable[[], Runner],
        capacity: Callable[[], int],
        *,
        give_up: Callable[[AnyJob, Exception], None],
        try_storage: Callable[[], str],
    ) -> None:
        """
        Args:
            runner: gives the one who does the jobs.
            give_up: ends a job with an error.
            try_storage: why pictures still cannot be saved; "" where they can.
        """
        self._board = board
        self._runner = runner
        self._capacity = capacity
        self._give_up = give_up
        self._try_storage = try_storage
        self._changed = threading.Condition()
        self._handed: dict[str, int] = {}  # how many pictures each job had that the back has got and not ended
        self._written: set[str] = set()  # of these, the jobs whose pictures are being written
        self._pauses: dict[Cause, str] = {}
        self._next_try: dict[Cause, float] = {}
        self._back_pause = EVERY["back"]
        self._changing = 0  # how many changes of jobs are under way; each looks itself when it is done
        self._thread: threading.Thread | None = None

    @property
    def reason(self) -> str:
        """Why no further job is begun; "" where they are."""
        with self._changed:
            return " ".join(text for cause, text in self._pauses.items() if cause != "closing")

    def submit(self, job: AnyJob) -> None:
        """A job has come; it is on the board. Where the back could not do anything, this is a reason to try again."""
        if job.is_light:
            self._runner().submit(job)
            return
        with self._changed:
            self._pauses.pop("back", None)
            self._tell_reasons()
        self.look()

    def cancel(self, job_id: str) -> None:
        """Take a job out of the line, or ask the one who does it to stop."""
        job = self._board.find(job_id)
        if job is None:
            return
        with self._changed:
            job.stopping = True
            with_back = job.is_light or job_id in self._handed
        if with_back:
            self._runner().cancel(job_id)
        else:
            self._give_up(job, Cancelled("stopped by the user before its turn"))

    def skip(self, job_id: str) -> None:
        self._runner().skip(job_id)

    def finish(self, job_id: str) -> None:
        self._runner().finish(job_id)

    @contextmanager
    def standing(self, job: AnyJob) -> Iterator[None]:
        """Keep a job that waits or is held where it is, while the caller changes it; then go on.

        Raises:
            WrongStateError: it runs, or has ended.
        """
        with self._changed:
            if job.id in self._handed or job.state not in ("queued", "held") or job.stopping:
                raise WrongStateError(f"job {job.id} is {job.state}; only a job that waits or is held can be changed")
            self._changing += 1
            try:
                yield
            finally:
                self._changing -= 1
                self._tell_reasons()
                self._wake()
        self.look()

    def pause(self, cause: Cause, text: str) -> None:
        """Begin no further job, for this cause; those in work go on."""
        with self._changed:
            if cause not in self._pauses:
                log.warning("the queue is paused: %s", text)
            self._pauses[cause] = text
            if cause in EVERY:
                self._next_try[cause] = time.monotonic() + (self._back_pause if cause == "back" else EVERY[cause])
            if cause == "back":
                self._back_pause = min(LONGEST, 2 * self._back_pause)
            self._tell_reasons()
            self._wake()

    def resume(self) -> None:
        """Go on. Where there still is no room for pictures, the line stays paused for that."""
        with self._changed:
            for cause in ("user", "back"):
                self._pauses.pop(cause, None)
        self._look_at_storage()
        with self._changed:
            self._tell_reasons()
        self.look()

    def back_is_there(self) -> None:
        """A back has been made."""
        with self._changed:
            self._back_pause = EVERY["back"]

    def made_before(self, job: AnyJob) -> int:
        """How many pictures a job had when it was handed on."""
        return self._handed.get(job.id, len(job.images))

    def given_back(self, job_id: str) -> None:
        """The back has done its part of a job, whose pictures are still being written; the next one may go."""
        with self._changed:
            if job_id in self._handed:
                self._written.add(job_id)
        self.look()

    def released(self, job: AnyJob) -> None:
        """The back has ended a job, well or not; the next one may go."""
        with self._changed:
            self._handed.pop(job.id, None)
            self._written.discard(job.id)
            self._tell_reasons()
            self._wake()
        self.look()

    def look(self) -> None:
        """Hand on what can be handed on."""
        while (job := self._next()) is not None:
            try:
                self._runner().submit(job)
            except WebuiError as error:
                with self._changed:
                    self._handed.pop(job.id, None)
                self._give_up(job, error)
                return
            if job.stopping:  # the wish came between the two
                self._runner().cancel(job.id)
        for job_id in self._giving_way():
            self._runner().finish(job_id)

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._pauses["closing"] = "the program is stopping"
            self._changed.notify_all()

    def _next(self) -> AnyJob | None:
        with self._changed:
            if self._changing or len(self._handed) - len(self._written) >= self._capacity():
                return None
            now = time.monotonic()
            for job in self._board.line():
                if job.id not in self._handed and job.ready_at <= now and self._may_begin(job):
                    self._handed[job.id] = len(job.images)
                    return job
            return None

    def _giving_way(self) -> list[str]:
        """The jobs in work that are to make room, because others wait."""
        with self._changed:
            line = self._board.line()
            if self._changing or not any(job.id not in self._handed and self._may_begin(job) for job in line):
                return []
            return [job.id for job in line if job.id in self._handed and job.kind.gives_way(job.work)]

    def _may_begin(self, job: AnyJob) -> bool:
        """Where there is no room for pictures, those that need none still go on."""
        stopped = set(self._pauses) - (set() if job.save else {"storage"})
        return job.state == "queued" and not job.stopping and not stopped

    def _tell_reasons(self) -> None:
        """Tell the jobs that wait whether they wait for something other than their turn. A pause by hand is none."""
        self._board.note_change()
        faults = [self._pauses[cause] for cause in ("back", "storage") if cause in self._pauses]
        for job in self._board.line():
            if job.state == "queued" and job.id not in self._handed:
                job.note_reason(
                    f"the queue is paused: {' '.join(faults)}" if faults and not self._may_begin(job) else ""
                )

    def _wake(self) -> None:
        if self._thread is None and "closing" not in self._pauses and self._due() is not None:
            self._thread = threading.Thread(target=self._watch, name="queue", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _due(self) -> float | None:
        """When something is to be tried again; None where nothing is."""
        now = time.monotonic()
        waits = [job.ready_at for job in self._board.line() if job.state == "queued" and job.ready_at > now]
        tries = [self._next_try[cause] for cause in self._pauses if cause in EVERY]
        return min([*waits, *tries], default=None)

    def _watch(self) -> None:
        """The life of the thread: it ends when nothing is left to be tried again."""
        while True:
            with self._changed:
                due = self._due()
                if due is None or "closing" in self._pauses:
                    self._thread = None
                    break
                if (rest := due - time.monotonic()) > 0:
                    self._changed.wait(rest + 0.001)
                now = time.monotonic()
                tried: list[Cause] = [one for one in self._pauses if one in EVERY and self._next_try[one] <= now]
                if "back" in tried:
                    del self._pauses["back"]
                    self._tell_reasons()
            if "storage" in tried:
                self._look_at_storage()
            self.look()
        self.look()  # the time of a job may have come since the last look and before this end

    def _look_at_storage(self) -> None:
        if "storage" not in self._pauses:
            return
        text = self._try_storage()
        with self._changed:
            if text:
                self._pauses["storage"] = text
                self._next_try["storage"] = time.monotonic() + EVERY["storage"]
            else:
                self._pauses.pop("storage", None)
            self._tell_reasons()
