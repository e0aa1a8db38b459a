"""An executor that runs two jobs at once, each in a thread, on one back: tried by the contract and under the engine."""

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future

from webui.domain.errors import BackUnavailableError, Cancelled, WebuiError
from webui.domain.settings import BackSettings
from webui.executors.protocol import Event, Failed, Finished, OnEvent, Started, Work, is_light
from webui.executors.running import Back, Stop, perform, ready

Build = Callable[[BackSettings], Back]


class PooledExecutor:
    """Implements `Executor`. A thread of its own looks after what is asked; every job has another."""

    capacity = 2

    def __init__(self, build: Build, settings: BackSettings, on_event: OnEvent) -> None:
        self._build = build
        self._settings = settings
        self._on_event = on_event
        self._changed = threading.Condition()  # held while anything below changes, and while an event is told
        self._waiting: dict[str, Work] = {}
        self._loads: list[tuple[str, Future[None]]] = []
        self._running: dict[str, bool] = {}  # whether the job is light
        self._stops: dict[str, Stop] = {}
        self._back: Back | None = None
        self._wanted = True  # whether a new back is wanted
        self._closed = False
        self._keeper = threading.Thread(target=self._keep)
        self._keeper.start()

    def running(self) -> tuple[str, ...]:
        return tuple(self._running)

    def submit(self, job_id: str, work: Work) -> None:
        with self._changed:
            self._refuse_if_closed()
            self._waiting[job_id] = work
            self._stops[job_id] = Stop()
            self._wanted = self._wanted or self._back is None
            self._changed.notify_all()

    def cancel(self, job_id: str) -> None:
        with self._changed:
            if self._waiting.pop(job_id, None) is not None:
                self._tell(Failed(job_id, Cancelled("stopped before its turn")))
            elif job_id in self._running:
                self._stops[job_id].ask("interrupt")

    def skip(self, job_id: str) -> None:
        with self._changed:
            if job_id in self._running:
                self._stops[job_id].ask("skip")

    def finish(self, job_id: str) -> None:
        with self._changed:
            if job_id in self._running:
                self._stops[job_id].ask("finish")

    def load(self, checkpoint: str) -> None:
        done: Future[None] = Future()
        with self._changed:
            self._refuse_if_closed()
            self._loads.append((checkpoint, done))
            self._wanted = self._wanted or self._back is None
            self._changed.notify_all()
        done.result()

    def renew(self, settings: BackSettings) -> None:
        with self._changed:
            self._settings, self._wanted = settings, True
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            if not self._closed:
                self._closed = True
                for stop in self._stops.values():
                    stop.ask("interrupt")
                self._fail_waiting(WebuiError("the program was stopped before this was done"))
                self._changed.notify_all()
            reentrant = threading.current_thread() is self._keeper
        if not reentrant:
            self._keeper.join()

    def _keep(self) -> None:
        with self._changed:
            while not (self._closed and not self._running):
                if not self._advance():
                    self._changed.wait()

    def _advance(self) -> bool:
        """Do one thing that can be done now; whether there was one."""
        if self._closed:
            return False
        if self._wanted:
            return not self._running and self._renewed()
        if self._loads and self._heavy() < self.capacity:
            self._load(*self._loads.pop(0))
            return True
        for job_id, work in self._waiting.items():
            light = is_light(work)
            if light or self._heavy() < self.capacity:
                del self._waiting[job_id]
                self._start(job_id, work, light=light)
                return True
        return False

    def _renewed(self) -> bool:
        self._wanted = False
        try:
            self._back = self._build(self._settings)
        except Exception as error:
            self._back = None
            self._fail_waiting(BackUnavailableError(str(error)))
        else:
            self._tell(ready(self._back))
        return True

    def _load(self, checkpoint: str, done: "Future[None]") -> None:
        assert self._back is not None
        try:
            self._back.load(checkpoint)
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _start(self, job_id: str, work: Work, *, light: bool) -> None:
        self._running[job_id] = light
        self._tell(Started(job_id))
        threading.Thread(target=self._perform, args=(self._back, job_id, work, self._stops[job_id])).start()

    def _perform(self, back: Back, job_id: str, work: Work, stop: Stop) -> None:
        ended: Finished | Failed = perform(back, job_id, work, stop, self._tell)
        with self._changed:
            if self._closed:
                ended = Failed(job_id, WebuiError("the program was stopped before this was done"))
            del self._running[job_id], self._stops[job_id]
            self._tell(ended)
            self._changed.notify_all()

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, {}
        loads, self._loads = self._loads, []
        for job_id in waiting:
            self._tell(Failed(job_id, error))
        for _, done in loads:
            done.set_exception(error)

    def _heavy(self) -> int:
        return list(self._running.values()).count(False)

    def _tell(self, event: Event) -> None:
        with self._changed:
            try:
                self._on_event(event)
            except Exception:
                traceback.print_exc()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise WebuiError("the program is stopping")
