"""The worker: a process that owns the models and does one job after another, while threads hear and give signs of life.

Imports no torch itself; the back that it builds does. It ends when its parent does.
"""

import gc
import logging
import os
import queue
import signal
import threading
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection

from webui.domain.settings import BackSettings
from webui.executors.protocol import Failed, is_light
from webui.executors.running import Back, Stop, perform, ready
from webui.executors.wire import (
    HEARTBEAT,
    Alive,
    BuildFailed,
    FromWorker,
    LoadCheckpoint,
    Loaded,
    Quit,
    Run,
    StopJob,
    ToWorker,
    portable,
    resolve,
)

PARENT_GONE = 3  # exit code that nobody is left to see

log = logging.getLogger(__name__)


def main(factory: str, settings: BackSettings, connection: "Connection[FromWorker, ToWorker]") -> None:
    """The worker's life: build the back, do what is asked in order, end when told to or when the parent is gone."""
    _leave_signals_to_the_parent()
    send, inbox = Sender(connection), Inbox()
    threading.Thread(target=_listen, args=(connection, inbox), name="listener", daemon=True).start()
    threading.Thread(target=_beat, args=(send,), name="heartbeat", daemon=True).start()
    gc.disable()  # what is imported and built here stays: looking through it took a seventh of a worker's start
    try:
        back: Back = resolve(factory)(settings)
    except BaseException as error:  # signals are ignored here, so even a KeyboardInterrupt is an extension's
        send(BuildFailed(portable(error), traceback.format_exc()))
        return
    gc.collect()
    gc.freeze()
    gc.enable()
    send(ready(back))
    threading.Thread(target=_do_light, args=(back, inbox, send), name="light-actions", daemon=True).start()
    for task in inbox:
        if isinstance(task, Run):
            _run(back, task, inbox, send)
        else:
            send(_load(back, task))
    back.close()


class Sender:
    """Sends to the parent from any thread. A parent that is gone ends the process."""

    def __init__(self, connection: "Connection[FromWorker, ToWorker]") -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, message: FromWorker) -> None:
        """Raises what pickling raises; then nothing was sent."""
        try:
            with self._lock:
                self._connection.send(message)
        except OSError:
            os._exit(PARENT_GONE)


class Inbox:
    """What the parent asks: tasks in order, and wishes to stop one, which overtake them."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Run | LoadCheckpoint | None] = queue.SimpleQueue()
        self.light: queue.SimpleQueue[Run] = queue.SimpleQueue()  # actions that do not wait for the tasks
        self._lock = threading.Lock()
        self._stops: dict[str, Stop] = {}

    def take(self, message: ToWorker) -> None:
        """From the listener."""
        match message:
            case Run(job_id, work):
                with self._lock:
                    self._stops[job_id] = Stop()
                (self.light if is_light(work) else self._tasks).put(message)
            case LoadCheckpoint():
                self._tasks.put(message)
            case StopJob(job_id, kind):
                with self._lock:
                    if (stop := self._stops.get(job_id)) is not None:
                        stop.ask(kind)
            case Quit():
                with self._lock:
                    for stop in self._stops.values():
                        stop.ask("interrupt")
                self._tasks.put(None)

    def stop_of(self, job_id: str) -> Stop:
        with self._lock:
            return self._stops[job_id]

    def done(self, job_id: str) -> None:
        with self._lock:
            self._stops.pop(job_id, None)

    def __iter__(self) -> "Inbox":
        return self

    def __next__(self) -> Run | LoadCheckpoint:
        if (task := self._tasks.get()) is None:
            raise StopIteration
        return task


def _do_light(back: Back, inbox: Inbox, send: Sender) -> None:
    while True:
        _run(back, inbox.light.get(), inbox, send)


def _run(back: Back, job: Run, inbox: Inbox, send: Sender) -> None:
    try:
        ended = perform(back, job.job_id, job.work, inbox.stop_of(job.job_id), send)
    except BaseException as error:  # KeyboardInterrupt and the like, out of what an extension left in a model
        ended = Failed(job.job_id, portable(error), traceback.format_exc())
    inbox.done(job.job_id)
    if isinstance(ended, Failed):
        send(replace(ended, error=portable(ended.error)))
        return
    try:
        send(ended)
    except BaseException as error:  # an extension may put anything into a result
        send(Failed(job.job_id, portable(error), traceback.format_exc()))


def _load(back: Back, task: LoadCheckpoint) -> Loaded:
    try:
        back.load(task.checkpoint)
    except BaseException as error:  # told to whoever asked
        return Loaded(portable(error))
    return Loaded()


def _listen(connection: "Connection[FromWorker, ToWorker]", inbox: Inbox) -> None:
    """Hear the parent; when it is gone, end at once, whatever the job in work does."""
    try:
        while True:
            inbox.take(connection.recv())
    except (EOFError, OSError):
        os._exit(PARENT_GONE)


def _beat(send: Sender) -> None:
    rest = threading.Event()
    while not rest.wait(HEARTBEAT):
        send(Alive())


def _leave_signals_to_the_parent() -> None:
    """Ctrl+C reaches every process of a terminal; the parent ends this one in its own order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # they came blocked, see `executors.birth`
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
