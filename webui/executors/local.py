"""Jobs in one worker process of this machine. The process may be killed, crash or hang; this part goes on."""

import atexit
import logging
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from webui.domain.errors import Cancelled, WebuiError, WorkerDiedError
from webui.domain.extensions import ActionCall, ActionProgress
from webui.domain.result import Progress
from webui.executors.config import WorkerConfig
from webui.executors.process import Gone, Heard, WorkerProcess
from webui.executors.protocol import Event, Failed, Finished, OnEvent, Progressed, Ready, Started, Work
from webui.executors.running import StopKind
from webui.executors.wire import Alive, BuildFailed, FromWorker, LoadCheckpoint, Loaded, Run, StopJob

HANG_AFTER = 120.0  # seconds of silence, or of a stop that is not obeyed, after which a worker is ended
DEATHS = 3  # so many
DEATHS_WITHIN = 600.0  # in so many seconds, with no job ended in between, and it is not started again by itself
CLOSING = 10.0  # seconds that `close` waits at most

log = logging.getLogger(__name__)


class LocalExecutor:
    """Implements `Executor`. Returns from the constructor before the worker has started.

    All state belongs to one thread, which reads commands and the worker's messages from one inbox and calls
    `on_event`; the methods only put commands there.
    """

    def __init__(
        self,
        config: WorkerConfig,
        on_event: OnEvent,
        *,
        entry: str = "webui.worker.main:main",
        hang_after: float = HANG_AFTER,
    ) -> None:
        self._inbox: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._supervisor = _Supervisor(config, on_event, self._inbox, entry, hang_after)
        self._thread = threading.Thread(target=self._supervisor.run, name="executor", daemon=True)
        self._door = threading.Lock()  # so that nothing is put behind `_Close`, where nobody would read it
        self._closed = False
        self._thread.start()
        atexit.register(self.close)  # before multiprocessing's own, which would wait for the worker for ever

    @property
    def pid(self) -> int:
        """Process id of the worker; 0 while there is none."""
        return self._supervisor.pid

    def submit(self, job_id: str, work: Work) -> None:
        self._put(_Job(job_id, work))

    def cancel(self, job_id: str) -> None:
        with suppress(_ClosedError):  # then no job is left
            self._put(_Stop(job_id, "interrupt"))

    def skip(self, job_id: str) -> None:
        with suppress(_ClosedError):
            self._put(_Stop(job_id, "skip"))

    def load(self, checkpoint: str) -> None:
        load = _Load(checkpoint)
        self._put(load)
        load.done.result()

    def renew(self, config: WorkerConfig) -> None:
        with suppress(_ClosedError):  # then no worker is left
            self._put(_Renew(config))

    def close(self) -> None:
        with self._door:
            if not self._closed:
                self._inbox.put(_Close())
                self._closed = True
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSING)
        atexit.unregister(self.close)

    def _put(self, command: "_Command") -> None:
        with self._door:
            if self._closed:
                raise _ClosedError("the program is stopping")
            self._inbox.put(command)


class _ClosedError(WebuiError):
    """The executor takes no more."""


@dataclass(slots=True)
class _Job:
    id: str
    work: Work
    sent: bool = False
    progress: Progress = field(default_factory=Progress)
    stop_by: float | None = None  # monotonic time at which a stop should long have been obeyed

    def note(self, progress: Progress | ActionProgress) -> None:
        """Remember where a generation is; of an action only its name is ever told."""
        if isinstance(progress, Progress):
            self.progress = progress

    def describe(self) -> str:
        """What it is doing, after "while"."""
        now = self.progress
        if isinstance(self.work, ActionCall):
            return f"doing {self.work.action} of the extension {self.work.extension}"
        if not self.sent:
            return "starting"
        if now.phase == "sampling":
            return f"sampling, step {now.step} of {now.steps}, batch {now.batch + 1} of {now.batches}"
        return {"waiting": "beginning the job", "loading": "loading the model"}.get(now.phase, now.phase)


@dataclass(slots=True)
class _Load:
    checkpoint: str
    done: Future[None] = field(default_factory=Future)
    sent: bool = False

    def end(self, error: Exception | None) -> None:
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def describe(self) -> str:
        return f"loading {self.checkpoint!r}"


@dataclass(frozen=True, slots=True)
class _Stop:
    job_id: str
    kind: StopKind


