"""In whose code a process is, in memory that another can read: known also when the process hangs or is dead.

A mark costs a copy of 256 bytes, no system call, so that it can be set around each call of a hook.
"""

import contextlib
import itertools
import logging
import mmap
import os
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SLOTS = 4  # threads with a mark of their own; further ones share the last
_SIZE = 256  # bytes of a slot: the pulse, then the mark, empty where no code of an extension runs
_PULSE = struct.Struct("<Q")
_EMPTY = bytes(_SIZE - _PULSE.size)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Whereabout:
    """Where a thread is.

    Attributes:
        extension: the name of the extension whose code runs.
        hook: which of its hooks ("pre_step"), "import", or "action NAME".
        slot, pulse: the pulse of a slot changes with every sign of progress.
    """

    extension: str
    hook: str
    slot: int
    pulse: int


class Whereabouts:
    """The marks of the threads of one process. Written by that process, read by any that has the same file."""

    def __init__(self, memory: "mmap.mmap | bytearray | None" = None) -> None:
        """`memory` has SLOTS * 256 bytes; None is memory of this process alone."""
        self._memory = bytearray(SLOTS * _SIZE) if memory is None else memory
        self._threads = threading.local()
        self._numbers = itertools.count()
        self._marks: dict[tuple[str, str], bytes] = {}

    @classmethod
    def of(cls, file: str) -> "Whereabouts":
        """Those in a file that `SharedWhereabouts` made; "", or a file that cannot be used: of this process alone."""
        if not file:
            return cls()
        try:
            memory = _mapped(Path(file))
        except (OSError, ValueError) as error:
            log.warning("%s cannot be used, so a death of this process names no extension: %s", file, error)
            return cls()
        with contextlib.suppress(OSError):  # where a file in use cannot be removed, who made it does so later
            os.unlink(file)
        return cls(memory)

    @contextlib.contextmanager
    def inside(self, extension: str, hook: str) -> Iterator[None]:
        """The calling thread is in code of an extension."""
        before = self.enter(extension, hook)
        try:
            yield
        finally:
            self.leave(before)

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """The calling thread does work of the program that an extension waits for."""
        slot = self._slot()
        before = slot.mark
        slot.set(_EMPTY)
        try:
            yield
        finally:
            slot.set(before)

    def enter(self, extension: str, hook: str) -> bytes:
        """Set the mark of the calling thread; gives the one before for `leave`."""
        slot = self._slot()
        mark = self._marks.get((extension, hook))
        if mark is None:
            mark = f"{extension}\0{hook}\0".encode()[: len(_EMPTY)].ljust(len(_EMPTY), b"\0")
            self._marks[extension, hook] = mark
        before = slot.mark
        slot.set(mark)
        return before

    def leave(self, before: bytes) -> None:
        """Set the mark back to what `enter` gave."""
        self._slot().set(before)

    def ticker(self) -> Callable[[], None]:
        """A function that notes progress of the thread that asks for it now; any thread may call it."""
        return self._slot().tick

    def now(self) -> tuple[Whereabout, ...]:
        """Where the threads of the process are that have a mark."""
        found = []
        for slot in range(SLOTS):
            content = bytes(self._memory[slot * _SIZE : (slot + 1) * _SIZE])
            (pulse,) = _PULSE.unpack_from(content)
            extension, _, rest = content[_PULSE.size :].decode(errors="replace").partition("\0")
            if extension:
                found.append(Whereabout(extension, rest.partition("\0")[0], slot, pulse))
        return tuple(found)

    def _slot(self) -> "_Slot":
        slot: _Slot | None = getattr(self._threads, "slot", None)
        if slot is None:
            slot = self._threads.slot = _Slot(self._memory, min(next(self._numbers), SLOTS - 1) * _SIZE)
        return slot


class SharedWhereabouts:
    """Whereabouts of another process: a file that is mapped here, and whose name that process is told."""

    def __init__(self) -> None:
        self._file = ""
        memory: mmap.mmap | None = None
        try:
            handle, self._file = tempfile.mkstemp(prefix="webui-", suffix=".marks")
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(SLOTS * _SIZE))
            memory = _mapped(Path(self._file))
        except OSError as error:  # without room for it the worker still works
            log.warning("no memory to share with the worker, so its death names no extension: %s", error)
            self.close()
        self._marks = Whereabouts(memory)

    @property
    def file(self) -> str:
        """What the other process gives to `Whereabouts.of`; "" where there is none."""
        return self._file

    def now(self) -> tuple[Whereabout, ...]:
        """See `Whereabouts.now`; the last ones, once the process is dead."""
        return self._marks.now()

    def close(self) -> None:
        """Remove the file where the other process has not; what it held can still be read."""
        if self._file:
            with contextlib.suppress(OSError):
                os.unlink(self._file)
            self._file = ""


class _Slot:
    """The part of the memory that belongs to one thread."""

    def __init__(self, memory: "mmap.mmap | bytearray", start: int) -> None:
        self.mark = _EMPTY
        self._memory = memory
        self._start = start
        self._pulse = 0

    def set(self, mark: bytes) -> None:
        self.mark = mark
        self._memory[self._start + _PULSE.size : self._start + _SIZE] = mark
        self.tick()

    def tick(self) -> None:
        self._pulse += 1
        _PULSE.pack_into(self._memory, self._start, self._pulse)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), SLOTS * _SIZE)
