"""Runs jobs in the caller's thread, for tests and scripts. Stopping works from `on_event` and from other threads."""

import threading
from collections import deque

from webui.domain.errors import Cancelled
from webui.executors.config import WorkerConfig
from webui.executors.protocol import Failed, OnEvent, Started, Work
from webui.executors.running import Back, Stop, StopKind, perform, ready


class InlineExecutor:
    """Implements `executors.protocol.Executor`; `submit` returns when the job has ended.

    While a job runs, others that are submitted (from `on_event`, or from another thread) wait for it and are run by
    the call that runs it; their own `submit` returns at once.
    """

    def __init__(self, back: Back, on_event: OnEvent) -> None:
        self._back = back
        self._on_event = on_event
        self._lock = threading.Lock()  # around all below
        self._waiting: deque[tuple[str, Work]] = deque()
        self._stops: dict[str, Stop] = {}
        self._working = False
        self._closed = False
        on_event(ready(back))

    def submit(self, job_id: str, work: Work) -> None:
        with self._lock:
            self._waiting.append((job_id, work))
            self._stops[job_id] = Stop()
            if self._working:
                return
            self._working = True
        try:
            while (job := self._next()) is not None:
                self._run(*job)
        except BaseException:  # a listener raised
            with self._lock:
                self._working = False
            raise

    def cancel(self, job_id: str) -> None:
        self._stop(job_id, "interrupt")

    def skip(self, job_id: str) -> None:
        self._stop(job_id, "skip")

    def load(self, checkpoint: str) -> None:
        self._back.load(checkpoint)

    def renew(self, config: WorkerConfig) -> None:
        """Nothing: the back is the caller's, who makes another executor for another back."""

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._back.close()

    def _next(self) -> tuple[str, Work] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._working = False  # here, under the lock: whoever submits from now on runs its job itself
            return None

    def _run(self, job_id: str, work: Work) -> None:
        with self._lock:
            stop = self._stops[job_id]
        try:
            if stop.interrupted:
                self._on_event(Failed(job_id, Cancelled("stopped by the user before its turn")))
                return
            self._on_event(Started(job_id))
            self._on_event(perform(self._back, job_id, work, stop, self._on_event))
        finally:
            with self._lock:
                self._stops.pop(job_id, None)

    def _stop(self, job_id: str, kind: StopKind) -> None:
        with self._lock:
            if (stop := self._stops.get(job_id)) is not None:
                stop.ask(kind)
