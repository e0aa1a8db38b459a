"""The program's work as an extension calls it from within its hook."""

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

from webui.plugins.calling import Calls

P = ParamSpec("P")
R = TypeVar("R")


class Outside(Generic[P, R]):
    """Calls the network, or what asks it, as work of the program that an extension waits for.

    Attributes:
        error: what the work raised last, which is no fault of the extension.
    """

    def __init__(self, work: Callable[P, R], calls: Calls) -> None:
        self._work = work
        self._calls = calls
        self.error: Exception | None = None

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        try:
            with self._calls.whereabouts.outside():
                return self._work(*args, **named)
        except Exception as error:
            self.error = error
            raise
