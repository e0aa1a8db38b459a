"""The worker: a process that owns the models and runs one job at a time, while a thread hears control messages.

Imports no torch itself; the back it builds (`WorkerConfig.factory`) does. It ends when its parent does.
"""

import importlib
import os
import pickle
import queue
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Progress
from webui.domain.settings import Precision
from webui.executors.protocol import Event, Failed, Finished, ImageMade, Progressed, Started
from webui.processing.ports import Reporter

REPORT_SECONDS = 0.1  # progress is sent no more often; previews always are


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker is told when it is made. Plain data: it crosses a process boundary.

    Attributes:
        factory: `module:function`, called with this configuration in the worker; returns the Back.
    """

    models_dir: Path
    data_dir: Path
    extensions_dir: Path = Path("extensions")
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    checkpoints_in_memory: int = 1
    preview_every: int = 5
    tiled_vae: bool = False
    disabled_extensions: tuple[str, ...] = ()
    factory: str = "webui.processing.back:build"


class Back(Protocol):
    """Makes images. Used from one thread."""

    def run(self, request: GenerationRequest, reporter: Reporter) -> GenerationResult: ...
    def load(self, checkpoint: str) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Run:
    """Front to worker: take this job."""

    job_id: str
    request: GenerationRequest


@dataclass(frozen=True, slots=True)
class Load:
    """Front to worker: load a checkpoint and answer with `Loaded`."""

    token: int
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Front to worker: stop this job; `how` is "interrupt" or "skip"."""

    job_id: str
    how: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Worker to front: the checkpoint is there, or why not."""

    token: int
    error: Exception | None


Message = Run | Load | Stop | None  # None: end
Reply = Event | Loaded


class Stops:
    """Which jobs are to be stopped, and how. Shared by the worker's two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupted: set[str] = set()
        self._skipped: set[str] = set()

    def ask(self, job_id: str, how: str) -> None:
        with self._lock:
            (self._skipped if how == "skip" else self._interrupted).add(job_id)

    def take(self, job_id: str) -> str:
        """How the job is to be stopped, or "". A skip counts once, an interrupt until the job has ended."""
        with self._lock:
            if job_id in self._interrupted:
                return "interrupt"
            if job_id in self._skipped:
                self._skipped.remove(job_id)
                return "skip"
            return ""

    def forget(self, job_id: str) -> None:
        with self._lock:
            self._interrupted.discard(job_id)
            self._skipped.discard(job_id)


class Sender:
    """Sends replies; used by one job after another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, reply: Reply) -> None:
        with self._lock:
            self._connection.send(reply)


class JobReporter:
    """Reports one job to the front. Implements `processing.ports.Reporter`."""

    def __init__(self, job_id: str, send: Sender, stops: Stops) -> None:
        self._job_id = job_id
        self._send = send
        self._stops = stops
        self._sent = 0.0
        self._phase = ""

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        is_due = now - self._sent >= REPORT_SECONDS or progress.phase != self._phase
        if is_due or progress.preview is not None:
            self._sent, self._phase = now, progress.phase
            self._send(Progressed(self._job_id, progress))

    def image(self, image: GeneratedImage) -> None:
        self._send(ImageMade(self._job_id, image))

    def stopped(self) -> str:
        return self._stops.take(self._job_id)


def portable(error: Exception) -> Exception:
    """An error that survives the way to the front: itself where it can be pickled, else its text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return WebuiError(f"{type(error).__name__}: {error}")
    return error if isinstance(error, WebuiError) else WebuiError(f"{type(error).__name__}: {error}")


def build(config: WorkerConfig) -> Back:
    """Call the configured factory."""
    module, _, function = config.factory.partition(":")
    back: Back = getattr(importlib.import_module(module), function)(config)
    return back


def run_job(back: Back, job: Run, send: Sender, stops: Stops) -> None:
    """Run one job and report how it ended."""
    send(Started(job.job_id))
    try:
        result = back.run(job.request, JobReporter(job.job_id, send, stops))
    except Exception as error:  # whatever it was, the front hears of it
        expected = isinstance(error, WebuiError)
        send(Failed(job.job_id, portable(error), "" if expected else traceback.format_exc()))
    else:
        send(Finished(job.job_id, result))
    finally:
        stops.forget(job.job_id)


def serve(config: WorkerConfig, connection: Connection) -> None:
    """The worker's life: build the back, run jobs in order until told to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the front's to handle
    send, stops = Sender(connection), Stops()
    work: queue.SimpleQueue[Run | Load | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, work, stops), daemon=True).start()
    back, problem = _try_to_build(config)
    while (message := work.get()) is not None:
        if isinstance(message, Load):
            send(Loaded(message.token, problem or _load(back, message.checkpoint)))
        elif back is None:
            send(Started(message.job_id))
            send(Failed(message.job_id, problem or WebuiError("the worker has no back")))
        else:
            run_job(back, message, send, stops)
    if back is not None:
        back.close()


def _try_to_build(config: WorkerConfig) -> tuple[Back | None, Exception | None]:
    try:
        return build(config), None
    except Exception as error:  # told to every job that comes
        return None, WebuiError(f"the worker could not start: {portable(error)}")


def _load(back: Back | None, checkpoint: str) -> Exception | None:
    try:
        if back is not None:
            back.load(checkpoint)
    except Exception as error:  # told to whoever asked
        return portable(error)
    return None


def _listen(connection: Connection, work: "queue.SimpleQueue[Run | Load | None]", stops: Stops) -> None:
    """Hear the front; when it is gone, end the process at once."""
    try:
        while True:
            message: Any = connection.recv()
            if isinstance(message, Stop):
                stops.ask(message.job_id, message.how)
            else:
                work.put(message)
    except (EOFError, OSError):
        os._exit(0)