@dataclass(frozen=True, slots=True)
class _Renew:
    """Start a new worker, with these settings, as soon as the one there is does nothing."""

    config: WorkerConfig


@dataclass(frozen=True, slots=True)
class _Close:
    pass


_Command = _Job | _Load | _Stop | _Renew | _Close | Heard | Gone


class _Supervisor:
    """Owns the queue and the worker; lives in one thread."""

    def __init__(
        self,
        config: WorkerConfig,
        on_event: OnEvent,
        inbox: "queue.SimpleQueue[_Command]",
        entry: str,
        hang_after: float,
    ) -> None:
        self._config = config
        self._on_event = on_event
        self._inbox = inbox
        self._entry = entry
        self._hang_after = hang_after
        self._jobs: deque[_Job] = deque()
        self._loads: deque[_Load] = deque()
        self._light: dict[str, _Job] = {}  # actions that do not wait for `_current`
        self._current: _Job | _Load | None = None
        self._worker: WorkerProcess | None = None
        self._built = False
        self._outdated = False  # the worker has older settings and ends when it has nothing to do
        self._resting = False  # after failures: no new worker until something is asked for
        self._heard = 0.0
        self._deaths: deque[float] = deque()

    @property
    def pid(self) -> int:
        """Of the worker, 0 without one. The only thing that other threads may read here."""
        worker = self._worker
        return worker.pid if worker is not None else 0

    def run(self) -> None:
        """Until `_Close`."""
        command: _Command | None = None
        while not isinstance(command, _Close):
            if command is not None:
                self._obey(command)
            self._keep_worker()
            self._dispatch()
            command = self._next()
        self._fail_all(WebuiError("the program was stopped before this was done"))
        if self._worker is not None:
            self._worker.end()

    def _next(self) -> _Command | None:
        """The next command; None when it is time to look after the worker."""
        if self._worker is None:
            return self._inbox.get()
        try:
            return self._inbox.get(timeout=max(0.05, min(self._deadline() - time.monotonic(), self._hang_after)))
        except queue.Empty:
            return None

    def _obey(self, command: _Command) -> None:
        match command:
            case _Job(job_id, work):
                if isinstance(work, ActionCall) and work.light:
                    self._light[job_id] = command
                else:
                    self._jobs.append(command)
                self._resting = False
            case _Load():
                self._loads.append(command)
                self._resting = False
            case _Stop(job_id, kind):
                self._stop(job_id, kind)
            case _Renew(config):
                self._config = config
                self._outdated, self._resting = self._worker is not None, False
            case Heard(worker, message) if worker is self._worker:
                self._heard = time.monotonic()
                self._hear(message)
            case Gone(worker, how) if worker is self._worker:
                self._worker_died(how)

    def _keep_worker(self) -> None:
        """Start a worker where there is none; end one that hangs, or that is outdated and has nothing in work."""
        # one that still builds is never ended: what it was just loading would be blamed for its death
        idle = self._built and self._current is None and not self._light
        if self._worker is not None and self._outdated and idle:
            log.info("worker %d makes room for a new one", self._worker.pid)
            worker, self._worker = self._worker, None  # first, so that its end counts as no death
            worker.end()
        if self._worker is None and not self._resting:
            self._start()
        elif self._worker is not None and time.monotonic() >= self._deadline():
            silent = time.monotonic() >= self._heard + self._hang_after
            why = "gave no sign of life" if silent else "did not stop when it was told to"
            self._heard = time.monotonic()
            for job in self._in_work():
                job.stop_by = None
            self._worker.kill(f"it {why} for {self._hang_after:.0f} s and was ended")

    def _deadline(self) -> float:
        """Monotonic time at which the worker counts as hanging unless it is heard from."""
        return min(
            [self._heard + self._hang_after, *(job.stop_by for job in self._in_work() if job.stop_by is not None)]
        )

    def _in_work(self) -> list["_Job"]:
        """The jobs that the worker has."""
        current = [self._current] if isinstance(self._current, _Job) else []
        return [job for job in [*current, *self._light.values()] if job.sent]

    def _start(self) -> None:
        self._built = self._outdated = False
        try:
            self._worker = WorkerProcess(self._config, self._entry, self._inbox.put)
        except OSError as error:
            log.exception("the worker process cannot be started")
            self._resting = True
            self._fail_all(WorkerDiedError(f"the worker process cannot be started: {error}"))
            return
        self._heard = time.monotonic()
        log.info("worker %d started", self._worker.pid)

    def _dispatch(self) -> None:
        """Give the worker the next thing to do. Loads go before jobs."""
        if self._worker is None:
            return
        for light in self._light.values():
            if self._built and not light.sent:
                light.sent = True
                self._emit(Started(light.id))
                self._worker.send(Run(light.id, light.work))
        if self._current is None:
            if self._loads:
                self._current = self._loads.popleft()
            elif self._jobs:
                self._current = self._jobs.popleft()
                self._emit(Started(self._current.id))
        if self._current is not None and self._built and not self._current.sent:
            self._current.sent = True
            match self._current:
                case _Job(job_id, work):
                    self._worker.send(Run(job_id, work))
                case _Load(checkpoint):
                    self._worker.send(LoadCheckpoint(checkpoint))

    def _stop(self, job_id: str, kind: StopKind) -> None:
        current = self._light.get(job_id, self._current)
        if isinstance(current, _Job) and current.id == job_id:
            if current.sent and self._worker is not None:
                self._worker.send(StopJob(job_id, kind))
                if kind == "interrupt" and current.stop_by is None:
                    current.stop_by = time.monotonic() + self._hang_after
            elif kind == "interrupt":
                self._forget(job_id)
                self._emit(Failed(job_id, Cancelled("stopped by the user before it began")))
        elif kind == "interrupt" and (job := next((one for one in self._jobs if one.id == job_id), None)) is not None:
            self._jobs.remove(job)
            self._emit(Failed(job_id, Cancelled("stopped by the user before its turn")))

    def _hear(self, message: FromWorker) -> None:
        match message:
            case Alive():
                pass
            case Ready():
                self._built = True
                self._emit(message)
            case BuildFailed(error, traceback):
                self._worker, self._resting = None, True  # it ends by itself; the next job tries a new one
                self._fail_all(error, traceback)
            case Loaded(error):
                if isinstance(self._current, _Load):
                    self._current.end(error)
                self._current = None
                self._deaths.clear()
            case Finished() | Failed():
                self._forget(message.job_id)
                self._deaths.clear()
                self._emit(message)
            case _:
                if isinstance(self._current, _Job) and isinstance(message, Progressed):
                    self._current.note(message.progress)
                self._emit(message)

    def _forget(self, job_id: str) -> None:
        """A job has ended."""
        if self._light.pop(job_id, None) is None:
            self._current = None

    def _worker_died(self, how: str) -> None:
        """Fail what it was doing; a new one is started, unless they keep dying."""
        now = time.monotonic()
        self._worker = None
        self._deaths.append(now)
        while now - self._deaths[0] > DEATHS_WITHIN:
            self._deaths.popleft()
        self._resting = len(self._deaths) >= DEATHS
        doing = self._current.describe() if self._current is not None else "waiting for a job"
        log.error("the worker process ended (%s) while %s", how, doing)
        if self._resting:
            after = (
                f"it has ended {len(self._deaths)} times in a short while without finishing a job, so it is not "
                "started again until the next job is sent; see the log for the reason"
            )
        else:
            after = "a new one has been started; run the job again"
        hint = " If nobody killed it, memory may have run out: ask for fewer or smaller images." * (how == "signal 9")
        died = WorkerDiedError(f"the worker process ended ({how}) while {doing}; {after}.{hint}")
        self._fail_current(died)
        if self._resting:
            self._fail_all(died)

    def _fail_current(self, error: Exception, traceback: str = "") -> None:
        current, self._current = self._current, None
        lights, self._light = self._light, {}
        for light in lights.values():
            self._emit(Failed(light.id, error, traceback))
        if isinstance(current, _Job):
            self._emit(Failed(current.id, error, traceback))
        elif current is not None:
            current.end(error)

    def _fail_all(self, error: Exception, traceback: str = "") -> None:
        """Fail what is being done and all that waits."""
        self._fail_current(error, traceback)
        jobs, self._jobs = self._jobs, deque()
        loads, self._loads = self._loads, deque()
        for job in jobs:
            self._emit(Failed(job.id, error, traceback))
        for load in loads:
            load.end(error)

    def _emit(self, event: Event) -> None:
        """Hand an event on. A fault in the listener must not end this thread, on which every later job depends."""
        try:
            self._on_event(event)
        except Exception:
            log.exception("an event was not dealt with: %s", type(event).__name__)
