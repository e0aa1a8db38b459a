"""What a worker process and its parent say to each other, and how errors cross without dragging torch along."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webui.domain.errors import BadRequestError, WebuiError
from webui.executors.protocol import Event, Work
from webui.executors.running import StopKind

HEARTBEAT = 5.0  # seconds between two signs of life of a worker


@dataclass(frozen=True, slots=True)
class Run:
    """To the worker: do this job. Jobs and loads are done in the order they come."""

    job_id: str
    work: Work


@dataclass(frozen=True, slots=True)
class StopJob:
    """To the worker, heard while a job runs."""

    job_id: str
    kind: StopKind


@dataclass(frozen=True, slots=True)
class LoadCheckpoint:
    """To the worker: load this."""

    checkpoint: str


@dataclass(frozen=True, slots=True)
class Quit:
    """To the worker: stop the job in work and end."""


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """From the worker, its last word: there is no back, because of this."""

    error: Exception
    traceback: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """From the worker: the load has ended, well where `error` is None."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Alive:
    """From the worker: a sign of life, whatever it does."""


@dataclass(frozen=True, slots=True)
class Born:
    """The first word of a worker that was forked, for `process.WorkerProcess` alone."""

    pid: int


ToWorker = Run | StopJob | LoadCheckpoint | Quit
FromWorker = Event | BuildFailed | Loaded | Alive


def portable(error: BaseException) -> Exception:
    """The error as one that any process can unpickle without importing a library of the back.

    Errors of `webui.domain.errors` keep their kind; subclasses become the nearest one there, others a RuntimeError
    whose text names their kind.
    """
    if isinstance(error, BadRequestError):
        return BadRequestError(error.field, error.message)
    for kind in type(error).__mro__:
        if issubclass(kind, WebuiError) and kind.__module__ == WebuiError.__module__:
            return kind(str(error))
    if type(error) is RuntimeError:
        return RuntimeError(str(error))
    return RuntimeError(f"{type(error).__name__}: {error}")


def resolve(name: str) -> Callable[..., Any]:
    """The function that "module:function" names.

    Raises:
        WebuiError: the name has another form, or names no function.
    """
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise WebuiError(f"{name!r} should have the form 'module:function'")
    found = getattr(importlib.import_module(module), function, None)
    if not callable(found):
        raise WebuiError(f"{name!r}: the module {module} has no function {function}")
    resolved: Callable[..., Any] = found
    return resolved
