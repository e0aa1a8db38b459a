"""The thread that looks after one worker: it obeys commands, keeps a worker alive, sends it work and tells events."""

import logging
import queue
from collections.abc import Callable, Iterable
from typing import Protocol

from webui.domain.errors import BackUnavailableError, Cancelled, WebuiError, WorkerDiedError
from webui.domain.settings import BackSettings
from webui.executors.door import Asked, Closing, Renewal, StopWish
from webui.executors.health import HangWatch, RestartPolicy, death_text
from webui.executors.hooklimit import HookLimit
from webui.executors.process import Gone, Heard, WorkerProcess
from webui.executors.protocol import Event, Failed, Finished, OnEvent, Progressed, Ready, Started
from webui.executors.running import StopKind
from webui.executors.wire import Alive, BuildFailed, FromWorker, LoadCheckpoint, Loaded, Run, StopJob
from webui.executors.worklist import Entry, JobEntry, LoadEntry, Worklist
from webui.plugins.crashes import FILE as CRASHES
from webui.plugins.crashes import CrashRegister
from webui.plugins.whereabouts import Whereabout

SHORTEST_WAIT = 0.05  # seconds between two looks at a worker that is due

log = logging.getLogger(__name__)


Command = Asked | Heard | Gone
Inbox = queue.SimpleQueue[Command]


class StartWorker(Protocol):
    """Starts a worker whenever it is called."""

    def __call__(self, settings: BackSettings, tell: Callable[[Heard | Gone], None]) -> WorkerProcess:
        """Give the settings to a new process, which `tell` hears; raises OSError where there can be none."""

    def close(self) -> None:
        """No further worker is started."""


