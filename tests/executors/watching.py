"""What tests of executors share: a listener that records events, and waiting with a deadline."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from tests.executors.prompted_back import PIDS
from tests.forked import births
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.settings import BackSettings
from webui.executors.health import HANG_AFTER
from webui.executors.local import LocalExecutor
from webui.executors.protocol import Event, Failed, Finished, ImageMade, JobEvent, OnEvent, Progressed, Ready

T = TypeVar("T")
E = TypeVar("E", bound=JobEvent)
PATIENCE = 60.0  # seconds; a loaded machine starts a process slowly


def until(look: Callable[[], T], what: str = "it did not happen") -> T:
    """The first true value of `look`; fails after a while."""
    end = time.monotonic() + PATIENCE
    while not (seen := look()):
        assert time.monotonic() < end, what
        time.sleep(0.005)
    return seen


def pids(data_dir: Path) -> list[int]:
    """Every worker there has been, oldest first."""
    file = data_dir / PIDS
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def kill_worker(data_dir: Path) -> int:
    """kill -9 the newest worker."""
    pid = until(lambda: pids(data_dir), "no worker was built")[-1]
    os.kill(pid, signal.SIGKILL)
    return pid


def local(data_dir: Path, on_event: OnEvent, factory: str = "build", hang_after: float = HANG_AFTER) -> LocalExecutor:
    """A worker process with a prompted back."""
    whole, settings = f"tests.executors.prompted_back:{factory}", BackSettings(data_dir=data_dir)
    return LocalExecutor(settings, on_event, factory=whole, hang_after=hang_after, births=births())


def wanted(prompt: str, **fields: object) -> GenerationRequest:
    small = {"prompt": prompt, "steps": 10, "seed": 5, "checkpoint": "tiny", "width": 64, "height": 64}
    return GenerationRequest.model_validate({**small, **fields})


class Listener:
    """Records events; `end(job)` waits for the last one of a job."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    @property
    def jobs(self) -> list[JobEvent]:
        """The events of all jobs."""
        return [event for event in self.events if not isinstance(event, Ready)]

    def of(self, job_id: str) -> list[JobEvent]:
        with self._changed:
            return [event for event in self.jobs if event.job_id == job_id]

    def wait_for(self, job_id: str, kind: type[E]) -> E:
        def found() -> E | None:
            return next((event for event in self.jobs if event.job_id == job_id and isinstance(event, kind)), None)

        with self._changed:
            assert self._changed.wait_for(found, PATIENCE), (job_id, kind, self.events)
            event = found()
            assert event
            return event

    def end(self, job_id: str) -> Finished | Failed:
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended(job_id), PATIENCE), (job_id, self.events)
            ended = self._ended(job_id)
            assert ended
            return ended

    def finished(self, job_id: str) -> Finished:
        ended = self.end(job_id)
        assert isinstance(ended, Finished), ended
        return ended

    def result(self, job_id: str) -> GenerationResult:
        outcome = self.finished(job_id).outcome
        assert isinstance(outcome, GenerationResult), outcome
        return outcome

    def failed(self, job_id: str) -> Failed:
        ended = self.end(job_id)
        assert isinstance(ended, Failed), ended
        return ended

    def images(self, job_id: str) -> int:
        return sum(isinstance(event, ImageMade) for event in self.of(job_id))

    def kinds(self, job_id: str) -> list[type]:
        return [type(event) for event in self.of(job_id) if not isinstance(event, Progressed)]

    def _ended(self, job_id: str) -> Finished | Failed | None:
        for event in self.jobs:
            if event.job_id == job_id and isinstance(event, Finished | Failed):
                return event
        return None
