"""Worker processes that begin at once: forked from one that has loaded their libraries and does nothing else.

For Linux, where torch uses no graphics card (see `births_here`).

A worker spends most of its start on importing torch and what stands on it. A *nursery* does that once, in a process
without a job, a model or code of an extension, and every worker is a fork of it. Pages of memory are shared until one
of the two writes to them.

Who asks sends an order through a socket, with two file descriptors: the worker's end of its connection, and the end of
a pipe into which the nursery writes the worker's exit code. The nursery ends when the other end of the socket is
closed, be it by the end of the front, and no worker is left; while it still imports, that takes until it has.
"""

import contextlib
import gc
import importlib
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from webui.executors.birth import Births, Order, Spawning, enter, keep_signals_from_children, set_environment
from webui.executors.wire import Born, FromWorker, ToWorker
from webui.hardware.graphics_cards import GraphicsCard, cards_here
from webui.hardware.torch_builds import installed_build

_EXIT_CODE = struct.Struct("q")
_LONGEST = 2**20  # bytes of an order
_LOST = 255  # the exit code of a worker of which the nursery cannot tell one, as it has ended itself

log = logging.getLogger(__name__)

Environment = Callable[[], Mapping[str, str]]


def births_here(python: Path = Path(sys.prefix), cards: Callable[[], Sequence[GraphicsCard]] = cards_here) -> Births:
    """The quickest way that is sound on this machine.

    Diffusers and transformers ask torch for a card when they are imported, and the driver of a card does not survive a
    fork. So workers are spawned where torch may find one.

    Args:
        python: the virtual environment with torch.
        cards: looks for graphics cards.
    """
    if sys.platform != "linux" or (installed_build(python) != "" and cards()):
        return Spawning()
    return Nurseries()


class Nurseries:
    """Implements `Births`, with a nursery for each module that makes backs and set of variables. May be used from
    several threads.
    """

    def __init__(self, environment: Environment = lambda: dict(os.environ)) -> None:
        """`environment` gives the variables that processes get, beside those of an order."""
        self._environment = environment
        self._lock = threading.Lock()
        self._running: dict[tuple[str, tuple[tuple[str, str], ...]], _Nursery] = {}
        self._retired: list[_Nursery] = []  # which end with their last worker

    def bear(self, order: Order, connection: "Connection[FromWorker | Born, ToWorker]") -> "Forked":
        with self._lock:
            nursery = self._nursery(order)
            try:
                return nursery.bear(order, connection)
            except OSError as error:  # it has ended since it was looked at
                log.warning("the process that workers are forked from has ended: %s", error)
                nursery.end()
                return self._nursery(order).bear(order, connection)

    def close(self) -> None:
        with self._lock:
            for nursery in (*self._running.values(), *self._retired):
                nursery.end()
            self._running.clear()
            self._retired.clear()

    def _nursery(self, order: Order) -> "_Nursery":
        """One that has seen what a new process would see: a library reads variables and files when it is loaded."""
        kind = (order.factory.partition(":")[0], tuple(sorted(order.variables.items())))
        grounds = _Grounds.now(self._environment())
        nursery = self._running.get(kind)
        if nursery is None or not nursery.is_alive or nursery.grounds != grounds:
            if nursery is not None:
                nursery.retire()
                self._retired.append(nursery)
            nursery = self._running[kind] = _Nursery(order, grounds)
        self._retired = [one for one in self._retired if one.is_alive]
        return nursery


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What imports depend on; folders of modules with the time at which something was put into them or taken out."""

    environment: Mapping[str, str]
    folders: tuple[tuple[str, int], ...]

    @classmethod
    def now(cls, environment: Mapping[str, str]) -> "_Grounds":
        return cls(dict(environment), tuple((folder, _changed(Path(folder))) for folder in sys.path))


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


class _Nursery:
    """The front's side of a nursery."""

    def __init__(self, order: Order, grounds: _Grounds) -> None:
        self.grounds = grounds
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # which keeps orders apart
        context = multiprocessing.get_context("spawn")
        given = (grounds.environment, order, theirs)
        self._process = context.Process(target=nurse, args=given, name="webui-nursery")
        keep_signals_from_children()
        try:
            self._process.start()
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def bear(self, order: Order, connection: "Connection[FromWorker | Born, ToWorker]") -> "Forked":
        """Returns at once, also while the nursery still imports. Raises OSError where it has ended."""
        reading, writing = os.pipe()
        try:
            socket.send_fds(self._control, [pickle.dumps(order)], [connection.fileno(), writing])
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return Forked(reading)

    def retire(self) -> None:
        """Ask for no further worker."""
        self._control.close()

    def end(self) -> None:
        """End it at once; whoever waits for workers that were forked from it ends them."""
        self._control.close()
        self._process.kill()
        self._process.join()


