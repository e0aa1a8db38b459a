"""A value that changes in any thread, and that threads and event loops wait for without looking again and again."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Watched(Generic[T]):
    """Holds one immutable value; a change puts another in its place. Safe to use from any thread.

    Who waits names a condition and is woken by the first change that meets it. Nothing is queued: a reader who comes
    late finds the newest value. A wait that is given up leaves nothing behind, and a closed event loop disturbs nobody.
    Conditions are asked under a lock, so they look at the value and do nothing else.
    """

    def __init__(self, value: T) -> None:
        self._condition = threading.Condition()  # guards the two below
        self._value = value
        self._waiting: dict[asyncio.Future[None], Callable[[T], bool]] = {}
        self._listeners: tuple[Callable[[], None], ...] = ()

    @property
    def value(self) -> T:
        return self._value

    def listen(self, listener: Callable[[], None]) -> None:
        """Have it called after each change from now on, in the thread of the change; it must return at once."""
        with self._condition:
            self._listeners = (*self._listeners, listener)

    def change(self, make: Callable[[T], T]) -> T:
        """Put what `make` makes of the value in its place and wake those who wait for that; gives back the new value.

        `make` runs under the lock. Where it returns the very value that it was given, nobody is woken.
        """
        with self._condition:
            value = make(self._value)
            if value is self._value:
                return value
            self._value = value
            met = [waiter for waiter, is_met in self._waiting.items() if is_met(value)]
            for waiter in met:
                del self._waiting[waiter]
            self._condition.notify_all()
        for waiter in met:
            with suppress(RuntimeError):  # its loop was closed, so nobody waits there any more
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)
        for listener in self._listeners:
            listener()
        return value

    def wait_for(self, is_met: Callable[[T], bool], timeout: float | None = None) -> T:
        """Block until the value meets a condition; gives back that value.

        Raises:
            TimeoutError: it has not within `timeout` seconds.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: is_met(self._value), timeout):
                raise TimeoutError
            return self._value

    def watchers(self) -> int:
        """How many wait in event loops now."""
        with self._condition:
            return len(self._waiting)

    async def until(self, is_met: Callable[[T], bool]) -> T:
        """`wait_for` without a limit, for event loops; it holds no thread."""
        while True:
            with self._condition:
                if is_met(self._value):
                    return self._value
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting[waiter] = is_met
            try:
                await waiter
            finally:
                with self._condition:
                    self._waiting.pop(waiter, None)  # it was taken out already unless the wait was given up


class Flag:
    """Is set once, in any thread, and then stays set; `threading.Event` with a wait for event loops."""

    def __init__(self) -> None:
        self._watched = Watched(False)

    def set(self) -> None:
        self._watched.change(lambda _: True)

    def is_set(self) -> bool:
        return self._watched.value

    async def wait(self) -> None:
        """Until it is set."""
        await self._watched.until(bool)


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():  # the wait was not given up meanwhile
        waiter.set_result(None)
