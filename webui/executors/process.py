"""One worker process: started by spawn, with a thread that writes to it and one that reads from it and sees it end."""

import logging
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

from webui.domain.settings import BackSettings
from webui.executors.wire import FromWorker, Quit, ToWorker, resolve
from webui.plugins.whereabouts import SharedWhereabouts, Whereabout

GOODBYE = 3.0  # seconds that a worker gets to end by itself

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """The worker said something."""

    worker: "WorkerProcess"
    message: FromWorker


@dataclass(frozen=True, slots=True)
class Gone:
    """The worker has ended; nothing more will be heard from it. `how` completes "the worker process ended (...)"."""

    worker: "WorkerProcess"
    how: str


class WorkerProcess:
    """A running worker. `tell` is given `Heard` and at last `Gone`, in a thread of its own.

    Raises:
        OSError: the system cannot start another process.
    """

    def __init__(
        self,
        settings: BackSettings,
        tell: Callable[[Heard | Gone], None],
        *,
        factory: str,
        main: str,
        variables: Mapping[str, str],
    ) -> None:
        """Names have the form "module:function", because the front imports neither.

        Args:
            factory: called in the worker with the settings; gives its `Back`.
            main: the worker's first function, called with `factory`, the settings and the connection.
            variables: of the environment, set in the new process before anything else.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._whereabouts = SharedWhereabouts()
        settings = settings.model_copy(update={"whereabouts_file": self._whereabouts.file})
        given = (dict(variables), main, factory, settings, theirs)
        self._process = context.Process(target=_enter, args=given, name="webui-worker")
        _keep_signals_from_children()
        try:
            self._process.start()
        except BaseException:
            self._connection.close()
            self._whereabouts.close()
            raise
        finally:
            theirs.close()  # so that reading ends when the worker does
        self._tell = tell
        self._fault = ""
        self._outbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="worker-reader", daemon=True)
        self._reader.start()
        threading.Thread(target=self._write, name="worker-writer", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def whereabouts(self) -> tuple[Whereabout, ...]:
        """In which extensions' code its threads are, or were when it ended; asks the worker nothing."""
        return self._whereabouts.now()

    def send(self, message: ToWorker) -> None:
        """Returns at once, also when the worker does not listen."""
        self._outbox.put(message)

    def kill(self, fault: str) -> None:
        """End it now; `fault` says why, in the words of `Gone.how`."""
        self._fault = self._fault or fault
        self._process.kill()

    def end(self) -> None:
        """Ask it to end, wait for that a little, then make it."""
        self.send(Quit())
        self._reader.join(GOODBYE)  # which ends after the process
        if self._reader.is_alive():
            self.kill("it did not end when it was told to")
            self._reader.join(GOODBYE)

    def _write(self) -> None:
        try:
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
        except OSError as error:
            log.debug("worker %d no longer listens: %s", self.pid, error)  # the reader reports its end

    def _read(self) -> None:
        try:
            while self._connection in wait([self._connection, self._process.sentinel]):
                self._tell(Heard(self, self._connection.recv()))
        except (EOFError, OSError) as error:
            log.debug("worker %d no longer speaks: %s", self.pid, error)
        except Exception as error:
            log.exception("worker %d sent something that cannot be read", self.pid)
            self.kill(f"it sent something that cannot be read: {error}")
        if not wait([self._process.sentinel], GOODBYE):
            self.kill("it closed its pipe")
        self._process.join()
        self._whereabouts.close()
        self._outbox.put(None)
        code = self._process.exitcode or 0
        self._tell(Gone(self, self._fault or (f"signal {-code}" if code < 0 else f"exit code {code}")))
        self._connection.close()


def _enter(
    variables: Mapping[str, str],
    main: str,
    factory: str,
    settings: BackSettings,
    connection: "Connection[FromWorker, ToWorker]",
) -> None:
    """The first function in the new process. Libraries that read variables are loaded later than these are set."""
    os.environ.update(variables)
    resolve(main)(factory, settings, connection)


def _keep_signals_from_children() -> None:
    """Block Ctrl+C and SIGTERM in this thread (the main thread gets them), so that a child starts with them blocked.

    Without this a Ctrl+C while a worker is still importing would kill it. The worker unblocks what it then ignores.
    """
    if hasattr(signal, "pthread_sigmask") and threading.current_thread() is not threading.main_thread():
        resource_tracker.ensure_running()  # started first: starting it unblocks these signals again
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
