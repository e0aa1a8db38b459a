"""What all code of a process shares and an extension may leave changed: put back after each call of its code."""

import contextlib
import io
import logging
import os
import sys
from typing import Any, TextIO

# What torch keeps for the whole process and pixels depend on: how it is read, and how it is set.
_SWITCHES = (
    ("get_default_dtype", "set_default_dtype", "torch's default dtype"),
    ("get_num_threads", "set_num_threads", "torch's number of threads"),
    ("get_float32_matmul_precision", "set_float32_matmul_precision", "torch's precision of products"),
    ("are_deterministic_algorithms_enabled", "use_deterministic_algorithms", "torch's choice of algorithms"),
    ("is_grad_enabled", "set_grad_enabled", "torch's gradient mode"),
)
_STREAMS = (("stdout", 1), ("stderr", 2))


class StandardStreams:
    """Copies of the process's standard output and error, so that they can be opened again after they were closed."""

    def __init__(self) -> None:
        self._copies: dict[int, int] = {}
        for _, number in _STREAMS:
            with contextlib.suppress(OSError):  # there may be none, as under pythonw
                self._copies[number] = os.dup(number)

    def reopen(self, number: int) -> None:
        """Open descriptor 1 or 2 again where it is closed."""
        if not _is_open(number):
            with contextlib.suppress(OSError):
                os.dup2(self._copies[number] if number in self._copies else os.open(os.devnull, os.O_WRONLY), number)

    def closed(self) -> bool:
        """Whether one that there was is closed now."""
        return not all(map(_is_open, self._copies))


class Surroundings:
    """The surroundings as they are when this is made."""

    def __init__(self, standard: StandardStreams) -> None:
        self._standard = standard
        self._folder = _folder()
        self._streams: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        self._torch: Any = sys.modules.get("torch")
        self._switches = _switches(self._torch)

    def put_back(self) -> str:
        """Put back what is not as it was; what that was, in words, "" for nothing."""
        changed = []
        if self._folder and _folder() != self._folder:
            os.chdir(self._folder)
            changed.append("the working directory")
        if (sys.stdout, sys.stderr) != self._streams or self._standard.closed() or any(map(_is_closed, self._streams)):
            self._open_streams()
            changed.append("the standard output")
        if (now := _switches(self._torch)) != self._switches:
            for before, value, (_, setter, name) in zip(self._switches, now, _SWITCHES, strict=True):
                if before != value:
                    getattr(self._torch, setter)(before)
                    changed.append(name)
        return " and ".join(changed)

    def _open_streams(self) -> None:
        for (name, number), stream in zip(_STREAMS, self._streams, strict=True):
            self._standard.reopen(number)
            whole = stream
            if _is_closed(stream):
                raw = io.FileIO(number, "w", closefd=False)
                whole = io.TextIOWrapper(io.BufferedWriter(raw), errors="backslashreplace", line_buffering=True)
            setattr(sys, name, whole)
            for handler in logging.getLogger().handlers:
                if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
                    handler.stream = whole


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _is_closed(stream: TextIO | None) -> bool:
    return stream is not None and bool(getattr(stream, "closed", False))


def _switches(torch: Any) -> tuple[Any, ...]:
    return () if torch is None else tuple(getattr(torch, getter)() for getter, _, _ in _SWITCHES)
