"""Every call of code of an extension goes through here: it is marked, what it raises is an error, what it shifts is
put back. Needs no torch.
"""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from webui.domain.errors import BadRequestError, Cancelled, MemoryShortError, WebuiError
from webui.plugins.codetrace import CodeTrace
from webui.plugins.surroundings import StandardStreams, Surroundings
from webui.plugins.whereabouts import Whereabouts

UNDONE = "this was undone: an extension acts by its hooks alone"


class ExtensionError(WebuiError):
    """An extension broke the contract of a hook."""


class ExitError(ExtensionError):
    """It raised what is meant to end a program or a thread (SystemExit, KeyboardInterrupt, GeneratorExit)."""


class Calls:
    """How code of extensions is called in this process. Used from any thread."""

    def __init__(self, whereabouts: Whereabouts | None = None) -> None:
        self.whereabouts = whereabouts or Whereabouts()
        self.standard = StandardStreams()
        self._trace: CodeTrace | None = None
        self._looked: set[tuple[str, str]] = set()
        self._suspects: set[str] = set()

    def watch_code(self, trace: CodeTrace) -> None:
        """From now on look, after the first call of each hook, whether the extension has replaced code of others; and
        after every call of one that ever has. A look takes some 10 ms.
        """
        self._trace = trace

    def suspect(self, extension: str) -> None:
        """The extension has replaced code of others."""
        self._suspects.add(extension)

    def undo(self, extension: str, hook: str) -> str:
        """Put back what the extension has replaced in this call, where it is time to look; in words, "" for nothing."""
        if self._trace is None or ((extension, hook) in self._looked and extension not in self._suspects):
            return ""
        self._looked.add((extension, hook))
        names = [name for names in self._trace.undo().values() for name in names]
        if names:
            self.suspect(extension)
        return ", ".join(names)

    def inside(self, extension: str, hook: str) -> "Inside":
        """A context in which the code of an extension runs.

        Raises:
            ExtensionError: at its end, where the code raised something that is no Exception, or left the process's
                surroundings changed. Exceptions pass.
        """
        return Inside(self, extension, hook)

    def ticker(self) -> Callable[[], None]:
        """See `Whereabouts.ticker`."""
        return self.whereabouts.ticker()


class Inside:
    """See `Calls.inside`."""

    __slots__ = ("_before", "_calls", "_extension", "_hook", "_surroundings")

    def __init__(self, calls: Calls, extension: str, hook: str) -> None:
        self._calls = calls
        self._extension = extension
        self._hook = hook

    def __enter__(self) -> None:
        self._surroundings = Surroundings(self._calls.standard)
        self._before = self._calls.whereabouts.enter(self._extension, self._hook)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.whereabouts.leave(self._before)
        replaced = self._calls.undo(self._extension, self._hook)
        changed = self._surroundings.put_back()
        if error is not None and not isinstance(error, Exception):
            raise ExitError("called sys.exit" if isinstance(error, SystemExit) else f"raised {said(error)}") from error
        if replaced:
            raise ExtensionError(f"replaced {replaced}; {UNDONE}") from error
        if error is None and changed:
            raise ExtensionError(f"left {changed} changed; this was put back")


class MarkedContext:
    """A context manager of an extension, entered and left as its other code is called.

    Attributes:
        key: the context's own, None where it has none.
    """

    def __init__(self, calls: Calls, extension: str, hook: str, context: AbstractContextManager[Any]) -> None:
        self._calls = calls
        self._extension = extension
        self._hook = hook
        self._context = context
        self.key: Hashable = getattr(context, "key", None)
        hash(self.key)  # where that fails, it does so here

    def __enter__(self) -> None:
        with self._calls.inside(self._extension, self._hook):
            self._context.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._calls.inside(self._extension, self._hook):
            self._context.__exit__(kind, error, trace)


def said(error: BaseException) -> str:
    """An error's kind and text; the text is the extension's and may fail to be made."""
    try:
        text = str(error)
    except BaseException:
        text = "(its text cannot be read)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reason(error: BaseException) -> str:
    """An error for users: expected ones in their own words, others with their kind."""
    return str(error) if isinstance(error, WebuiError) else said(error)


def fatal(extension: str, hook: str, error: Exception) -> WebuiError:
    """A fault before the work as the error of the job; what the user did keeps its kind."""
    if isinstance(error, BadRequestError | Cancelled | MemoryShortError):
        return error
    return ExtensionError(f"extension {extension}, {hook}: {reason(error)}")
