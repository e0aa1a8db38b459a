"""One worker process, with a thread that writes to it and one that reads from it and sees it end."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

from webui.executors.birth import Births, Order
from webui.executors.wire import Alive, Born, FromWorker, Quit, ToWorker
from webui.plugins.whereabouts import SharedWhereabouts, Whereabout

GOODBYE = 3.0  # seconds that a worker gets to end by itself
UNBORN = 0.5  # seconds between two looks at one that has not begun

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

    def __init__(self, order: Order, births: Births, tell: Callable[[Heard | Gone], None]) -> None:
        """The worker is told where it marks in whose code it is, beside what the order says."""
        self._connection: Connection[ToWorker, FromWorker | Born]
        self._connection, theirs = Pipe()
        self._whereabouts = SharedWhereabouts()
        settings = order.settings.model_copy(update={"whereabouts_file": self._whereabouts.file})
        try:
            self._child = births.bear(replace(order, settings=settings), theirs)
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
        """0 until it has begun."""
        return self._child.pid

    def whereabouts(self) -> tuple[Whereabout, ...]:
        """In which extensions' code its threads are, or were when it ended; asks the worker nothing."""
        return self._whereabouts.now()

    def send(self, message: ToWorker) -> None:
        """Returns at once, also when the worker does not listen."""
        self._outbox.put(message)

    def kill(self, fault: str) -> None:
        """End it now; `fault` says why, in the words of `Gone.how`."""
        self._fault = self._fault or fault
        self._child.kill()

    def end(self) -> None:
        """Ask it to end, wait for that a little, then make it."""
        self.send(Quit())
        if self.pid:
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
            self._hear()
        except (EOFError, OSError) as error:
            log.debug("worker %d no longer speaks: %s", self.pid, error)
        except Exception as error:
            log.exception("worker %d sent something that cannot be read", self.pid)
            self.kill(f"it sent something that cannot be read: {error}")
        if self.pid and not wait([self._child.sentinel], GOODBYE):
            self.kill("it closed its pipe")
        code = self._child.ended()
        self._whereabouts.close()
        self._outbox.put(None)
        self._tell(Gone(self, self._fault or (f"signal {-code}" if code < 0 else f"exit code {code}")))
        self._connection.close()

    def _hear(self) -> None:
        """Tell what it says until it has ended, or is killed before it has begun."""
        while self.pid or not self._fault:
            ready = wait([self._connection, self._child.sentinel], None if self.pid else UNBORN)
            if not ready:  # its libraries are being loaded, where nobody can give a sign of life
                self._tell(Heard(self, Alive()))
            elif self._connection not in ready:
                return
            elif isinstance(message := self._connection.recv(), Born):
                self._child.was_born(message.pid)
            else:
                self._tell(Heard(self, message))
