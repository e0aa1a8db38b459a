"""Jobs in one worker process of this machine. The process may be killed, crash or hang; this part goes on."""

import queue
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from webui.domain.settings import BackSettings
from webui.executors.door import CommandDoor
from webui.executors.health import HANG_AFTER, HangWatch, RestartPolicy
from webui.executors.process import WorkerProcess
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
    ) -> None:
        """Names have the form "module:function".

        Args:
            factory: called in the worker with the settings; gives its `Back`.
            worker: the main function of the worker process.
            hang_after: seconds of silence, or of a stop that is not obeyed, after which the worker is ended.
            variables: of the environment, that only the worker has.
        """
        inbox: Inbox = queue.SimpleQueue()
        start_worker = partial(WorkerProcess, factory=factory, main=worker, variables=dict(variables))
        supervisor = Supervisor(settings, on_event, inbox, start_worker, HangWatch(hang_after), RestartPolicy())
        super().__init__(supervisor, inbox.put, name="executor", patience=CLOSING)

    @property
    def capacity(self) -> int:
        return 1

    @property
    def pid(self) -> int:
        """Process id of the worker; 0 while there is none."""
        return self._keeper.pid
