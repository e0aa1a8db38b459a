"""How a worker process comes to be: what it is told at its start, and the way that works on every system (spawn)."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Protocol

from webui.domain.settings import BackSettings
from webui.executors.wire import Born, FromWorker, ToWorker, resolve
from webui.hardware.processors import WAITING

# Read when torch is loaded. Segments that grow leave fewer holes in a card's memory; what Apple's devices cannot
# compute is computed on the CPU; threads wait as `hardware.processors` says.
ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    ({"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"} if sys.platform == "linux" else {})
    | {"PYTORCH_ENABLE_MPS_FALLBACK": "1"}
    | dict(WAITING)
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told at its start. Names have the form "module:function", because the front imports neither.

    Attributes:
        main: the worker's first function, called with `factory`, the settings and the connection.
        factory: called in the worker with the settings; gives its `Back`.
        variables: of the environment, which only this worker has.
    """

    main: str
    factory: str
    settings: BackSettings
    variables: Mapping[str, str]


class Child(Protocol):
    """A process that was started, or is about to start.

    Attributes:
        pid: its process id; 0 until it has one.
        sentinel: a file descriptor (on Windows a handle) that can be read once it has ended.
    """

    @property
    def pid(self) -> int: ...

    @property
    def sentinel(self) -> int: ...

    def kill(self) -> None:
        """End it now, or see to it that it never begins."""

    def was_born(self, pid: int) -> None:
        """It has begun, and told its process id."""

    def ended(self) -> int:
        """Its exit code, minus the signal's number where one ended it. Called once, when the sentinel can be read or
        when it was killed before it had begun.
        """


class Births(Protocol):
    """Makes worker processes."""

    def bear(self, order: Order, connection: "Connection[FromWorker | Born, ToWorker]") -> Child:
        """A process that carries out the order, and speaks through the connection.

        It may begin later. Raises OSError where the system cannot start another process.
        """

    def close(self) -> None:
        """Give up what is held for further processes."""


class Spawning:
    """Implements `Births` with a new interpreter for each process, which loads all that it needs by itself."""

    def bear(self, order: Order, connection: "Connection[FromWorker | Born, ToWorker]") -> "Spawned":
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=enter, args=(order, connection), name="webui-worker")
        keep_signals_from_children()
        process.start()
        return Spawned(process)

    def close(self) -> None: ...


class Spawned:
    """Implements `Child`."""

    def __init__(self, process: "multiprocessing.context.SpawnProcess") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        return self._process.sentinel

    def kill(self) -> None:
        self._process.kill()

    def was_born(self, pid: int) -> None: ...

    def ended(self) -> int:
        self._process.join()
        return self._process.exitcode or 0


def enter(order: Order, connection: "Connection[FromWorker | Born, ToWorker]") -> None:
    """The first function in a new process. Libraries that read variables are loaded later than these are set."""
    set_environment(order.variables)
    resolve(order.main)(order.factory, order.settings, connection)


def set_environment(variables: Mapping[str, str]) -> None:
    """Set variables, and those that a worker wants where nobody has set them."""
    os.environ.update(variables)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def keep_signals_from_children() -> None:
    """Block Ctrl+C and SIGTERM in this thread (the main thread gets them), so that a child starts with them blocked.

    Without this a Ctrl+C while a worker is still importing would kill it. The worker unblocks what it then ignores.
    """
    if hasattr(signal, "pthread_sigmask") and threading.current_thread() is not threading.main_thread():
        resource_tracker.ensure_running()  # started first: starting it unblocks these signals again
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
