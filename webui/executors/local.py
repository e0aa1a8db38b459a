"""Jobs in one worker process of this machine. The process may be killed, crash or hang; this part goes on."""

import queue
from collections.abc import Callable, Mapping
from types import MappingProxyType

from webui.domain.settings import BackSettings
from webui.executors.birth import Births, Order
from webui.executors.door import CommandDoor
from webui.executors.health import HANG_AFTER, HangWatch, RestartPolicy
from webui.executors.nursery import births_here
from webui.executors.process import Gone, Heard, WorkerProcess
from webui.executors.protocol import OnEvent
from webui.executors.running import FACTORY
from webui.executors.supervisor import Inbox, Supervisor

CLOSING = 10.0  # seconds that `close` waits at most
NOTHING: Mapping[str, str] = MappingProxyType({})


class LocalExecutor(CommandDoor[Supervisor]):
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
        variables: Mapping[str, str] = NOTHING,
        births: Births | None = None,
    ) -> None:
        """Names have the form "module:function".

        Args:
            factory: called in the worker with the settings; gives its `Back`.
            worker: the main function of the worker process.
            hang_after: seconds of silence, or of a stop that is not obeyed, after which the worker is ended.
            variables: of the environment, that only the worker has.
            births: makes the processes, and is closed by its owner; None: the quickest way of this system.
        """
        inbox: Inbox = queue.SimpleQueue()
        start_worker = WorkerStarter(factory, worker, dict(variables), births)
        supervisor = Supervisor(settings, on_event, inbox, start_worker, HangWatch(hang_after), RestartPolicy())
        super().__init__(supervisor, inbox.put, name="executor", patience=CLOSING)

    @property
    def capacity(self) -> int:
        return 1

    @property
    def pid(self) -> int:
        """Process id of the worker; 0 while there is none."""
        return self._keeper.pid


class WorkerStarter:
    """Starts the workers of one executor, one after the other."""

    def __init__(self, factory: str, worker: str, variables: Mapping[str, str], births: Births | None) -> None:
        """See `LocalExecutor`."""
        self._factory = factory
        self._main = worker
        self._variables = variables
        self._births = births
        self._is_owner = births is None

    def __call__(self, settings: BackSettings, tell: Callable[[Heard | Gone], None]) -> WorkerProcess:
        """Start one; raises OSError where the system cannot."""
        if self._births is None:
            self._births = births_here()  # not before, because it may look for graphics cards, which takes a moment
        return WorkerProcess(Order(self._main, self._factory, settings, self._variables), self._births, tell)

    def close(self) -> None:
        """Give up what is held for further ones."""
        if self._is_owner and self._births is not None:
            self._births.close()
