"""What waits for one worker and what it has in work. Bookkeeping alone: nothing is sent, told or timed here."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from webui.domain.extensions import ActionCall
from webui.domain.result import Progress
from webui.executors.protocol import BackWork, Work, is_light
from webui.jobs.kind import JobProgress


@dataclass(slots=True)
class JobEntry:
    """A job on its way.

    Attributes:
        sent: whether the worker has got it.
        finishing: whether it is to end after its first batch; the worker is told when it gets the job.
    """

    id: str
    work: Work
    sent: bool = False
    finishing: bool = False
    progress: Progress = field(default_factory=Progress)

    @property
    def is_light(self) -> bool:
        """Whether it does not wait for those before it."""
        return is_light(self.work)

    def note(self, progress: JobProgress) -> None:
        """Remember where a generation is; of other work only its name is ever told."""
        if isinstance(progress, Progress):
            self.progress = progress

    def describe(self) -> str:
        """What the worker does for it, in words that stand after "while"."""
        now = self.progress
        if isinstance(self.work, ActionCall):
            return f"doing {self.work.action} of the extension {self.work.extension}"
        if isinstance(self.work, BackWork):
            return self.work.describe()
        if not self.sent:
            return "starting"
        if now.phase == "sampling":
            return f"sampling, step {now.step} of {now.steps}, batch {now.batch + 1} of {now.batches}"
        return {"waiting": "beginning the job", "loading": "loading the model"}.get(now.phase, now.phase)


@dataclass(slots=True)
class LoadEntry:
    """A wish to load a checkpoint; whoever asked waits for `done`."""

    checkpoint: str
    done: Future[None] = field(default_factory=Future)
    sent: bool = False

    def end(self, error: Exception | None) -> None:
        """Let the one who asked go on, with the error where there is one."""
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def describe(self) -> str:
        """What the worker does for it, in words that stand after "while"."""
        return f"loading {self.checkpoint!r}"


Entry = JobEntry | LoadEntry


class Worklist:
    """One entry has its turn at a time, in the order of their coming but loads first; light jobs run beside it."""

    def __init__(self) -> None:
        self._waiting: deque[JobEntry] = deque()
        self._loads: deque[LoadEntry] = deque()
        self._light: dict[str, JobEntry] = {}
        self._current: Entry | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing has its turn and no light job is there."""
        return self._current is None and not self._light

    def running(self) -> tuple[str, ...]:
        """The ids of the jobs that have been told to be started."""
        current = (self._current.id,) if isinstance(self._current, JobEntry) else ()
        return (*current, *(light.id for light in self._light.values() if light.sent))

    def add(self, entry: Entry) -> None:
        """Take an entry; it waits for its turn."""
        if isinstance(entry, LoadEntry):
            self._loads.append(entry)
        elif entry.is_light:
            self._light[entry.id] = entry
        else:
            self._waiting.append(entry)

    def give_turn(self) -> JobEntry | None:
        """Give the next entry its turn unless one has it; the job whose turn has come just now."""
        if self._current is not None:
            return None
        if self._loads:
            self._current = self._loads.popleft()
        elif self._waiting:
            self._current = self._waiting.popleft()
        return self._current if isinstance(self._current, JobEntry) else None

    def unsent(self) -> tuple[Entry, ...]:
        """What a worker that is ready should be sent: the light jobs, then the entry whose turn it is."""
        current = () if self._current is None else (self._current,)
        return tuple(entry for entry in (*self._light.values(), *current) if not entry.sent)

    def in_turn(self, job_id: str) -> JobEntry | None:
        """The job of this id if it need not wait any more, sent or not."""
        current = self._light.get(job_id, self._current)
        return current if isinstance(current, JobEntry) and current.id == job_id else None

    def withdraw(self, job_id: str) -> bool:
        """Take a job out that still waits; whether there was one."""
        waiting = next((entry for entry in self._waiting if entry.id == job_id), None)
        if waiting is not None:
            self._waiting.remove(waiting)
        return waiting is not None

    def end(self, job_id: str) -> None:
        """Forget a job that has ended, so that the next one gets its turn."""
        if self._light.pop(job_id, None) is None and self.in_turn(job_id) is not None:
            self._current = None

    def end_load(self) -> LoadEntry | None:
        """Forget the load that has its turn, and give it back."""
        if not isinstance(self._current, LoadEntry):
            return None
        load, self._current = self._current, None
        return load

    @property
    def is_in_work(self) -> bool:
        """Whether the worker has got an entry that has not ended."""
        current = () if self._current is None else (self._current,)
        return any(entry.sent for entry in (*self._light.values(), *current))

    def drop_in_work(self) -> Iterator[Entry]:
        """Take out, one by one, what the worker has got. What it has not got yet stays for the next worker."""
        for job_id in [light.id for light in self._light.values() if light.sent]:
            yield self._light.pop(job_id)
        if self._current is not None and self._current.sent:
            current, self._current = self._current, None
            yield current

    def drop_all(self) -> Iterator[Entry]:
        """Take out, one by one, everything: first what had its turn."""
        while self._light:
            yield self._light.pop(next(iter(self._light)))
        if self._current is not None:
            current, self._current = self._current, None
            yield current
        while self._waiting:
            yield self._waiting.popleft()
        while self._loads:
            yield self._loads.popleft()

    def describe(self) -> str:
        """What the worker is doing, in words that stand after "while"."""
        return self._current.describe() if self._current is not None else "waiting for a job"
