"""Jobs in one worker process of this machine. The process may be killed, crash or hang; this part goes on."""

import atexit
import queue
import threading
from contextlib import suppress
from functools import partial

from webui.domain.errors import WebuiError
from webui.domain.settings import BackSettings
from webui.executors.health import HANG_AFTER, HangWatch, RestartPolicy
from webui.executors.process import WorkerProcess
from webui.executors.protocol import OnEvent, Work
from webui.executors.running import FACTORY
from webui.executors.supervisor import Closing, Command, Inbox, Renewal, StopWish, Supervisor
from webui.executors.worklist import JobEntry, LoadEntry

CLOSING = 10.0  # seconds that `close` waits at most


class LocalExecutor:
    """Implements `Executor`. Returns from the constructor before the worker has started.

    All state belongs to the supervisor's thread, which reads commands and the worker's messages from one inbox and
    calls `on_event`; the methods only put commands there.
    """

    def __init__(
        self,
        settings: BackSettings,
        on_event: OnEvent,
        *,
        factory: str = FACTORY,
        worker: str = "webui.worker.main:main",
        hang_after: float = HANG_AFTER,
    ) -> None:
        """Names have the form "module:function".

        Args:
            factory: called in the worker with the settings; gives its `Back`.
            worker: the main function of the worker process.
            hang_after: seconds of silence, or of a stop that is not obeyed, after which the worker is ended.
        """
        self._inbox: Inbox = queue.SimpleQueue()
        start_worker = partial(WorkerProcess, factory=factory, main=worker)
        self._supervisor = Supervisor(
            settings, on_event, self._inbox, start_worker, HangWatch(hang_after), RestartPolicy()
        )
        self._thread = threading.Thread(target=self._supervisor.run, name="executor", daemon=True)
        self._door = threading.Lock()  # so that nothing is put behind `Closing`, where nobody would read it
        self._closed = False
        self._thread.start()
        atexit.register(self.close)  # before multiprocessing's own, which would wait for the worker for ever

    @property
    def capacity(self) -> int:
        return 1

    @property
    def pid(self) -> int:
        """Process id of the worker; 0 while there is none."""
        return self._supervisor.pid

    def running(self) -> tuple[str, ...]:
        return self._supervisor.running

    def submit(self, job_id: str, work: Work) -> None:
        self._put(JobEntry(job_id, work))

    def cancel(self, job_id: str) -> None:
        with suppress(_ClosedError):  # then no job is left
            self._put(StopWish(job_id, "interrupt"))

    def skip(self, job_id: str) -> None:
        with suppress(_ClosedError):
            self._put(StopWish(job_id, "skip"))

    def finish(self, job_id: str) -> None:
        with suppress(_ClosedError):
            self._put(StopWish(job_id, "finish"))

    def load(self, checkpoint: str) -> None:
        load = LoadEntry(checkpoint)
        self._put(load)
        load.done.result()

    def renew(self, settings: BackSettings) -> None:
        with suppress(_ClosedError):  # then no worker is left
            self._put(Renewal(settings))

    def close(self) -> None:
        with self._door:
            if not self._closed:
                self._inbox.put(Closing())
                self._closed = True
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSING)
        atexit.unregister(self.close)

    def _put(self, command: Command) -> None:
        with self._door:
            if self._closed:
                raise _ClosedError("the program is stopping")
            self._inbox.put(command)


class _ClosedError(WebuiError):
    """The executor takes no more."""