class Forked:
    """Implements `Child`."""

    def __init__(self, reading: int) -> None:
        self._reading = reading
        self._pid = 0
        self._unwanted = False

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def sentinel(self) -> int:
        return self._reading

    def kill(self) -> None:
        self._unwanted = True
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def was_born(self, pid: int) -> None:
        self._pid = pid
        if self._unwanted:
            self.kill()

    def ended(self) -> int:
        told = os.read(self._reading, _EXIT_CODE.size) if self._pid else b""
        os.close(self._reading)
        if told:
            return int(_EXIT_CODE.unpack(told)[0])
        self.kill()  # the nursery has ended, and the worker may not have noticed yet
        return _LOST


@dataclass(slots=True)
class _Cradle:
    """The nursery's own side: the workers that were forked and have not ended, by their sentinels."""

    control: socket.socket
    workers: "dict[int, tuple[multiprocessing.context.ForkProcess, int]]" = field(default_factory=dict)

    def bear(self, order: bytes, connection: int, status: int) -> None:
        """Fork a worker that gets the pickled order and the connection; its exit code will be written to `status`."""
        not_its = [self.control.fileno(), status, *(other for _, other in self.workers.values())]
        given = (order, connection, not_its)
        worker = multiprocessing.get_context("fork").Process(target=_begin, args=given, name="webui-worker")
        try:
            worker.start()
        except OSError:  # who asked sees both ends closed
            log.exception("no worker can be forked")
            os.close(status)
        else:
            self.workers[worker.sentinel] = (worker, status)
        finally:
            os.close(connection)

    def bury(self, sentinel: int) -> None:
        """A worker has ended: tell its exit code."""
        worker, status = self.workers.pop(sentinel)
        worker.join()
        with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
            os.write(status, _EXIT_CODE.pack(worker.exitcode or 0))
        os.close(status)
        worker.close()


def nurse(environment: Mapping[str, str], order: Order, control: socket.socket) -> None:
    """The main function of a nursery: import what an order needs, then fork a worker whenever one is asked for."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    set_environment(order.variables)
    gc.disable()
    for name in (order.main, order.factory):
        try:
            importlib.import_module(name.partition(":")[0])
        except BaseException:  # the worker tries again, and tells whoever waits for it
            log.debug("%s was not loaded in advance", name, exc_info=True)
    gc.collect()
    gc.freeze()  # or a search for garbage in a worker would write to all pages that it shares
    gc.enable()
    cradle = _Cradle(control)
    asking: list[socket.socket] = [control]
    while asking or cradle.workers:
        for ready in wait([*asking, *cradle.workers]):
            if isinstance(ready, int):
                cradle.bury(ready)
                continue
            asked, descriptors, _, _ = socket.recv_fds(control, _LONGEST, 2)
            if asked:
                cradle.bear(asked, *descriptors)
            else:
                asking.clear()  # nobody wants another


def _begin(order: bytes, descriptor: int, not_its: list[int]) -> None:
    """The first function in a forked worker."""
    for other in not_its:
        os.close(other)
    connection: Connection[FromWorker | Born, ToWorker] = Connection(descriptor)
    try:
        connection.send(Born(os.getpid()))
    except OSError:  # it was killed before it began
        return
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # or all workers would draw the same numbers; Python's own module sees to that itself
    enter(pickle.loads(order), connection)