class Supervisor:
    """Owns the worklist and the worker; all of it but the two properties belongs to the thread of `run`."""

    def __init__(
        self,
        settings: BackSettings,
        on_event: OnEvent,
        inbox: Inbox,
        start_worker: StartWorker,
        watch: HangWatch,
        policy: RestartPolicy,
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._inbox = inbox
        self._start_worker = start_worker
        self._watch = watch
        self._policy = policy
        self._limit = HookLimit(settings.hook_deadline)
        self._stuck: Whereabout | None = None  # where the worker was that was ended for it
        self._work = Worklist()
        self._worker: WorkerProcess | None = None
        self._built = False  # whether the worker has a back
        self._outdated = False  # whether the worker has older settings and ends when it has nothing to do
        self._running: tuple[str, ...] = ()

    @property
    def pid(self) -> int:
        """Process id of the worker, 0 without one. Other threads may read it."""
        worker = self._worker
        return worker.pid if worker is not None else 0

    @property
    def running(self) -> tuple[str, ...]:
        """The jobs that have started and not ended, as of the latest event. Other threads may read it."""
        return self._running

    def run(self) -> None:
        """Obey commands until `Closing`."""
        command: Command | None = None
        while not isinstance(command, Closing):
            if command is not None:
                self._obey(command)
            self._keep_worker()
            self._dispatch()
            command = self._next()
        self._fail(self._work.drop_all(), WebuiError("the program was stopped before this was done"))
        if self._worker is not None:
            self._worker.end()
        self._start_worker.close()

    def _next(self) -> Command | None:
        """The next command; None when it is time to look after the worker."""
        if self._worker is None:
            return self._inbox.get()
        try:
            rest = min(self._watch.remaining(), self._limit.remaining())
            return self._inbox.get(timeout=max(SHORTEST_WAIT, rest))
        except queue.Empty:
            return None

    def _obey(self, command: Command) -> None:
        match command:
            case JobEntry() | LoadEntry():
                self._work.add(command)
                self._policy.asked()
            case StopWish(job_id, kind):
                self._stop(job_id, kind)
            case Renewal(settings):
                self._settings, self._outdated = settings, self._worker is not None
                self._policy.asked()
            case Heard(worker, message) if worker is self._worker:
                self._watch.heard()
                self._hear(message)
            case Gone(worker, how) if worker is self._worker:
                self._worker_died(how)

    def _keep_worker(self) -> None:
        """Start a worker where there is none; end one that hangs, or that is outdated and has nothing in work."""
        # A worker that still builds is never ended: what it was just loading would be blamed for its death.
        if self._worker is not None and self._outdated and self._built and self._work.is_idle:
            log.info("worker %d makes room for a new one", self._worker.pid)
            worker, self._worker = self._worker, None  # first, so that its end counts as no death
            worker.end()
        if self._worker is None and self._policy.may_start:
            self._start()
        elif self._worker is not None and (fault := self._watch.fault()):
            self._watch.restart()  # or it would be killed again until its end is heard of
            self._worker.kill(fault)
        elif self._worker is not None and (stuck := self._limit.stuck(self._worker.whereabouts())) is not None:
            self._stuck = stuck
            deadline, self._limit = self._limit.deadline, HookLimit(0)  # until another worker is started
            self._worker.kill(f"an extension made no progress for {deadline:g} s, and it was ended")

    def _start(self) -> None:
        self._built = self._outdated = False
        self._limit, self._stuck = HookLimit(self._settings.hook_deadline), None
        try:
            self._worker = self._start_worker(self._settings, self._inbox.put)
        except OSError as error:
            log.exception("the worker process cannot be started")
            self._policy.unstartable()
            self._fail(self._work.drop_all(), BackUnavailableError(f"the worker process cannot be started: {error}"))
            return
        self._watch.restart()
        log.info("a worker is started")

    def _dispatch(self) -> None:
        """Give the next entry its turn, and a worker that has a back what it should do."""
        if self._worker is None:
            return
        if (job := self._work.give_turn()) is not None:
            self._emit(Started(job.id))
        for entry in self._work.unsent() if self._built else ():
            entry.sent = True
            if isinstance(entry, LoadEntry):
                self._worker.send(LoadCheckpoint(entry.checkpoint))
                continue
            if entry.is_light:
                self._emit(Started(entry.id))
            self._worker.send(Run(entry.id, entry.work))
            if entry.finishing:
                self._worker.send(StopJob(entry.id, "finish"))

    def _stop(self, job_id: str, kind: StopKind) -> None:
        job = self._work.in_turn(job_id)
        if job is not None and job.sent and self._worker is not None:
            self._worker.send(StopJob(job_id, kind))
            if kind == "interrupt":
                self._watch.told_to_stop(job_id)
        elif kind == "finish" and job is not None:
            job.finishing = True
        elif kind == "interrupt" and job is not None:
            self._work.end(job_id)
            self._emit(Failed(job_id, Cancelled("stopped by the user before it began")))
        elif kind == "interrupt" and self._work.withdraw(job_id):
            self._emit(Failed(job_id, Cancelled("stopped by the user before its turn")))

    def _hear(self, message: FromWorker) -> None:
        match message:
            case Alive():
                pass
            case Ready():
                self._built = True
                self._emit(message)
            case BuildFailed(error, traceback):
                self._worker = None  # it ends by itself
                self._policy.unstartable()
                self._fail(self._work.drop_all(), BackUnavailableError(str(error)), traceback)
            case Loaded(error):
                if (load := self._work.end_load()) is not None:
                    load.end(error)
                self._policy.done()
            case Finished(job_id) | Failed(job_id):
                self._work.end(job_id)
                self._watch.ended(job_id)
                self._policy.done()
                self._emit(message)
            case _:
                job = self._work.in_turn(message.job_id)
                if job is not None and isinstance(message, Progressed):
                    job.note(message.progress)
                self._emit(message)

    def _worker_died(self, how: str) -> None:
        places = self._worker.whereabouts() if self._worker is not None else ()
        self._worker = None
        after, doing = self._policy.died(working=self._work.is_in_work), self._work.describe()
        culprit = blame = ""
        if (place := self._stuck or next(iter(places), None)) is not None:
            culprit, doing = place.extension, f"{doing}, in {place.hook} of the extension {place.extension}"
            blame = self._blame(place, how)
        log.error("the worker process ended (%s) while %s", how, doing)
        text = death_text(how, doing, f"{blame}{after.advice}")
        self._fail(self._work.drop_in_work(), WorkerDiedError(text, culprit=culprit))
        if after.gives_up:
            self._fail(self._work.drop_all(), BackUnavailableError(text))

    def _blame(self, place: Whereabout, how: str) -> str:
        """Remember of which extension the worker died; what follows for that one, in words that begin an advice."""
        if place.hook == "import":  # the next worker finds the mark that this one made, and counts it
            return ""
        register = CrashRegister(self._settings.extensions_dir, self._settings.data_dir / CRASHES)
        if register.note(place.extension, f"{place.hook}: {how}"):
            return f"{place.extension} is set aside from now on; "
        return f"if that happens once more, {place.extension} is set aside; "

    def _fail(self, entries: Iterable[Entry], error: Exception, traceback: str = "") -> None:
        for entry in entries:
            if isinstance(entry, LoadEntry):
                entry.end(error)
            else:
                self._emit(Failed(entry.id, error, traceback))

    def _emit(self, event: Event) -> None:
        """Hand an event on. A fault in the listener must not end this thread, on which every later job depends."""
        self._running = self._work.running()
        try:
            self._on_event(event)
        except Exception:
            log.exception("an event was not dealt with: %s", type(event).__name__)
