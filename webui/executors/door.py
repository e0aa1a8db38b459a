"""The side of an executor that callers see, where a thread of its own does everything: methods only leave commands."""

import atexit
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from webui.domain.errors import WebuiError
from webui.domain.settings import BackSettings
from webui.executors.protocol import Work
from webui.executors.running import StopKind
from webui.executors.worklist import JobEntry, LoadEntry


@dataclass(frozen=True, slots=True)
class StopWish:
    """Stop a job, or the batch that it has in work."""

    job_id: str
    kind: StopKind


@dataclass(frozen=True, slots=True)
class Renewal:
    """Go on with new backs, of these settings, as soon as those that are there do nothing."""

    settings: BackSettings


@dataclass(frozen=True, slots=True)
class Closing:
    """Fail what is open, end the backs and the thread."""


Asked = JobEntry | LoadEntry | StopWish | Renewal | Closing


class Keeper(Protocol):
    """What reads the commands, in the thread of `run`."""

    @property
    def running(self) -> tuple[str, ...]:
        """See `Executor.running`; read by any thread."""

    def run(self) -> None:
        """Obey commands until `Closing`."""


KeeperT = TypeVar("KeeperT", bound=Keeper)


class CommandDoor(Generic[KeeperT]):
    """Implements all of `Executor` but `capacity`, by putting commands into the inbox of a keeper."""

    def __init__(self, keeper: KeeperT, leave: Callable[[Asked], None], *, name: str, patience: float) -> None:
        """
        Args:
            leave: puts a command where the keeper reads it.
            name: of the keeper's thread.
            patience: seconds that `close` waits at most.
        """
        self._keeper = keeper
        self._leave = leave
        self._patience = patience
        self._thread = threading.Thread(target=keeper.run, name=name, daemon=True)
        self._door = threading.Lock()  # so that nothing is put behind `Closing`, where nobody would read it
        self._closed = False
        self._thread.start()
        atexit.register(self.close)  # before multiprocessing's own, which would wait for workers for ever

    def running(self) -> tuple[str, ...]:
        return self._keeper.running

    def submit(self, job_id: str, work: Work) -> None:
        self._put(JobEntry(job_id, work))

    def cancel(self, job_id: str) -> None:
        with suppress(_ClosedError):  # then no job is left
            self._put(StopWish(job_id, "interrupt"))

    def skip(self, job_id: str) -> None:
        with suppress(_ClosedError):
            self._put(StopWish(job_id, "skip"))

    def finish(self, job_id: str) -> None:
        with suppress(_ClosedError):
            self._put(StopWish(job_id, "finish"))

    def load(self, checkpoint: str) -> None:
        load = LoadEntry(checkpoint)
        self._put(load)
        load.done.result()

    def renew(self, settings: BackSettings) -> None:
        with suppress(_ClosedError):  # then no worker is left
            self._put(Renewal(settings))

    def close(self) -> None:
        with self._door:
            if not self._closed:
                self._leave(Closing())
                self._closed = True
        if threading.current_thread() is not self._thread:
            self._thread.join(self._patience)
        atexit.unregister(self.close)

    def _put(self, command: Asked) -> None:
        with self._door:
            if self._closed:
                raise _ClosedError("the program is stopping")
            self._leave(command)


class _ClosedError(WebuiError):
    """The executor takes no more."""
