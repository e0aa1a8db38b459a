"""An executor under watch: every event is kept with what `running()` said just then, and held against the contract."""

import threading
from collections.abc import Callable

from tests.executors.watching import PATIENCE, Listener, wanted
from webui.domain.errors import WebuiError
from webui.domain.settings import BackSettings
from webui.executors.protocol import (
    Event,
    Executor,
    Failed,
    Finished,
    JobEvent,
    OnEvent,
    Ready,
    Started,
    Work,
    is_light,
)

Maker = Callable[[BackSettings, OnEvent], Executor]


class Watcher(Listener):
    """A listener that may also do something, or fail, when an event comes."""

    def __init__(self) -> None:
        super().__init__()
        self.executor: Executor | None = None
        self.said: list[tuple[str, ...]] = []  # what `running()` was at each event
        self.reactions: dict[Started, Callable[[], None]] = {}
        self.fault: Exception | None = None

    def __call__(self, event: Event) -> None:
        self.said.append(self.executor.running() if self.executor else ())
        super().__call__(event)
        if isinstance(event, Started) and (react := self.reactions.pop(event, None)) is not None:
            react()
        if self.fault is not None:
            raise self.fault

    def backs(self, count: int) -> list[str]:
        """The devices of the backs that were told, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._devices()) >= count, PATIENCE), self.events
            return self._devices()

    def _devices(self) -> list[str]:
        return [event.extensions[0].version for event in self.events if isinstance(event, Ready)]


class Trial:
    """An executor and all that became of it. `submit` may block, so jobs are begun in threads."""

    def __init__(self, make: Maker, settings: BackSettings) -> None:
        self.settings = settings
        self.heard = Watcher()
        self.executor = make(settings, self.heard)
        self.heard.executor = self.executor
        self._submitted: dict[str, Work] = {}
        self._threads: list[threading.Thread] = []

    def submit(self, job_id: str, work: Work) -> None:
        """Submit, wherever that may block."""
        self._submitted[job_id] = work
        self._threads.append(threading.Thread(target=self.executor.submit, args=(job_id, work)))
        self._threads[-1].start()

    def begin(self, job_id: str, work: Work) -> None:
        """Submit, and wait for the start."""
        self.submit(job_id, work)
        self.heard.wait_for(job_id, Started)

    def queue(self, job_id: str, work: Work) -> None:
        """Submit while others run, so that it returns at once in the order of the calls."""
        self._submitted[job_id] = work
        self.executor.submit(job_id, work)

    def fill(self, name: str) -> list[str]:
        """As many endless jobs as run at once."""
        busy = [f"{name} busy {number}" for number in range(self.executor.capacity)]
        for job_id in busy:
            self.begin(job_id, wanted("slow", steps=150, n_iter=1000))
        return busy

    def free(self, busy: list[str]) -> None:
        """End them."""
        for job_id in busy:
            self.executor.cancel(job_id)
        for job_id in busy:
            self.heard.end(job_id)

    def close(self) -> None:
        self.executor.close()
        self.join()

    def join(self) -> None:
        """Wait for the threads; every submitted job has ended then or is about to end."""
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "submit did not return"
        for job_id in self._submitted:
            self.heard.end(job_id)

    def check(self) -> None:
        """The laws that hold for all events together, once every job has ended."""
        self.join()
        for job_id in self._submitted:
            _check_job(self.heard.of(job_id))
        self._check_running()
        self._check_backs()
        heavy = [job_id for job_id, work in self._submitted.items() if not is_light(work)]
        started = [event.job_id for event in self.heard.events if isinstance(event, Started)]
        assert [job_id for job_id in started if job_id in heavy] == [job_id for job_id in heavy if job_id in started]

    def _check_running(self) -> None:
        running: list[str] = []
        for event, said in zip(self.heard.events, self.heard.said, strict=True):
            if isinstance(event, Started):
                running.append(event.job_id)
            elif isinstance(event, Finished | Failed) and event.job_id in running:
                running.remove(event.job_id)
            assert said == tuple(running), event
            heavy = [job_id for job_id in running if not is_light(self._submitted[job_id])]
            assert len(heavy) <= self.executor.capacity, event
        assert (running, self.executor.running()) == ([], ())

    def _check_backs(self) -> None:
        """No back does anything before it is told of."""
        for event in self.heard.events:
            if isinstance(event, Ready):
                return
            assert isinstance(event, Started | Failed), event


def _check_job(events: list[JobEvent]) -> None:
    """One end, which comes last; before everything else one start."""
    assert [event for event in events if isinstance(event, Finished | Failed)] == events[-1:], events
    starts = [event for event in events if isinstance(event, Started)]
    if len(events) == 1 and not starts:
        assert isinstance(events[0], Failed), events
    else:
        assert starts == events[:1], events


def refuses(ask: Callable[[], None]) -> bool:
    """Whether a call raises an error for users."""
    try:
        ask()
    except WebuiError:
        return True
    return False
